from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import ledger
from directory.errors import UnknownRecord
from ledger.plans import Decided, PlanState
from tests.unit.ledger.entries import PLAN, TARGET, a_plan, a_run

MORNING = datetime(2026, 11, 24, 6, 5, 12, tzinfo=UTC)
OPERATIONS = pl.DataFrame(
    {"seq": [0, 1], "kind": ["create", "add_membership"], "group": [None, "dévs"], "grants": [[1, 2], []]},
    schema={"seq": pl.UInt32, "kind": pl.String, "group": pl.String, "grants": pl.List(pl.UInt64)},
)


def test_a_plan_comes_back_as_it_was_put(book: ledger.Ledger):
    verdicts = pl.DataFrame({"external_id": ["00u1"], "reason": ["member of staff"]})

    stored = book.plans.put(
        PLAN,
        sync="okta",
        target=TARGET,
        header='{"format":1,"sync":"okta"}',
        frames={"operations": OPERATIONS, "verdicts": verdicts},
        created_at=MORNING,
    )

    assert book.plans.get(PLAN) == stored
    assert (stored.state, stored.created_at, stored.header) == ("stored", MORNING, '{"format":1,"sync":"okta"}')
    assert_frame_equal(book.plans.frame(PLAN, "operations").collect(), OPERATIONS)
    assert_frame_equal(book.plans.frame(PLAN, "verdicts").collect(), verdicts)


def test_a_frame_that_was_not_put_is_unknown(book: ledger.Ledger):
    a_plan(book)

    with pytest.raises(UnknownRecord, match="no frame 'verdicts'"):
        book.plans.frame(PLAN, "verdicts")


@pytest.mark.parametrize("state", ["stored", "held", "approved", "rejected", "applying"])
def test_the_same_plan_twice_keeps_its_state(book: ledger.Ledger, state: PlanState):
    a_plan(book)
    book.plans.set_state(PLAN, state)

    again = book.plans.put(PLAN, sync="okta", target=TARGET, header="{}", frames={})

    assert again.state == state
    assert len(book.plans.latest()) == 1


def test_an_approved_plan_decided_again_is_still_approved(book: ledger.Ledger):
    a_plan(book)
    book.plans.approve(PLAN, by="jane", at=MORNING)

    a_plan(book)

    stored = book.plans.get(PLAN)
    assert (stored.state, stored.approved_by, stored.approved_at) == ("approved", "jane", MORNING)


@pytest.mark.parametrize("state", ["applied", "partial", "superseded"])
def test_a_plan_decided_again_after_it_was_applied_is_due_from_the_start(book: ledger.Ledger, state: PlanState):
    """Somebody undid it at the target: yesterday's journal and approval must not answer for today."""
    a_plan(book)
    book.plans.approve(PLAN, by="jane")
    book.journal.done(PLAN, a_run(book), [0, 1])
    book.plans.set_state(PLAN, state)

    a_plan(book)

    stored = book.plans.get(PLAN)
    assert (stored.state, stored.approved_by, stored.approved_at) == ("stored", None, None)
    assert book.journal.entries(PLAN).is_empty()


def test_a_plan_decided_again_while_it_is_applied_leaves_its_journal_alone(book: ledger.Ledger):
    a_plan(book)
    book.plans.set_state(PLAN, "applying")
    book.journal.done(PLAN, a_run(book), [0])

    a_plan(book)

    assert book.journal.entries(PLAN)["status"].to_list() == ["done"]


def test_explanations_of_the_same_plan_are_the_latest(book: ledger.Ledger):
    for reason in ("old", "new"):
        verdicts = pl.DataFrame({"reason": [reason]})
        book.plans.put(PLAN, sync="okta", target=TARGET, header="{}", frames={"verdicts": verdicts})

    assert book.plans.frame(PLAN, "verdicts").collect()["reason"].to_list() == ["new"]


def test_six_characters_name_a_plan_unless_two_begin_alike(book: ledger.Ledger):
    other = PLAN[:-1] + "1"
    a_plan(book)
    assert book.plans.get("7C1F0A").id == PLAN
    a_plan(book, other)

    assert book.plans.get(other).id == other
    with pytest.raises(UnknownRecord, match=rf"2 plans begin with '7c1f0a': {PLAN}, {other}.*Next: write more"):
        book.plans.get("7c1f0a")
    with pytest.raises(UnknownRecord, match="at least 6 characters"):
        book.plans.get("7c1f0")
    with pytest.raises(UnknownRecord, match="no plan '7c1f0b'"):
        book.plans.get("7c1f0b")
    with pytest.raises(UnknownRecord, match="no plan '%%%%%%'"):
        book.plans.get("%%%%%%")


def test_an_approval_names_who_gave_it_and_is_found_by_the_beginning_of_the_id(book: ledger.Ledger):
    a_plan(book)
    book.plans.set_state(PLAN, "held")

    approved = book.plans.approve("7c1f0a", by="jane", at=MORNING)

    assert (approved.state, approved.approved_by, approved.approved_at) == ("approved", "jane", MORNING)
    assert book.plans.get(PLAN) == approved


def test_what_was_decided_on_a_plan_is_kept_in_order_and_the_last_word_counts(book: ledger.Ledger):
    a_plan(book)
    assert book.plans.decisions(PLAN) == []

    rejected = book.plans.decide(PLAN, "reject", by="jane", comment="ask HR", at=MORNING)
    assert (rejected.state, rejected.approved_by) == ("rejected", None)
    book.plans.decide(PLAN, "reject", by="jane", comment="ask HR", at=MORNING + timedelta(minutes=1))
    divided = book.plans.decide(PLAN, "approve additions only", by="joe", at=MORNING + timedelta(minutes=2))
    assert divided.state == "rejected"
    approved = book.plans.decide("7c1f0a", "approve", by="joe", at=MORNING + timedelta(minutes=3))

    assert (approved.state, approved.approved_by) == ("approved", "joe")
    assert book.plans.decisions(PLAN) == [
        Decided("reject", "jane", MORNING, "ask HR"),
        Decided("approve additions only", "joe", MORNING + timedelta(minutes=2), None),
        Decided("approve", "joe", MORNING + timedelta(minutes=3), None),
    ]


def test_the_state_of_a_plan_that_never_was_cannot_be_set(book: ledger.Ledger):
    with pytest.raises(UnknownRecord, match="its state was not set to applied"):
        book.plans.set_state(PLAN, "applied")


def test_plans_are_listed_newest_first_by_sync_and_state(book: ledger.Ledger):
    for minute, sync in enumerate(["okta", "entra", "okta"]):
        book.plans.put(
            f"{minute:064x}",
            sync=sync,
            target=TARGET,
            header="{}",
            frames={},
            created_at=MORNING + timedelta(minutes=minute),
        )
    book.plans.set_state(f"{0:064x}", "held")

    def listed(**only: object) -> list[int]:
        return [int(stored.id, 16) for stored in book.plans.latest(**only)]  # type: ignore[arg-type]

    assert listed() == [2, 1, 0]
    assert listed(sync="okta") == [2, 0]
    assert listed(sync="okta", state="held") == [0]
    assert listed(limit=2) == [2, 1]
