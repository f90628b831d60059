"""Memories: the access and the names that were taken from an account, so that a returner can have them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, text

from ledger.database import Database
from ledger.frame import Rows, read_frame, records, write_rows
from ledger.instant import micros

__all__ = ["MEMORIES", "Memories", "delete_memories", "write_memories"]

MEMORIES: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "kind": pl.String(),
    "name": pl.String(),
    "removed_at": pl.Datetime("us", "UTC"),
    "run_id": pl.String(),
    "plan_id": pl.String(),
}
"""`kind` is `group` or `permission` and `name` the target's name of it; or `kind` is `username`, `email` or
`display_name` and `name` the value that an anonymised account had."""

_READ = text(
    "SELECT external_id, kind, name, removed_at, run_id, plan_id FROM memories"
    " WHERE sync = :sync ORDER BY external_id, kind, name"
)
_OF_ONE = text(str(_READ).replace(" ORDER BY", " AND external_id = :external_id ORDER BY"))
_WRITE = text(
    "INSERT INTO memories (sync, external_id, kind, name, removed_at, run_id, plan_id)"
    " VALUES (:sync, :external_id, :kind, :name, :at, :run_id, :plan_id)"
    " ON CONFLICT (sync, external_id, kind, name) DO UPDATE SET"
    " removed_at = excluded.removed_at, run_id = excluded.run_id, plan_id = excluded.plan_id"
)
_DELETE = text("DELETE FROM memories WHERE sync = :sync AND external_id = :external_id")


class Memories:
    def __init__(self, database: Database) -> None:
        self._database = database

    def frame(self, sync: str) -> pl.DataFrame:
        """All memories of a sync, schema `MEMORIES`, sorted."""
        with self._database.read() as connection:
            return read_frame(connection, _READ, {"sync": sync}, MEMORIES)

    def of(self, sync: str, external_id: str) -> pl.DataFrame:
        """Those of one person, as `frame`."""
        with self._database.read() as connection:
            return read_frame(connection, _OF_ONE, {"sync": sync, "external_id": external_id}, MEMORIES)

    def remember(self, sync: str, rows: Rows, *, run_id: str, plan_id: str, at: datetime | None = None) -> None:
        """Note what is about to be taken away: rows of `external_id`, `kind` and `name`.

        Before the call is sent, not after: access that was taken and not remembered would be lost for good.
        """
        with self._database.write() as connection:
            write_memories(connection, sync, rows, run_id=run_id, plan_id=plan_id, at=micros(at))

    def forget(self, sync: str, external_ids: Iterable[str]) -> None:
        """Drop all that is remembered of people whose access was restored."""
        with self._database.write() as connection:
            delete_memories(connection, sync, external_ids)


def write_memories(connection: Connection, sync: str, rows: Rows, *, run_id: str, plan_id: str, at: int) -> None:
    """As `Memories.remember`, within a transaction; `at` in microseconds."""
    parameters = records(rows, sync=sync, run_id=run_id, plan_id=plan_id, at=at)
    write_rows(connection, _WRITE, parameters)


def delete_memories(connection: Connection, sync: str, external_ids: Iterable[str]) -> None:
    """As `Memories.forget`, within a transaction."""
    parameters = [{"sync": sync, "external_id": external_id} for external_id in external_ids]
    write_rows(connection, _DELETE, parameters)
