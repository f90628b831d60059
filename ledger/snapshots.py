"""What both sides looked like when they were last read, for questions that are answered without asking them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl
from sqlalchemy import text

from ledger.database import Database
from ledger.frame import dump, load
from ledger.instant import micros, moment

__all__ = ["Side", "Snapshots", "StoredSnapshot", "content_digest"]

Side = Literal["source", "target", "acted_on"]
"""`source` and `target` as they were last read, `acted_on` the source that was last applied wholly or found done."""

_GET = text("SELECT read_at, about FROM snapshots WHERE sync = :sync AND side = :side")
_GET_DIGEST = text("SELECT digest FROM snapshots WHERE sync = :sync AND side = :side")
_GET_FRAMES = text("SELECT name, content FROM snapshot_frames WHERE sync = :sync AND side = :side")
_GET_FRAME = text("SELECT content FROM snapshot_frames WHERE sync = :sync AND side = :side AND name = :name")
_PUT = text(
    "INSERT INTO snapshots (sync, side, read_at, digest, about) VALUES (:sync, :side, :read_at, :digest, :about)"
    " ON CONFLICT (sync, side) DO UPDATE SET read_at = excluded.read_at, digest = excluded.digest,"
    " about = excluded.about"
)
_PUT_FRAME = text(
    "INSERT INTO snapshot_frames (sync, side, name, content) VALUES (:sync, :side, :name, :content)"
    " ON CONFLICT (sync, side, name) DO UPDATE SET content = excluded.content"
)


@dataclass(frozen=True)
class StoredSnapshot:
    frames: Mapping[str, pl.DataFrame]
    """By name, as they were put."""
    read_at: datetime
    about: Mapping[str, Any]
    """What else belongs to it; a JSON object."""


class Snapshots:
    """Of each sync and side the latest alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, sync: str, side: Side) -> StoredSnapshot | None:
        key = {"sync": sync, "side": side}
        with self._database.read() as connection:
            row = connection.execute(_GET, key).one_or_none()
            found = [] if row is None else connection.execute(_GET_FRAMES, key).all()
        if row is None:
            return None
        read_at, about = row
        frames = {name: load(content).collect() for name, content in found}
        return StoredSnapshot(frames, moment(read_at), json.loads(about))

    def frame(self, sync: str, side: Side, name: str) -> pl.LazyFrame | None:
        """One frame of a snapshot, None where there is none; only what is asked of it is decoded."""
        with self._database.read() as connection:
            content = connection.execute(_GET_FRAME, {"sync": sync, "side": side, "name": name}).scalar_one_or_none()
        return None if content is None else load(content)

    def put(self, sync: str, side: Side, snapshot: StoredSnapshot) -> None:
        """Replace what is stored. Frames that hold the same rows are not written again, whatever their order."""
        key = {"sync": sync, "side": side}
        digest = content_digest(snapshot.frames)
        about = json.dumps(snapshot.about)
        values = {**key, "read_at": micros(snapshot.read_at), "digest": digest, "about": about}
        with self._database.read() as connection:
            known = connection.execute(_GET_DIGEST, key).scalar_one_or_none()
        contents = {} if known == digest else {name: dump(frame) for name, frame in snapshot.frames.items()}
        with self._database.write() as connection:
            connection.execute(_PUT, values)
            for name, content in contents.items():
                connection.execute(_PUT_FRAME, {**key, "name": name, "content": content})


def content_digest(frames: Mapping[str, pl.DataFrame]) -> str:
    """The same for the same rows in any order; compares what one version of Polars wrote with what it would write."""
    parts = [pl.__version__]
    for name, frame in sorted(frames.items()):
        rows = frame.hash_rows() if frame.height and frame.width else pl.Series(dtype=pl.UInt64)
        # Sums of halves: a sum of 64 bit numbers would overflow, and an exclusive or would lose rows that come twice.
        halves = (int((rows & 0xFFFFFFFF).sum() or 0), int((rows // 2**32).sum() or 0))
        parts.append(f"{name} {frame.schema} {frame.height} {halves}")
    return "\n".join(parts)
