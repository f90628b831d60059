from __future__ import annotations

from datetime import UTC, datetime, timedelta

import ledger
from ledger.questions import Question
from tests.unit.ledger.entries import PLAN

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(hours=24)


def asked(book: ledger.Ledger, flow_run_id: str, plan_id: str = PLAN, *, sync: str = "okta") -> Question:
    return book.questions.ask(flow_run_id, plan_id, sync=sync, open_until=UNTIL, asked_at=NOON)


def test_a_flow_run_may_ask_more_than_once_and_its_questions_are_told_apart(book: ledger.Ledger):
    first = asked(book, "run-1")
    assert first == Question("run-1", 0, PLAN, "okta", NOON, UNTIL, None)
    second = asked(book, "run-1")

    assert second.number == 1
    assert asked(book, "run-2").number == 0
    assert book.questions.last_of("run-1") == second
    assert book.questions.last_of("run-3") is None


def test_a_question_is_closed_once(book: ledger.Ledger):
    question, other = asked(book, "run-1"), asked(book, "run-2", sync="entra")

    assert book.questions.close(question, "answered")
    assert not book.questions.close(question, "superseded")

    last = book.questions.last_of("run-1")
    assert last is not None
    assert last.outcome == "answered"
    assert book.questions.open() == [other]
    assert book.questions.open("okta") == []
