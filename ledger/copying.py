"""One ledger into another place: a backup, a backup brought back, a move from SQLite to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from directory.errors import ConfigurationError
from ledger.database import Database

__all__ = ["copy"]

_AT_ONCE = 200
"""Rows that are held in memory together; those of frames may have megabytes."""

_OF_THE_PRESENT = frozenset({"leases"})
"""What a copy must not say: who holds a target at this moment."""


def copy(source: Database, destination: Database) -> dict[str, int]:
    """Copy every row, as the source has them at one instant, in one transaction. Returns how many, by table.

    Both have the tables of this program's version. Raises ConfigurationError where the destination holds anything.
    """
    from ledger.schema import Table  # noqa: PLC0415 -- imports SQLModel, which only this and a fresh ledger need

    tables = Table.metadata.sorted_tables
    copied: dict[str, int] = {}
    with source.read_steadily() as reading, destination.write() as writing:
        for table in tables:
            if writing.execute(select(func.count()).select_from(table)).scalar_one():
                raise ConfigurationError(
                    "there is a ledger already, and it is not empty",
                    subject=destination.location,
                    not_done="nothing was copied",
                    next_step="name a file that does not exist or an empty database, or move this ledger away",
                )
        for table in tables:
            if table.name in _OF_THE_PRESENT:
                continue
            copied[table.name] = 0
            for rows in _pages(reading, table):
                writing.execute(table.insert(), rows)
                copied[table.name] += len(rows)
    return copied


def _pages(connection: Connection, table: Any) -> Iterator[list[dict[str, Any]]]:
    found = connection.execution_options(yield_per=_AT_ONCE).execute(select(table))
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]
