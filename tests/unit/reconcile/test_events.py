"""Which endings are told, to whom it may concern, and how little of people."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from reconcile.events import EVENT_NAMES, MOST_PEOPLE, Event, events_of_run, lost_access, refused
from reconcile.expiry import Expiring
from reconcile.plan import OPERATIONS, Finding
from reconcile.results import RunHeader

NOBODY = lost_access(pl.DataFrame(schema=OPERATIONS))


def header(status: str, mode: str = "sync", **further: Any) -> RunHeader:
    return RunHeader.model_validate(
        {
            "id": "20261124-060512-7k3f",
            "sync": "okta",
            "mode": mode,
            "status": status,
            "exit_code": 0,
            "plan_id": "c0ffee" * 10,
            "source": "okta example",
            "target": "bitbucket example",
            "started_at": datetime(2026, 11, 24, 6, 5, tzinfo=UTC),
            "ended_at": datetime(2026, 11, 24, 6, 6, tzinfo=UTC),
            "guard": None,
            **further,
        }
    )


def told(run: RunHeader, deactivated: pl.DataFrame = NOBODY, **further: Any) -> list[Event]:
    return events_of_run(run, message="what happened", next_step="what to do", deactivated=deactivated, **further)


def leavers(count: int, kind: str = "remove_access") -> pl.DataFrame:
    rows = [
        {
            "seq": n,
            "kind": kind,
            "external_id": f"x{n}",
            "username": f"u{n}",
            "before": f"u{n}@example.com",
            "reason": "r",
        }
        for n in range(count)
    ]
    return pl.DataFrame(rows, schema=OPERATIONS)


@pytest.mark.parametrize(
    ("status", "mode", "name"),
    [
        ("succeeded", "sync", "usersync.run.succeeded"),
        ("succeeded", "apply", "usersync.run.succeeded"),
        ("nothing_to_do", "sync", "usersync.run.succeeded"),
        ("partial", "sync", "usersync.run.failed"),
        ("failed", "person", "usersync.run.failed"),
        ("crashed", "sync", "usersync.run.failed"),
        ("cancelled", "sync", "usersync.run.cancelled"),
        ("held", "plan", "usersync.plan.held"),
    ],
)
def test_an_ending_has_its_event(status: str, mode: str, name: str) -> None:
    (event,) = told(header(status, mode))
    assert (event.name, event.sync) == (name, "okta")
    assert (event.payload["message"], event.payload["next_step"]) == ("what happened", "what to do")
    assert event.payload["seconds"] == 60.0
    json.dumps(event.payload)


@pytest.mark.parametrize(("status", "mode"), [("planned", "plan"), ("nothing_to_do", "plan"), ("succeeded", "person")])
def test_a_plan_and_one_person_put_off_no_alarm_that_waits_for_a_run_that_succeeds(status: str, mode: str) -> None:
    assert told(header(status, mode)) == []


def test_a_held_event_names_the_plan_that_waits_and_why() -> None:
    finding = Finding(kind="deletions", message="3 deletions, at most 0", measured=3, allowed=0)
    rest = header("held", waiting_plan="abcdef", findings=[finding])
    (event,) = told(rest)
    assert (event.payload["plan"], event.payload["findings"]) == ("abcdef", ["3 deletions, at most 0"])


def test_each_leaver_is_told_alone_and_all_of_them_together() -> None:
    _, one, other, together = told(header("succeeded"), lost_access(leavers(2)))
    assert [(event.name, event.person) for event in (one, other)] == [
        ("usersync.person.deactivated", "u0"),
        ("usersync.person.deactivated", "u1"),
    ]
    assert one.payload["what"] == "remove access"
    assert (together.name, together.payload["count"]) == ("usersync.people.deactivated", 2)
    assert together.payload["usernames"] == ["u0", "u1"]


def test_leavers_by_the_thousand_are_a_number() -> None:
    events = told(header("succeeded"), lost_access(leavers(3000)))
    assert len(events) == 1 + MOST_PEOPLE + 1
    last = events[-1].payload
    assert (last["count"], len(last["usernames"]), last["more"]) == (3000, MOST_PEOPLE, 3000 - MOST_PEOPLE)
    assert len(json.dumps(last)) < 2_000


def test_whoever_loses_access_and_is_deleted_in_one_run_is_one_person() -> None:
    both = pl.concat([leavers(1), leavers(1, "delete"), leavers(1, "leave"), leavers(1, "remove_membership")])
    assert lost_access(both).rows() == [("x0", "u0", "remove_access", "r")]


def test_no_e_mail_address_is_told() -> None:
    events = told(header("succeeded"), lost_access(leavers(3)))
    assert "@" not in json.dumps([event.payload for event in events])


def test_a_secret_that_expires_is_told_with_its_day() -> None:
    soon = Expiring("source", "the source's secret", date(2026, 12, 1), 7)
    _, event = told(header("succeeded"), expiring=[soon])
    assert event.name == "usersync.secret.expiring"
    assert (event.payload["expires_on"], event.payload["days_left"]) == ("2026-12-01", 7)


def test_every_event_has_a_name_of_the_list() -> None:
    soon = Expiring("source", "the source's secret", date(2026, 12, 1), 7)
    endings = ("succeeded", "held", "failed", "cancelled")
    sent = {event.name for status in endings for event in told(header(status), expiring=[soon])}
    sent |= {event.name for event in told(header("succeeded"), lost_access(leavers(1)))}
    assert sent | {refused("okta", "what", "next").name} == set(EVENT_NAMES)
