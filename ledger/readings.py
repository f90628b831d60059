"""The last reading of a source that was acted upon, from which an incremental source goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import text

from ledger.database import Database
from ledger.frame import dump, load
from ledger.instant import micros, moment

__all__ = ["Readings", "StoredReading"]

_GET = text("SELECT watermark, read_at, full_at FROM readings WHERE sync = :sync")
_GET_FULL_AT = text("SELECT full_at FROM readings WHERE sync = :sync")
_GET_FRAMES = text("SELECT name, content FROM reading_frames WHERE sync = :sync")
_PUT = text(
    "INSERT INTO readings (sync, watermark, read_at, full_at) VALUES (:sync, :watermark, :read_at, :full_at)"
    " ON CONFLICT (sync) DO UPDATE SET watermark = excluded.watermark, read_at = excluded.read_at,"
    " full_at = excluded.full_at"
)
_PUT_FRAME = text(
    "INSERT INTO reading_frames (sync, name, content) VALUES (:sync, :name, :content)"
    " ON CONFLICT (sync, name) DO UPDATE SET content = excluded.content"
)
_DROP = text("DELETE FROM readings WHERE sync = :sync")
_DROP_FRAMES = text("DELETE FROM reading_frames WHERE sync = :sync")


@dataclass(frozen=True)
class StoredReading:
    frames: Mapping[str, pl.DataFrame]
    """By name, as they were put."""
    watermark: str
    read_at: datetime
    full_at: datetime
    """When everything was read for the last time; later readings went on from there."""


class Readings:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, sync: str) -> StoredReading | None:
        with self._database.read() as connection:
            row = connection.execute(_GET, {"sync": sync}).one_or_none()
            found = [] if row is None else connection.execute(_GET_FRAMES, {"sync": sync}).all()
        if row is None:
            return None
        watermark, read_at, full_at = row
        frames = {name: load(content).collect() for name, content in found}
        return StoredReading(frames, watermark, moment(read_at), moment(full_at))

    def full_at(self, sync: str) -> datetime | None:
        """When everything was read for the last time, without loading a frame; None where there is no reading."""
        with self._database.read() as connection:
            return moment(connection.execute(_GET_FULL_AT, {"sync": sync}).scalar_one_or_none())

    def put(self, sync: str, reading: StoredReading) -> None:
        """Replace the reading, frames and watermark together: one without the other would lose or repeat changes."""
        contents = {name: dump(frame) for name, frame in reading.frames.items()}
        values = {
            "sync": sync,
            "watermark": reading.watermark,
            "read_at": micros(reading.read_at),
            "full_at": micros(reading.full_at),
        }
        with self._database.write() as connection:
            connection.execute(_PUT, values)
            for name, content in contents.items():
                connection.execute(_PUT_FRAME, {"sync": sync, "name": name, "content": content})

    def forget(self, sync: str) -> None:
        """The next read is a full one."""
        with self._database.write() as connection:
            connection.execute(_DROP, {"sync": sync})
            connection.execute(_DROP_FRAMES, {"sync": sync})
