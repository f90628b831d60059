"""What of the past goes and what stays, whatever its age."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from directory.errors import UnknownRecord
from ledger.results import Document
from ledger.retention import KEPT_RUNS, PastPlan, PastRun, outdated
from ledger.scim.writing import Actor, Draft
from tests.unit.ledger.entries import TARGET

DAY = 86_400_000_000
NOW = 1000 * DAY
BEFORE = NOW - 90 * DAY
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def a_plan(book: ledger.Ledger, plan_id: str, at: datetime | None = None) -> str:
    frames = {"operations": pl.DataFrame({"seq": [0]}, schema={"seq": pl.UInt32})}
    return book.plans.put(plan_id * 8, sync="okta", target=TARGET, header="{}", frames=frames, created_at=at).id


def run(number: int, days: int, **more: Any) -> PastRun:
    base = PastRun(f"run{number:03}", "okta", "succeeded", NOW - days * DAY, None, judges=False, reported=True)
    return replace(base, **more)


def many(first: int = 500) -> list[PastRun]:
    """Enough young ones for nothing old to stay for its number alone."""
    return [run(first + number, 1) for number in range(KEPT_RUNS)]


def test_old_runs_and_their_plans_go_and_young_ones_stay() -> None:
    runs = [run(1, 200, plan_id="old"), run(2, 5, plan_id="young"), *many()]
    plans = [PastPlan("old", "okta", "applied", NOW - 200 * DAY), PastPlan("young", "okta", "applied", NOW - 5 * DAY)]
    found = outdated(runs, plans, before=BEFORE)
    assert (found.runs, found.plans) == (("run001",), ("old",))


def test_of_each_sync_the_latest_runs_and_the_latest_plan_stay_whatever_their_age() -> None:
    runs = [run(number, 900 - number, sync=sync) for number in range(KEPT_RUNS + 3) for sync in ("okta", "entra")]
    runs = [replace(one, id=f"{one.sync}{one.id}") for one in runs]
    plans = [
        PastPlan(f"{sync}{age}", sync, "stored", NOW - age * DAY) for sync in ("okta", "entra") for age in (800, 900)
    ]
    found = outdated(runs, plans, before=BEFORE)
    assert sorted(found.runs) == [f"{sync}run00{number}" for sync in ("entra", "okta") for number in range(3)]
    assert sorted(found.plans) == ["entra900", "okta900"]


@pytest.mark.parametrize("state", ["held", "approved", "applying", "partial"])
def test_a_plan_that_is_open_stays_and_so_do_its_runs(state: str) -> None:
    runs = [run(1, 200, plan_id="open"), run(2, 200, plan_id="open"), *many()]
    plans = [PastPlan("open", "okta", state, NOW - 200 * DAY), PastPlan("last", "okta", "stored", NOW)]
    assert outdated(runs, plans, before=BEFORE) == outdated([], [], before=BEFORE)


@pytest.mark.parametrize(
    "needed",
    [
        run(1, 200, status="running"),
        run(1, 200, status="crashed", plan_id="plan", reported=False),
        run(1, 200, judges=True),
        run(1, 200, status="planned", judges=True, plan_id="plan"),
    ],
    ids=["has not ended", "crashed without a report", "judges the next read", "its plan was applied later"],
)
def test_a_run_that_something_rests_on_stays_with_its_plan(needed: PastRun) -> None:
    plans = [PastPlan("plan", "okta", "applied", NOW - 200 * DAY), PastPlan("last", "okta", "stored", NOW)]
    found = outdated([needed, *many()], plans if needed.plan_id else [], before=BEFORE)
    assert (found.runs, found.plans) == ((), ())


def test_only_the_latest_run_that_judges_the_next_read_stays_for_it() -> None:
    runs = [run(1, 300, judges=True), run(2, 200, judges=True), run(3, 150, status="failed", judges=True), *many()]
    assert outdated(runs, [], before=BEFORE).runs == ("run001", "run003")


STATUSES = ["running", "succeeded", "partial", "held", "failed", "crashed", "nothing_to_do", "planned"]
STATES = ["stored", "held", "approved", "rejected", "applying", "applied", "partial", "superseded"]
PLAN_IDS = [f"plan{number}" for number in range(8)]


@given(
    runs=st.lists(
        st.builds(
            PastRun,
            id=st.uuids().map(str),
            sync=st.sampled_from(["okta", "entra"]),
            status=st.sampled_from(STATUSES),
            started_at=st.integers(0, NOW),
            plan_id=st.sampled_from([None, *PLAN_IDS]),
            judges=st.booleans(),
            reported=st.booleans(),
        ),
        max_size=90,
        unique_by=lambda one: one.id,
    ),
    plans=st.lists(
        st.builds(
            PastPlan,
            id=st.sampled_from(PLAN_IDS),
            sync=st.sampled_from(["okta", "entra"]),
            state=st.sampled_from(STATES),
            created_at=st.integers(0, NOW),
        ),
        unique_by=lambda one: one.id,
    ),
)
def test_what_stays_hangs_together_and_pruning_again_is_idle(runs: list[PastRun], plans: list[PastPlan]) -> None:
    found = outdated(runs, plans, before=BEFORE)
    left_runs = [one for one in runs if one.id not in found.runs]
    left_plans = [one for one in plans if one.id not in found.plans]
    known = {one.id for one in plans}
    assert {one.plan_id for one in left_runs} & known <= {one.id for one in left_plans}
    assert all(one.started_at < BEFORE for one in runs if one.id in found.runs)
    assert all(one.created_at < BEFORE for one in plans if one.id in found.plans)
    assert outdated(left_runs, left_plans, before=BEFORE) == outdated([], [], before=BEFORE)


def test_rows_of_all_tables_go_in_the_right_order_and_are_counted(book: ledger.Ledger) -> None:
    old = a_plan(book, "0123abcd", LONG_AGO)
    first = book.runs.start(sync="okta", mode="sync", target="bb", plan_id=old, started_at=LONG_AGO)
    book.runs.finish(first.id, "succeeded", header={"people": 3}, ended_at=LONG_AGO)
    book.results.put(first.id, pl.DataFrame({"external_id": ["1"], "username": ["jane"]}))
    book.results.put_document(first.id, Document("somewhere.json", 1234, "0" * 64))
    for number in range(KEPT_RUNS):
        later = book.runs.start(sync="okta", mode="sync", target="bb", started_at=LONG_AGO + timedelta(days=1 + number))
        book.runs.finish(later.id, "succeeded")
    a_plan(book, "4567abcd", LONG_AGO + timedelta(days=1))
    before = datetime(2026, 1, 1, tzinfo=UTC)

    found = book.retention.outdated(before)
    assert (found.runs, found.plans) == ((first.id,), (old,))
    assert book.retention.documents(found.runs) == {first.id: "somewhere.json"}
    weights = book.retention.weigh(found)
    assert {name: count for name, (count, _) in weights.items()} == {
        "runs": 1,
        "results": 1,
        "documents": 1,
        "plans": 1,
        "plan frames": 1,
        "journal entries": 0,
    }
    assert weights["documents"] == (1, 1234)
    assert book.retention.remove(found, before) == weights
    with pytest.raises(UnknownRecord):
        book.runs.get(first.id)
    with pytest.raises(UnknownRecord):
        book.plans.get(old)
    assert book.retention.outdated(before) == outdated([], [], before=0)


def test_a_plan_stays_where_the_document_of_its_run_could_not_be_removed(book: ledger.Ledger) -> None:
    old = a_plan(book, "0123abcd", LONG_AGO)
    first = book.runs.start(sync="okta", mode="sync", target="bb", plan_id=old, started_at=LONG_AGO)
    book.runs.finish(first.id, "succeeded")
    for _ in range(KEPT_RUNS):
        book.runs.finish(book.runs.start(sync="okta", mode="sync", target="bb").id, "succeeded")
    a_plan(book, "4567abcd")
    before = datetime(2026, 1, 1, tzinfo=UTC)
    found = book.retention.outdated(before)
    removed = book.retention.remove(replace(found, runs=()), before)
    assert (removed["runs"][0], removed["plans"][0]) == (0, 0)
    assert book.plans.get(old).id == old


def test_audit_entries_have_an_age_of_their_own(book: ledger.Ledger) -> None:
    young = datetime(2026, 6, 1, tzinfo=UTC)
    for at in (LONG_AGO, LONG_AGO, young):
        book.audit.begin(token_id=None, who=None, client="192.0.2.7", what="POST /api/syncs/okta/runs", at=at)
    connector = book.scim.connectors.add("entra").id
    with book.scim.write() as transaction:
        writer = transaction.writer(connector, Actor("token", "192.0.2.7", "request", "create"))
        jane = writer.insert(Draft("User", "jane", None, "{}", "{}"))
    pushed = book.scim.audit(connector)[0].at

    old = book.retention.weigh_audit(young)
    assert (old["audit entries"][0], old["SCIM audit entries"]) == (2, (0, 0))
    assert old["audit entries"][1] > 2 * len("POST /api/syncs/okta/runs")
    assert book.retention.forget_audit(young) == old
    assert [entry.at for entry in book.audit.latest()] == [young]
    assert len(book.scim.audit(connector)) == 1

    assert book.retention.weigh_audit(pushed)["SCIM audit entries"] == (0, 0), "what is as old is not older"
    all_of_it = book.retention.forget_audit(pushed + timedelta(seconds=1))
    assert {name: count for name, (count, _) in all_of_it.items()} == {"audit entries": 1, "SCIM audit entries": 1}
    assert (book.audit.latest(), book.scim.audit(connector)) == ([], [])
    assert [each.resource_id for each in book.scim.touched(connector)] == [jane.id], "what is still to be done stays"


def test_the_file_of_a_ledger_becomes_smaller(tmp_path: Path) -> None:
    with ledger.open(ledger.default_url(tmp_path)) as book:
        started = book.runs.start(sync="okta", mode="sync", target="bb")
        noise = pl.int_range(200_000, eager=True).hash(seed=7)
        book.results.put(started.id, pl.DataFrame({"external_id": noise.cast(pl.String), "username": "x"}))
        book.results.put(started.id, pl.DataFrame({"external_id": ["1"], "username": ["x"]}))
        assert book.retention.compact() > 1_000_000
        assert book.results.people(started.id).collect().height == 1
