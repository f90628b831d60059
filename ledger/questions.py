"""Questions: flow runs that wait until somebody decides on a held plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import RowMapping, TextClause, text

from ledger.database import Database
from ledger.instant import micros, moment

__all__ = ["Outcome", "Question", "Questions"]

Outcome = Literal["answered", "superseded", "lapsed"]
"""`superseded`: a later run made another plan, or needs none. `lapsed`: nobody decided in time."""

_ASK = text(
    "INSERT INTO questions (flow_run_id, number, plan_id, sync, asked_at, open_until)"
    " SELECT CAST(:flow_run_id AS VARCHAR), COALESCE(MAX(number) + 1, 0), :plan_id, :sync, :asked_at, :open_until"
    " FROM questions WHERE flow_run_id = CAST(:flow_run_id AS VARCHAR)"
)
_LAST = text("SELECT * FROM questions WHERE flow_run_id = :flow_run_id ORDER BY number DESC LIMIT 1")
_OPEN = text(
    "SELECT * FROM questions WHERE outcome IS NULL AND (CAST(:sync AS VARCHAR) IS NULL OR sync = :sync)"
    " ORDER BY asked_at DESC, flow_run_id"
)
_CLOSE = text(
    "UPDATE questions SET outcome = :outcome WHERE flow_run_id = :flow_run_id AND number = :number AND outcome IS NULL"
)


@dataclass(frozen=True)
class Question:
    flow_run_id: str
    number: int
    """Counts from 0: a flow run may ask more than once."""
    plan_id: str
    sync: str
    asked_at: datetime
    open_until: datetime
    outcome: Outcome | None
    """None while it is open, also after `open_until`: only a run can see that nobody decided."""


class Questions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self, flow_run_id: str, plan_id: str, *, sync: str, open_until: datetime, asked_at: datetime | None = None
    ) -> Question:
        """Note that the flow run is about to wait."""
        values = {"flow_run_id": flow_run_id, "plan_id": plan_id, "sync": sync}
        times = {"asked_at": micros(asked_at), "open_until": micros(open_until)}
        with self._database.write() as connection:
            connection.execute(_ASK, {**values, **times})
            found = connection.execute(_LAST, {"flow_run_id": flow_run_id}).mappings().one()
        return _question(found)

    def last_of(self, flow_run_id: str) -> Question | None:
        """The last question of a flow run, open or not."""
        return next(iter(self._select(_LAST, flow_run_id=flow_run_id)), None)

    def open(self, sync: str | None = None) -> list[Question]:
        """Those that nobody has answered, the latest first."""
        return self._select(_OPEN, sync=sync)

    def close(self, question: Question, outcome: Outcome) -> bool:
        """Whether it was open until now."""
        values = {"flow_run_id": question.flow_run_id, "number": question.number, "outcome": outcome}
        with self._database.write() as connection:
            return connection.execute(_CLOSE, values).rowcount == 1

    def _select(self, statement: TextClause, **parameters: object) -> list[Question]:
        with self._database.read() as connection:
            return [_question(row) for row in connection.execute(statement, parameters).mappings()]


def _question(row: RowMapping) -> Question:
    return Question(**{**row, "asked_at": moment(row["asked_at"]), "open_until": moment(row["open_until"])})
