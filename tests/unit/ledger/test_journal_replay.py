"""Any order of what can be written to a journal leaves entries that a few lines of plain Python agree with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ledger
from tests.unit.ledger.entries import a_plan, a_run

_PLANS = count(1)
_BEGIN = datetime(2026, 11, 24, tzinfo=UTC)
_ACTIONS = st.tuples(
    st.sampled_from(["sent", "done", "failed", "skipped"]),
    st.lists(st.integers(0, 5), unique=True, max_size=4),
)


class Model:
    def __init__(self) -> None:
        self.entries: dict[int, dict[str, Any]] = {}

    def write(self, status: str, seqs: Iterable[int], call: int, at: datetime) -> None:
        for seq in seqs:
            entry = self.entries.setdefault(
                seq, {"seq": seq, "status": "", "error": None, "sent_at": None, "at": None, "call": None}
            )
            if entry["status"] == "done":
                continue
            if status == "sent":
                entry |= {"status": status, "error": None, "sent_at": at, "at": None, "call": call}
            else:
                error = f"{status} at call {call}" if status != "done" else None
                entry |= {"status": status, "error": error, "at": at}

    def rows(self) -> list[dict[str, Any]]:
        return [self.entries[seq] for seq in sorted(self.entries)]


@given(actions=st.lists(_ACTIONS, max_size=25))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example has a plan of its own
def test_entries_follow_any_order_of_events(book: ledger.Ledger, actions: list[tuple[str, list[int]]]):
    plan_id = a_plan(book, f"{next(_PLANS):064x}")
    run_id = a_run(book)
    journal, model = book.journal, Model()

    for call, (status, seqs) in enumerate(actions):
        at = _BEGIN + timedelta(seconds=call)
        match status:
            case "sent":
                journal.sent(plan_id, run_id, seqs, call=call, at=at)
            case "done":
                journal.done(plan_id, run_id, seqs, at=at)
            case "failed":
                journal.failed(plan_id, run_id, seqs, f"failed at call {call}", at=at)
            case "skipped":
                journal.skipped(plan_id, run_id, seqs, f"skipped at call {call}", at=at)
        model.write(status, seqs, call, at)

    assert journal.entries(plan_id).to_dicts() == model.rows()
    assert journal.in_doubt(plan_id).to_dicts() == [row for row in model.rows() if row["status"] == "sent"]
