"""What the ledger knows of leavers after each operation, and before the call that takes something away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import ledger as ledgers
from ledger.opening import Ledger
from reconcile.batch import pack
from reconcile.plan import KINDS, Plan
from tasks.bookkeeping import Bookkeeper
from tasks.crashes import settle_doubts
from tasks.memory import remembered
from tasks.plans import store_plan, stored_plan
from tests.builders import NOW, account, plan_of, policy, present, source, target

LATER = datetime(2026, 6, 1, 8, 30, tzinfo=UTC)
ENTRY = {"stash-users": "LICENSED_USER"}
ANN = account("ann", account_id="7", permission="ADMIN")
THERE = target([ANN], {"stash-users": ["ann"], "local": ["ann"]}, permissions=ENTRY)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with ledgers.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        opened.links.put("test", [{"external_id": "ann", "account_id": "7", "username": "ann", "access_since": NOW}])
        yield opened


def plan_for(book: Ledger, people: Any = (), there: Any = THERE, **rules: Any) -> Plan:
    plan = plan_of(source(people), there, remembered(book, "test", there, NOW), policy(**rules))
    store_plan(book, plan)
    return plan


def carry_on(book: Ledger, plan: Plan, *, until: str | None = None, at: datetime = LATER) -> None:
    """As the loader does where every call succeeds; the run is killed before the answer to the kind `until`."""
    run = book.runs.start(sync="test", mode="sync", target="target")
    books = Bookkeeper(book, plan, run.id, clock=lambda: at)
    for kind in KINDS:
        for batch in pack(kind, plan.operations.filter(kind=kind), most_members=100):
            books.intend(batch)
            if kind == until:
                return
            books.acknowledge(kind, batch.seqs)


def link_of(book: Ledger) -> dict[str, Any] | None:
    return next(book.links.frame("test").iter_rows(named=True), None)


def memories_of(book: Ledger) -> set[tuple[str, str]]:
    return set(book.memories.frame("test").select("kind", "name").iter_rows())


ACCESS = {("group", "stash-users"), ("permission", "ADMIN")}
NAMES = {("username", "ann"), ("email", "ann@example.com"), ("display_name", "Ann")}


@pytest.mark.parametrize(
    ("rules", "until", "known"),
    [
        ({"method": "remove_access"}, "remove_access", ACCESS),
        ({"method": "keep", "strip_groups": True}, "strip_groups", {("group", "stash-users"), ("group", "local")}),
        ({"method": "anonymise"}, "anonymise", ACCESS | NAMES),
    ],
    ids=["remove access", "strip groups", "anonymise"],
)
def test_what_is_taken_is_remembered_before_the_call_goes_out(
    book: Ledger, rules: dict[str, Any], until: str, known: set[tuple[str, str]]
) -> None:
    carry_on(book, plan_for(book, leavers=rules), until=until)
    assert memories_of(book) == known


def test_the_clock_of_a_leaver_starts_when_the_plan_is_applied_not_when_it_is_made(book: Ledger) -> None:
    plan = plan_for(book, leavers={"stages": [{"after_days": 3, "do": "remove_access"}]})
    assert link_of(book) == (link_of(book) or {}) | {"left_at": None, "state": "active"}
    carry_on(book, plan, at=LATER)
    link = link_of(book)
    assert link is not None
    assert (link["left_at"], link["state"], link["access_since"]) == (LATER, "active", NOW)


def test_a_return_stops_the_clock_forgets_what_was_taken_and_starts_the_days_without_a_login(book: Ledger) -> None:
    carry_on(book, plan_for(book, leavers={"stages": [{"after_days": 0, "do": "anonymise"}]}))
    link = link_of(book)
    assert link is not None
    assert (link["username"], link["state"], link["left_at"]) == ("user-7", "anonymised", LATER)
    nameless = target(
        [account("user-7", "user-7@user.invalid", "user-7", account_id="7")], {"stash-users": [], "local": []}
    )

    back = LATER + timedelta(days=40)
    carry_on(book, plan_for(book, ("ann",), nameless), at=back)

    link = link_of(book)
    assert link is not None
    assert (link["username"], link["state"], link["left_at"], link["access_since"]) == ("ann", "active", None, back)
    assert memories_of(book) == set()


def test_who_does_not_log_in_has_a_link_that_says_so(book: Ledger) -> None:
    rules = {"inactive": {"after_days": 10}}
    there = target(
        [account("ann", account_id="7", last_login=NOW - timedelta(days=99))],
        {"stash-users": ["ann"]},
        permissions=ENTRY,
    )
    book.links.put("test", [{"external_id": "ann", "access_since": NOW - timedelta(days=99)}])
    carry_on(book, plan_for(book, ("ann",), there, **rules))
    link = link_of(book)
    assert link is not None
    assert (link["state"], link["left_at"]) == ("inactive", None)


@pytest.mark.parametrize("stages", [[("delete", 0), ("erase", 9)], [("erase", 0)]], ids=["later", "at once"])
def test_a_deleted_account_is_known_until_its_traces_are_erased(book: Ledger, stages: list[tuple[str, int]]) -> None:
    rules = {"leavers": {"stages": [{"after_days": days, "do": deed} for deed, days in stages]}}
    plan = plan_for(book, **rules)
    carry_on(book, plan, until="erase")
    link = link_of(book)
    assert link is not None
    assert (link["state"], link["username"]) == ("deleted", "ann")
    assert memories_of(book) == set()

    empty = target([], {"stash-users": []}, permissions=ENTRY)
    later = NOW + timedelta(days=200)
    following = plan_of(source(), empty, remembered(book, "test", empty, later), policy(**rules))
    assert following.operations["kind"].to_list() == ["erase"]
    store_plan(book, following)
    carry_on(book, following)
    assert link_of(book) is None


def test_a_deletion_alone_forgets_the_link(book: Ledger) -> None:
    carry_on(book, plan_for(book, leavers={"method": "delete"}))
    assert link_of(book) is None


def test_an_erasure_whose_answer_was_lost_is_asked_for_again(book: Ledger) -> None:
    """Nothing that can be read shows it; to ask a second time is no error."""
    rules = {"leavers": {"method": "erase"}}
    plan = plan_for(book, **rules)
    book.plans.set_state(plan.id, "applying")
    carry_on(book, plan, until="erase")
    empty = target([], {})
    run = book.runs.start(sync="test", mode="sync", target="elsewhere")
    book.runs.finish(book.runs.latest(limit=2)[1].id, "crashed")

    settle_doubts(book, "test", empty, run.id)

    assert book.journal.entries(plan.id)["status"].to_list() == ["done", "failed"]
    following = plan_of(source(), empty, remembered(book, "test", empty, NOW), policy(**rules))
    assert following.operations["kind"].to_list() == ["erase"]


def test_an_anonymisation_that_was_interrupted_is_done_again_and_remembers_no_pseudonym(book: Ledger) -> None:
    carry_on(book, plan_for(book, leavers={"method": "anonymise"}), until="anonymise")
    known = memories_of(book)
    half = target([account("ann", "user-7@user.invalid", "user-7", account_id="7")], {"stash-users": []})
    plan = plan_for(book, (), half, leavers={"method": "anonymise"})
    assert plan.operations["kind"].to_list() == ["anonymise"]
    carry_on(book, plan)
    assert memories_of(book) == known


def test_links_from_before_the_days_were_counted_count_from_when_they_were_made(book: Ledger) -> None:
    book.links.put("test", [{"external_id": "bob", "username": "bob"}], at=LATER)
    known = remembered(book, "test", THERE, NOW).links
    assert dict(known.select("external_id", "access_since").iter_rows()) == {"ann": NOW, "bob": LATER}


def test_what_an_old_program_said_of_a_plan_is_still_read(book: Ledger) -> None:
    present_ones = plan_of(source(["ann"]), THERE, present(["ann"]))
    old = present_ones.verdicts.drop("next_stage", "next_stage_on")
    book.plans.put(
        present_ones.id,
        sync="test",
        target="target",
        header=present_ones.header.model_dump_json(),
        frames={"operations": present_ones.operations, "verdicts": old, "grants": present_ones.grants},
    )
    _, plan = stored_plan(book, present_ones.id)
    assert plan.verdicts.schema == present_ones.verdicts.schema
