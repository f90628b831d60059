from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy.exc import IntegrityError

import ledger
from ledger.journal import ENTRIES, Consequences
from tests.unit.ledger.entries import PLAN, a_plan, a_run

MORNING = datetime(2026, 11, 24, 6, 5, 12, 345678, tzinfo=UTC)
LATER = MORNING + timedelta(seconds=3)


@pytest.fixture
def run_id(book: ledger.Ledger) -> str:
    a_plan(book)
    return a_run(book)


def test_entries_tell_what_was_sent_and_what_the_target_said(book: ledger.Ledger, run_id: str):
    book.journal.sent(PLAN, run_id, [0, 1], call=7, at=MORNING)
    book.journal.sent(PLAN, run_id, [2], call=8, at=MORNING)
    book.journal.done(PLAN, run_id, [0, 1], at=LATER)
    book.journal.failed(PLAN, run_id, [2], "the account is not there", at=LATER)
    book.journal.skipped(PLAN, run_id, [3], "its account was not created", at=LATER)
    book.journal.sent(PLAN, run_id, [4], call=9, at=LATER)

    entries = book.journal.entries(PLAN)

    assert entries.schema == pl.Schema(ENTRIES)
    assert entries.rows() == [
        (0, "done", None, MORNING, LATER, 7),
        (1, "done", None, MORNING, LATER, 7),
        (2, "failed", "the account is not there", MORNING, LATER, 8),
        (3, "skipped", "its account was not created", None, LATER, None),
        (4, "sent", None, LATER, None, 9),
    ]
    assert book.journal.in_doubt(PLAN).rows() == entries.rows()[4:]
    assert book.journal.entries_of(PLAN, [*range(3, 2_500), 1]).rows() == [entries.row(number) for number in (1, 3, 4)]
    assert book.journal.entries_of(PLAN, []).schema == entries.schema


def test_an_empty_journal_has_its_schema(book: ledger.Ledger):
    assert book.journal.entries(PLAN).schema == pl.Schema(ENTRIES)
    assert book.journal.in_doubt(PLAN).is_empty()


def test_an_operation_that_is_sent_again_is_in_doubt_again(book: ledger.Ledger, run_id: str):
    book.journal.sent(PLAN, run_id, [0], call=1, at=MORNING)
    book.journal.failed(PLAN, run_id, [0], "busy", at=MORNING)

    book.journal.sent(PLAN, run_id, [0], call=2, at=LATER)

    assert book.journal.in_doubt(PLAN).rows() == [(0, "sent", None, LATER, None, 2)]


def test_what_the_target_acknowledged_is_final(book: ledger.Ledger, run_id: str):
    book.journal.sent(PLAN, run_id, [0], call=1, at=MORNING)
    book.journal.done(PLAN, run_id, [0], at=MORNING)

    book.journal.sent(PLAN, run_id, [0], call=2, at=LATER)
    book.journal.failed(PLAN, run_id, [0], "already there", at=LATER)
    book.journal.skipped(PLAN, run_id, [0], "not needed", at=LATER)
    book.journal.done(PLAN, run_id, [0], at=LATER)

    assert book.journal.entries(PLAN).rows() == [(0, "done", None, MORNING, MORNING, 1)]


def test_the_effect_that_was_found_at_the_target_counts_without_having_been_sent(book: ledger.Ledger, run_id: str):
    book.journal.done(PLAN, run_id, [0], at=LATER)

    assert book.journal.entries(PLAN).rows() == [(0, "done", None, None, LATER, None)]


def test_plans_do_not_see_each_others_entries(book: ledger.Ledger, run_id: str):
    other = a_plan(book, "f" * 64)
    book.journal.done(other, run_id, [0])

    assert book.journal.entries(PLAN).is_empty()


def test_an_acknowledgement_and_its_link_are_written_together(book: ledger.Ledger, run_id: str):
    book.memories.remember(
        "okta", [{"external_id": "00u3", "kind": "group", "name": "devs"}], run_id=run_id, plan_id=PLAN
    )
    book.links.put("okta", [{"external_id": "00u2", "account_id": "2", "username": "joe"}])

    book.journal.done(
        PLAN,
        run_id,
        [0],
        at=LATER,
        also=Consequences(
            "okta",
            links=[{"external_id": "00u1", "account_id": None, "username": "jane"}],
            unlinked=["00u2"],
            forgotten=["00u3"],
        ),
    )

    assert book.journal.entries(PLAN)["status"].to_list() == ["done"]
    assert book.links.frame("okta").select("external_id", "username", "linked_at").rows() == [("00u1", "jane", LATER)]
    assert book.memories.frame("okta").is_empty()


def test_neither_is_written_where_one_cannot_be(book: ledger.Ledger, run_id: str):
    nameless = Consequences("okta", links=[{"external_id": "00u1", "username": None}])

    with pytest.raises(IntegrityError):
        book.journal.done(PLAN, run_id, [0], also=nameless)

    assert book.journal.entries(PLAN).is_empty()
    assert book.links.frame("okta").is_empty()


def test_what_will_be_taken_is_remembered_with_the_intent_to_take_it(book: ledger.Ledger, run_id: str):
    taken = [
        {"external_id": "00u1", "kind": "group", "name": "devs"},
        {"external_id": "00u1", "kind": "permission", "name": "SYS_ADMIN"},
    ]

    book.journal.sent(PLAN, run_id, [0], at=MORNING, also=Consequences("okta", memories=taken))

    assert book.memories.frame("okta").rows() == [
        ("00u1", "group", "devs", MORNING, run_id, PLAN),
        ("00u1", "permission", "SYS_ADMIN", MORNING, run_id, PLAN),
    ]


def test_a_journal_needs_its_plan(book: ledger.Ledger, run_id: str):
    with pytest.raises(IntegrityError):
        book.journal.sent("e" * 64, run_id, [0])


def test_an_error_message_shows_nobodys_name(book: ledger.Ledger, run_id: str):
    nameless = Consequences("okta", links=[{"external_id": "jane@corp.example", "username": None}])

    with pytest.raises(IntegrityError) as caught:
        book.journal.done(PLAN, run_id, [0], also=nameless)

    assert "jane@corp.example" not in str(caught.value).partition("DETAIL")[0]


def test_what_one_run_had_acknowledged_is_told_from_what_an_earlier_one_had(book: ledger.Ledger, run_id: str):
    book.journal.done(PLAN, run_id, [2, 0], at=MORNING)
    book.journal.failed(PLAN, run_id, [1], "busy", at=MORNING)
    book.runs.finish(run_id, "partial")
    again = a_run(book)
    book.journal.done(PLAN, again, [0, 1, 2], at=LATER)
    book.journal.sent(PLAN, again, [3], call=1, at=LATER)

    assert book.journal.done_in(PLAN, run_id)["seq"].to_list() == [0, 2]
    assert book.journal.done_in(PLAN, again)["seq"].to_list() == [1]
