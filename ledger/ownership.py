"""The groups that a sync has assigned, and so may remove people from even when its file no longer names them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import polars as pl
from sqlalchemy import text

from ledger.database import Database
from ledger.frame import write_rows
from ledger.instant import micros

__all__ = ["FEEDS", "Feed", "Ownership"]

Feed = tuple[str | None, str | None]
"""Id and name of a source group that feeds a target group; both None for a group that everybody gets."""

FEEDS: Mapping[str, pl.DataType] = {"key": pl.String(), "source_id": pl.String(), "source_name": pl.String()}
"""One row a feed: the target group's name, folded, and the feed."""

_READ = text("SELECT name FROM owned_groups WHERE sync = :sync")
_READ_FEEDS = text("SELECT name, feeds FROM group_feeds WHERE sync = :sync ORDER BY name")
_ADD = text(
    "INSERT INTO owned_groups (sync, name, since) VALUES (:sync, :name, :at) ON CONFLICT (sync, name) DO NOTHING"
)
_NOTE = text(
    "INSERT INTO group_feeds (sync, name, feeds) VALUES (:sync, :name, :feeds)"
    " ON CONFLICT (sync, name) DO UPDATE SET feeds = excluded.feeds"
)
_FORGET = text("DELETE FROM group_feeds WHERE sync = :sync AND name = :name")
_REMOVE = text("DELETE FROM owned_groups WHERE sync = :sync AND name = :name")


class Ownership:
    def __init__(self, database: Database) -> None:
        self._database = database

    def groups(self, sync: str) -> frozenset[str]:
        """The target's names of the groups."""
        with self._database.read() as connection:
            return frozenset(connection.execute(_READ, {"sync": sync}).scalars())

    def feeds(self, sync: str) -> pl.DataFrame:
        """What fed the groups when they were last assigned, schema `FEEDS`; nothing of groups of which it was not
        noted."""
        with self._database.read() as connection:
            stored = connection.execute(_READ_FEEDS, {"sync": sync}).all()
        rows = [(name, *feed) for name, feeds in stored for feed in json.loads(feeds)]
        return pl.DataFrame(rows, schema=FEEDS, orient="row")

    def add(
        self,
        sync: str,
        groups: Iterable[str],
        feeds: Mapping[str, Sequence[Feed]] | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        """From now on these groups are the sync's; `feeds` replaces what is noted of the groups that it names,
        folded."""
        moment = micros(at)
        rows = [{"sync": sync, "name": name, "at": moment} for name in groups]
        notes = [{"sync": sync, "name": name, "feeds": json.dumps(fed)} for name, fed in (feeds or {}).items()]
        with self._database.write() as connection:
            write_rows(connection, _ADD, rows)
            write_rows(connection, _NOTE, notes)

    def remove(self, sync: str, groups: Iterable[str]) -> None:
        """From now on these groups are somebody else's."""
        rows = [{"sync": sync, "name": name} for name in groups]
        with self._database.write() as connection:
            write_rows(connection, _REMOVE, rows)
            write_rows(connection, _FORGET, [{**row, "name": row["name"].lower()} for row in rows])
