"""What of a run others want to be told, as names and payloads. Nothing is sent here.

A payload holds counts, ids, the message and the next step; of people the username, and no further attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from reconcile.expiry import Expiring
from reconcile.results import RunHeader

__all__ = ["EVENT_NAMES", "MOST_PEOPLE", "Event", "events_of_run", "lost_access", "refused"]

EVENT_NAMES = (
    "usersync.run.succeeded",
    "usersync.run.failed",
    "usersync.run.cancelled",
    "usersync.plan.held",
    "usersync.person.deactivated",
    "usersync.people.deactivated",
    "usersync.secret.expiring",
)
MOST_PEOPLE = 50
"""Events about single people, and names in an event about many, of one run. Leavers by the thousand are a number."""

_GOOD = frozenset({"succeeded", "nothing_to_do"})
_BAD = frozenset({"partial", "failed", "crashed", "refused"})
_TAKING = ("remove_access", "anonymise", "delete", "erase")


@dataclass(frozen=True)
class Event:
    name: str
    sync: str
    payload: dict[str, Any]
    person: str | None = None
    """The username, where it is about one person."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What automations may pick events by, besides the sync."""


def events_of_run(
    header: RunHeader, *, message: str, next_step: str, deactivated: pl.DataFrame, expiring: Iterable[Expiring] = ()
) -> list[Event]:
    """What a run that ended as `header` says leaves to be told. `deactivated` is what `lost_access` gave.

    A plan that is stored, or one person brought up to date, is no success of the sync: an alarm that waits for one
    must not be put off by it.
    """
    of_run = _payload(header, message, next_step)
    labels = {"usersync.mode": header.mode, "usersync.status": header.status}
    told: list[Event] = []
    if header.status in _GOOD and header.mode in {"sync", "apply"}:
        told.append(Event("usersync.run.succeeded", header.sync, of_run, labels=labels))
    elif header.status in _BAD:
        told.append(Event("usersync.run.failed", header.sync, of_run, labels=labels))
    elif header.status == "cancelled":
        told.append(Event("usersync.run.cancelled", header.sync, of_run, labels=labels))
    elif header.status == "held":
        told.append(Event("usersync.plan.held", header.sync, _held(header, of_run), labels=labels))
    told += _about_people(header, deactivated)
    told += [
        Event("usersync.secret.expiring", header.sync, _of_secret(one), labels={"usersync.what": one.what})
        for one in expiring
    ]
    return told


def refused(sync: str, message: str, next_step: str) -> Event:
    """A run that ended before there was anything to write down: the sync file, a secret, or a name is wrong."""
    payload = {"sync": sync, "status": "refused", "message": message, "next_step": next_step}
    return Event("usersync.run.failed", sync, payload, labels={"usersync.status": "refused"})


def lost_access(done: pl.DataFrame) -> pl.DataFrame:
    """Who lost the access by operations that were acknowledged (schema of a plan's `operations`): `external_id`,
    `username`, `kind` of the first operation that took it, `reason`; in the order of the plan."""
    taking = done.filter(pl.col("kind").is_in(_TAKING) & pl.col("external_id").is_not_null())
    return taking.unique("external_id", keep="first", maintain_order=True).select(
        "external_id", "username", "kind", "reason"
    )


def _payload(header: RunHeader, message: str, next_step: str) -> dict[str, Any]:
    return {
        "sync": header.sync,
        "run": header.id,
        "plan": header.plan_id,
        "mode": header.mode,
        "status": header.status,
        "source": header.source,
        "target": header.target,
        "message": message,
        "next_step": next_step,
        "planned": header.counts,
        "applied": header.applied,
        "people": header.outcomes,
        "seconds": None if header.ended_at is None else round((header.ended_at - header.started_at).total_seconds(), 1),
    }


def _held(header: RunHeader, of_run: dict[str, Any]) -> dict[str, Any]:
    """The plan that waits, which is not the one of the run where the rest of that went on."""
    return {
        **of_run,
        "plan": header.waiting_plan or header.plan_id,
        "findings": [finding.message for finding in header.findings],
    }


def _about_people(header: RunHeader, people: pl.DataFrame) -> Iterator[Event]:
    if people.is_empty():
        return
    named = people.head(MOST_PEOPLE)
    run = {"sync": header.sync, "run": header.id, "plan": header.plan_id}
    for row in named.iter_rows(named=True):
        who = row["username"] or row["external_id"]
        about = {"username": who, "what": row["kind"].replace("_", " "), "reason": row["reason"]}
        yield Event("usersync.person.deactivated", header.sync, {**run, **about}, person=who)
    names = named.select(pl.coalesce("username", "external_id")).to_series().to_list()
    more = people.height - named.height
    yield Event(
        "usersync.people.deactivated",
        header.sync,
        {**run, "count": people.height, "usernames": names, "more": more},
    )


def _of_secret(one: Expiring) -> dict[str, Any]:
    return {
        "side": one.side,
        "what": one.what,
        "expires_on": one.on.isoformat(),
        "days_left": one.days_left,
        "message": one.message,
        "next_step": one.next_step,
    }
