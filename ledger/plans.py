"""Plans: stored by the digest of their content, applied exactly as they were reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl
from sqlalchemy import Connection, RowMapping, text

from directory.errors import UnknownRecord
from ledger.database import Database
from ledger.frame import dump, load
from ledger.instant import micros, moment
from ledger.record import by_prefix

__all__ = ["Decided", "Decision", "PlanState", "Plans", "StoredPlan"]

PlanState = Literal["stored", "held", "approved", "rejected", "applying", "applied", "partial", "superseded"]

Decision = Literal["approve", "approve additions only", "reject"]
"""What somebody says of a held plan. Of the additions only: the plan itself stays held, see `reconcile.additions`."""

SHORTEST_PREFIX = 6

_PUT = text(
    "INSERT INTO plans (id, sync, target, state, created_at, header)"
    " VALUES (:id, :sync, :target, 'stored', :created_at, :header) ON CONFLICT (id) DO NOTHING"
)
_REOPEN = text(
    "UPDATE plans SET state = 'stored', created_at = :created_at, approved_by = NULL, approved_at = NULL"
    " WHERE id = :id AND state IN ('applied', 'partial', 'superseded')"
)
_FORGET_JOURNAL = text("DELETE FROM journal WHERE plan_id = :id")
_PUT_FRAME = text(
    "INSERT INTO plan_frames (plan_id, name, content) VALUES (:id, :name, :content)"
    " ON CONFLICT (plan_id, name) DO UPDATE SET content = excluded.content"
)
_BY_PREFIX = text("SELECT * FROM plans WHERE substr(id, 1, length(:prefix)) = :prefix")
_FRAME = text("SELECT content FROM plan_frames WHERE plan_id = :id AND name = :name")
_SET_STATE = text("UPDATE plans SET state = :state WHERE id = :id")
_APPROVE = text("UPDATE plans SET state = 'approved', approved_by = :by, approved_at = :at WHERE id = :id")
_REJECT = text("UPDATE plans SET state = 'rejected', approved_by = NULL, approved_at = NULL WHERE id = :id")
_DECIDE = text(
    "INSERT INTO decisions (plan_id, number, decision, decided_by, decided_at, comment)"
    " SELECT CAST(:id AS VARCHAR), COALESCE(MAX(number) + 1, 0), :decision, :by, :at, :comment"
    " FROM decisions WHERE plan_id = CAST(:id AS VARCHAR)"
)
_DECISIONS = text("SELECT decision, decided_by, decided_at, comment FROM decisions WHERE plan_id = :id ORDER BY number")
_LATEST = text(
    "SELECT * FROM plans WHERE (CAST(:sync AS VARCHAR) IS NULL OR sync = :sync)"
    " AND (CAST(:state AS VARCHAR) IS NULL OR state = :state) ORDER BY created_at DESC, id LIMIT :limit"
)


@dataclass(frozen=True)
class StoredPlan:
    """What the ledger knows of a plan, without its frames."""

    id: str
    sync: str
    target: str
    state: PlanState
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    header: str
    """JSON object, as it was given."""


@dataclass(frozen=True)
class Decided:
    """What somebody decided on a plan, and when."""

    decision: Decision
    by: str
    at: datetime
    comment: str | None


class Plans:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        plan_id: str,
        *,
        sync: str,
        target: str,
        header: str,
        frames: Mapping[str, pl.DataFrame],
        created_at: datetime | None = None,
    ) -> StoredPlan:
        """Store a plan just decided, with its frames by name, and return what is known of it.

        The same id twice is the same plan: what was approved stays approved, and one that is being applied is left
        alone. One that was applied before and is decided again is due again (somebody undid it at the target), so it
        starts afresh: its journal, and an approval given then, do not count for it.
        """
        contents = {name: dump(frame) for name, frame in frames.items()}
        values = {"id": plan_id, "sync": sync, "target": target, "header": header, "created_at": micros(created_at)}
        with self._database.write() as connection:
            connection.execute(_PUT, values)
            reopened = connection.execute(_REOPEN, {"id": plan_id, "created_at": values["created_at"]})
            if reopened.rowcount:
                connection.execute(_FORGET_JOURNAL, {"id": plan_id})
            stored = _get(connection, plan_id)
            if stored.state != "applying":
                for name, content in contents.items():
                    connection.execute(_PUT_FRAME, {"id": plan_id, "name": name, "content": content})
        return stored

    def get(self, plan_id: str) -> StoredPlan:
        """By the id, or at least six characters of its beginning that no other plan shares. Raises UnknownRecord."""
        with self._database.read() as connection:
            return _get(connection, plan_id)

    def frame(self, plan_id: str, name: str) -> pl.LazyFrame:
        """One frame of a plan, by the full id. Raises UnknownRecord."""
        with self._database.read() as connection:
            content = connection.execute(_FRAME, {"id": plan_id, "name": name}).scalar_one_or_none()
        if content is None:
            raise UnknownRecord(
                f"the ledger has no frame {name!r} of a plan {plan_id!r}",
                not_done="the plan was not read",
                next_step="decide it again with `usersync plan`",
            )
        return load(content)

    def set_state(self, plan_id: str, state: PlanState) -> None:
        """By the full id. Raises UnknownRecord."""
        with self._database.write() as connection:
            changed = connection.execute(_SET_STATE, {"id": plan_id, "state": state})
            if changed.rowcount != 1:
                raise UnknownRecord(f"the ledger has no plan {plan_id!r}", not_done=f"its state was not set to {state}")

    def approve(self, plan_id: str, *, by: str, comment: str | None = None, at: datetime | None = None) -> StoredPlan:
        """Note who let the plan through; by the id or its beginning. Raises UnknownRecord."""
        return self.decide(plan_id, "approve", by=by, comment=comment, at=at)

    def decide(
        self, plan_id: str, decision: Decision, *, by: str, comment: str | None = None, at: datetime | None = None
    ) -> StoredPlan:
        """Note what somebody decided on a plan, by the id or its beginning. Raises UnknownRecord.

        The same person saying the same again changes nothing.
        """
        with self._database.write() as connection:
            full_id = _get(connection, plan_id).id
            said = _decisions(connection, full_id)
            if not said or (said[-1].decision, said[-1].by, said[-1].comment) != (decision, by, comment):
                values = {"id": full_id, "decision": decision, "by": by, "at": micros(at), "comment": comment}
                connection.execute(_DECIDE, values)
            if decision == "approve":
                connection.execute(_APPROVE, {"id": full_id, "by": by, "at": micros(at)})
            elif decision == "reject":
                connection.execute(_REJECT, {"id": full_id})
            return _get(connection, full_id)

    def decisions(self, plan_id: str) -> list[Decided]:
        """All that was decided on a plan, by the full id, the last one last."""
        with self._database.read() as connection:
            return _decisions(connection, plan_id)

    def latest(self, *, sync: str | None = None, state: PlanState | None = None, limit: int = 20) -> list[StoredPlan]:
        """The latest plans, newest first."""
        with self._database.read() as connection:
            found = connection.execute(_LATEST, {"sync": sync, "state": state, "limit": limit})
            return [_plan(row) for row in found.mappings()]


def _get(connection: Connection, plan_id: str) -> StoredPlan:
    return _plan(by_prefix(connection, _BY_PREFIX, plan_id, noun="plan", shortest=SHORTEST_PREFIX))


def _decisions(connection: Connection, plan_id: str) -> list[Decided]:
    found = connection.execute(_DECISIONS, {"id": plan_id}).all()
    return [Decided(decision, by, moment(at), comment) for decision, by, at, comment in found]


def _plan(row: RowMapping) -> StoredPlan:
    return StoredPlan(**{**row, "created_at": moment(row["created_at"]), "approved_at": moment(row["approved_at"])})
