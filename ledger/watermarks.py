"""Watermarks: up to where something was read, such as a delta token or an ETag."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from ledger.database import Database
from ledger.instant import micros

__all__ = ["Watermarks"]

_GET = text("SELECT value FROM watermarks WHERE sync = :sync AND name = :name")
_PUT = text(
    "INSERT INTO watermarks (sync, name, value, updated_at) VALUES (:sync, :name, :value, :at)"
    " ON CONFLICT (sync, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
)


class Watermarks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, sync: str, name: str) -> str | None:
        with self._database.read() as connection:
            value: str | None = connection.execute(_GET, {"sync": sync, "name": name}).scalar_one_or_none()
            return value

    def put(self, sync: str, name: str, value: str, *, at: datetime | None = None) -> None:
        with self._database.write() as connection:
            connection.execute(_PUT, {"sync": sync, "name": name, "value": value, "at": micros(at)})
