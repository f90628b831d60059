"""The groups that a sync has assigned, and so may remove people from even when its file no longer names them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text

from ledger.database import Database
from ledger.frame import write_rows
from ledger.instant import micros

__all__ = ["Ownership"]

_READ = text("SELECT name FROM owned_groups WHERE sync = :sync")
_ADD = text(
    "INSERT INTO owned_groups (sync, name, since) VALUES (:sync, :name, :at) ON CONFLICT (sync, name) DO NOTHING"
)
_REMOVE = text("DELETE FROM owned_groups WHERE sync = :sync AND name = :name")


class Ownership:
    def __init__(self, database: Database) -> None:
        self._database = database

    def groups(self, sync: str) -> frozenset[str]:
        """The target's names of the groups."""
        with self._database.read() as connection:
            return frozenset(connection.execute(_READ, {"sync": sync}).scalars())

    def add(self, sync: str, groups: Iterable[str], *, at: datetime | None = None) -> None:
        moment = micros(at)
        rows = [{"sync": sync, "name": name, "at": moment} for name in groups]
        with self._database.write() as connection:
            write_rows(connection, _ADD, rows)

    def remove(self, sync: str, groups: Iterable[str]) -> None:
        """From now on these groups are somebody else's."""
        rows = [{"sync": sync, "name": name} for name in groups]
        with self._database.write() as connection:
            write_rows(connection, _REMOVE, rows)
