"""Pictures: which one the source was seen to have, which one the account was given, and what is still to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, text

from ledger.database import Database
from ledger.frame import Rows, read_frame, records, write_rows
from ledger.instant import micros

__all__ = ["SEEN", "Pictures", "write_given"]

SEEN: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "made_of": pl.String(),
    "seen": pl.String(),
    "given": pl.String(),
    "asked_at": pl.Datetime("us", "UTC"),
}
"""`seen` and `given` are SHA-256 digests, null for no picture; `made_of` tells whether the source says something else
now."""

_READ = text("SELECT external_id, made_of, seen, given, asked_at FROM pictures WHERE sync = :sync ORDER BY external_id")
_SAW = text(
    "INSERT INTO pictures (sync, external_id, made_of, seen, given, asked_at)"
    " VALUES (:sync, :external_id, :made_of, :seen, NULL, :asked_at)"
    " ON CONFLICT (sync, external_id) DO UPDATE SET made_of = excluded.made_of, seen = excluded.seen,"
    " asked_at = excluded.asked_at"
)
_GAVE = text("UPDATE pictures SET given = :given WHERE sync = :sync AND external_id = :external_id")
_KEEP = text(
    "INSERT INTO picture_contents (digest, content) VALUES (:digest, :content) ON CONFLICT (digest) DO NOTHING"
)
_CONTENT = text("SELECT content FROM picture_contents WHERE digest = :digest")
_PRUNE = text(
    "DELETE FROM picture_contents WHERE NOT EXISTS (SELECT 1 FROM pictures WHERE pictures.seen ="
    " picture_contents.digest AND (pictures.given IS NULL OR pictures.given <> pictures.seen))"
)


class Pictures:
    def __init__(self, database: Database) -> None:
        self._database = database

    def frame(self, sync: str) -> pl.DataFrame:
        """What is known of everybody's picture, schema `SEEN`, sorted by `external_id`."""
        with self._database.read() as connection:
            return read_frame(connection, _READ, {"sync": sync}, SEEN)

    def saw(
        self, sync: str, rows: Rows, contents: Mapping[str, bytes], *, fresh: Rows = (), at: datetime | None = None
    ) -> None:
        """Note what the source has: rows of `external_id`, `made_of` and `seen`, with the PNGs by their digest.

        `fresh` are rows of `external_id` whose account is another one than before, and was given nothing yet.
        """
        with self._database.write() as connection:
            write_rows(connection, _SAW, records(rows, sync=sync, asked_at=micros(at)))
            write_given(connection, sync, [{**row, "given": None} for row in records(fresh)])
            write_rows(connection, _KEEP, [{"digest": key, "content": png} for key, png in contents.items()])

    def content(self, digest: str) -> bytes | None:
        """The PNG of a digest, None where it is kept no more."""
        with self._database.read() as connection:
            found: bytes | None = connection.execute(_CONTENT, {"digest": digest}).scalar_one_or_none()
        return None if found is None else bytes(found)

    def prune(self) -> None:
        """Let go of every PNG that nobody is still to be given."""
        with self._database.write() as connection:
            connection.execute(_PRUNE)


def write_given(connection: Connection, sync: str, rows: Rows) -> None:
    """Note which picture accounts have now: rows of `external_id` and `given`; within a transaction."""
    write_rows(connection, _GAVE, records(rows, sync=sync))
