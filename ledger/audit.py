"""Who asked the HTTP service to change what, from where, and what was answered."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text

from ledger.database import Database
from ledger.instant import micros, moment

__all__ = ["Audit", "AuditEntry"]

_ADD = text(
    "INSERT INTO audit (id, at, token_id, who, client, what, details)"
    " VALUES (:id, :at, :token_id, :who, :client, :what, '{}')"
)
_END = text(
    "UPDATE audit SET status = :status, details = :details, who = COALESCE(who, :who),"
    " token_id = COALESCE(token_id, :token_id) WHERE id = :id"
)
_NOTE = text(
    "INSERT INTO audit (id, at, client, what, status, details) VALUES (:id, :at, :client, :what, :status, :details)"
)
_LATEST = text("SELECT * FROM audit ORDER BY at DESC, id DESC LIMIT :limit")


@dataclass(frozen=True)
class AuditEntry:
    id: str
    at: datetime
    token_id: str | None
    who: str | None
    """The token's name; None where nobody was known."""
    client: str
    what: str
    """Method and path."""
    status: int | None
    """What was answered; None where the service ended before it did."""
    details: dict[str, Any]


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, *, token_id: str | None, who: str | None, client: str, what: str, at: datetime | None = None
    ) -> str:
        """Before anything is done: what is done is never without an entry. Returns the entry's id."""
        entry = secrets.token_hex(8)
        values = {"id": entry, "at": micros(at), "token_id": token_id, "who": who, "client": client, "what": what}
        with self._database.write() as connection:
            connection.execute(_ADD, values)
        return entry

    def end(
        self,
        entry: str,
        *,
        status: int,
        details: Mapping[str, object],
        token_id: str | None = None,
        who: str | None = None,
    ) -> None:
        """What was answered, and what the request was about. Who it was is only added where it was not known."""
        values = {"id": entry, "status": status, "details": json.dumps(details), "token_id": token_id, "who": who}
        with self._database.write() as connection:
            connection.execute(_END, values)

    def note(
        self, *, client: str, what: str, status: int, details: Mapping[str, object], at: datetime | None = None
    ) -> None:
        """Of nobody who is known, and of which nothing was done."""
        values = {"client": client, "what": what, "status": status, "details": json.dumps(details)}
        with self._database.write() as connection:
            connection.execute(_NOTE, {"id": secrets.token_hex(8), "at": micros(at), **values})

    def latest(self, *, limit: int = 20) -> list[AuditEntry]:
        """Newest first."""
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(_LATEST, {"limit": limit}).mappings()]


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(**{**row, "at": moment(row["at"]), "details": json.loads(row["details"])})
