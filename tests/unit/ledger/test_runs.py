from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

import ledger
from directory.errors import UnknownRecord
from ledger.runs import Mode
from tests.unit.ledger.entries import PLAN, TARGET, a_plan, a_run

MORNING = datetime(2026, 11, 24, 6, 5, 12, 345678, tzinfo=UTC)


def test_a_run_keeps_what_it_was_started_with(book: ledger.Ledger):
    run = book.runs.start(
        sync="okta", mode="apply", target=TARGET, plan_id=PLAN, flow_run_id="0192-abc", started_at=MORNING
    )

    assert book.runs.get(run.id) == run
    assert (run.sync, run.mode, run.target, run.plan_id, run.flow_run_id) == ("okta", "apply", TARGET, PLAN, "0192-abc")
    assert (run.status, run.started_at, run.ended_at, run.error) == ("running", MORNING, None, None)
    assert (run.host, run.pid) == (socket.gethostname(), os.getpid())
    assert (run.header, run.source_stats) == ({}, None)


def test_an_id_is_short_and_sorts_by_time(book: ledger.Ledger):
    ids = [
        book.runs.start(sync="okta", mode="sync", target=TARGET, started_at=MORNING + timedelta(seconds=n)).id
        for n in range(5)
    ]

    assert ids == sorted(ids)
    assert re.fullmatch(r"20261124-060512-[a-z2-9]{4}", ids[0])


def test_a_finished_run_says_how_it_ended(book: ledger.Ledger):
    run_id = a_run(book)

    book.runs.finish(
        run_id,
        "partial",
        error="2 of 9 operations failed",
        plan_id=PLAN,
        header={"counts": {"create": 7}},
        source_stats={"people": 9_980, "null_share": {"email": 0.25}},
        ended_at=MORNING,
    )

    run = book.runs.get(run_id)
    assert (run.status, run.error, run.plan_id, run.ended_at) == ("partial", "2 of 9 operations failed", PLAN, MORNING)
    assert run.header == {"counts": {"create": 7}}
    assert run.source_stats == {"people": 9_980, "null_share": {"email": 0.25}}


def test_the_plan_noted_early_survives_an_end_that_names_none(book: ledger.Ledger):
    run_id = a_run(book)
    book.runs.attach_plan(run_id, PLAN)

    book.runs.finish(run_id, "failed")

    assert book.runs.get(run_id).plan_id == PLAN


def test_finishing_a_run_that_never_was_is_an_error(book: ledger.Ledger):
    with pytest.raises(UnknownRecord, match="no run 'nobody'"):
        book.runs.finish("nobody", "succeeded")


def test_the_beginning_of_an_id_is_enough_if_it_is_the_only_one(book: ledger.Ledger):
    first = book.runs.start(sync="okta", mode="sync", target=TARGET, started_at=MORNING)
    second = book.runs.start(sync="okta", mode="sync", target=TARGET, started_at=MORNING + timedelta(hours=1))

    assert book.runs.get("20261124-06") == first
    assert book.runs.get(f" {second.id.upper()} ") == second
    with pytest.raises(UnknownRecord, match=rf"2 runs begin with '20261124': {first.id}, {second.id}"):
        book.runs.get("20261124")
    with pytest.raises(UnknownRecord, match="no run '2025'"):
        book.runs.get("2025")
    with pytest.raises(UnknownRecord, match="too short"):
        book.runs.get("")


def test_runs_are_listed_newest_first(book: ledger.Ledger):
    started = [
        book.runs.start(sync=sync, mode="sync", target=TARGET, started_at=MORNING + timedelta(minutes=n)).id
        for n, sync in enumerate(["okta", "entra", "okta"])
    ]

    assert [run.id for run in book.runs.latest()] == started[::-1]
    assert [run.id for run in book.runs.latest(sync="okta")] == [started[2], started[0]]
    assert [run.id for run in book.runs.latest(limit=1)] == [started[2]]


def ended(
    book: ledger.Ledger, status: str, *, minute: int, people: int | None = 100, plan_id: str | None = None
) -> str:
    run = book.runs.start(sync="okta", mode="sync", target=TARGET, started_at=MORNING + timedelta(minutes=minute))
    stats = None if people is None else {"people": people}
    book.runs.finish(run.id, status, source_stats=stats, plan_id=plan_id)  # type: ignore[arg-type]
    return run.id


@pytest.mark.parametrize("status", ["succeeded", "partial", "nothing_to_do"])
def test_a_run_whose_read_was_acted_upon_is_the_last_good_one(book: ledger.Ledger, status: str):
    ended(book, "succeeded", minute=0)
    good = ended(book, status, minute=1)
    ended(book, "held", minute=2, people=3)
    ended(book, "failed", minute=3, people=4)
    ended(book, "planned", minute=4, people=5)
    ended(book, "succeeded", minute=5, people=None)

    found = book.runs.last_good("okta")

    assert found is not None
    assert found.id == good
    assert book.runs.last_good("entra") is None


@pytest.mark.parametrize("status", ["held", "planned"])
def test_a_read_becomes_good_once_its_plan_is_applied(book: ledger.Ledger, status: str):
    a_plan(book)
    earlier = ended(book, "succeeded", minute=0)
    waiting = ended(book, status, minute=1, people=40, plan_id=PLAN)
    before = book.runs.last_good("okta")

    book.plans.set_state(PLAN, "applied")
    after = book.runs.last_good("okta")

    assert before is not None
    assert before.id == earlier
    assert after is not None
    assert (after.id, after.source_stats) == (waiting, {"people": 40})


def test_running_runs_are_found_by_their_target(book: ledger.Ledger):
    run_id = a_run(book)
    book.runs.finish(a_run(book), "succeeded")

    assert [run.id for run in book.runs.running(TARGET)] == [run_id]
    assert book.runs.running("https://other.example") == []


def test_the_latest_attempt_at_a_flow_run_is_found(book: ledger.Ledger):
    for minute in range(2):
        latest = book.runs.start(
            sync="okta",
            mode="sync",
            target=TARGET,
            flow_run_id="0192-abc",
            started_at=MORNING + timedelta(minutes=minute),
        )

    assert book.runs.find_by_flow_run("0192-abc") == latest
    assert book.runs.find_by_flow_run("0192-abd") is None


def test_runs_of_processes_that_died_are_noted_as_crashed(book: ledger.Ledger, url: str):
    alive = a_run(book)
    program = (
        f"import ledger, os; book = ledger.open({url!r});"
        f"print(book.runs.start(sync='okta', mode='sync', target='t').id, flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    dead = killed.stdout.strip()

    assert book.runs.bury_crashed() == [dead]
    assert book.runs.bury_crashed() == []
    assert book.runs.get(dead).status == "crashed"
    assert book.runs.get(dead).ended_at is not None
    assert book.runs.get(alive).status == "running"


def test_runs_for_everybody_that_have_ended_are_told_newest_first(book: ledger.Ledger):
    def started(minute: int, mode: Mode = "sync", sync: str = "okta") -> str:
        at = MORNING + timedelta(minutes=minute)
        return book.runs.start(sync=sync, mode=mode, target=TARGET, started_at=at).id

    first, second, third = started(0), started(1, "apply"), started(2)
    other = [started(3, "plan"), started(4, "person"), started(5, sync="entra")]
    for run_id in (first, second, third, *other):
        book.runs.finish(run_id, "succeeded")
    started(6)

    assert [run.id for run in book.runs.ended("okta", limit=2)] == [third, second]
    assert book.runs.ended("okta", limit=30)[-1].id == first
