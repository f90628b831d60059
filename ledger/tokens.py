"""Tokens of the HTTP service: shown once, kept as a digest, checked in constant time."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast, get_args

from sqlalchemy import RowMapping, text

from directory.errors import ConfigurationError, UnknownRecord
from ledger.database import Database
from ledger.instant import micros, moment, now
from ledger.secret import digest, is_secret_of

__all__ = ["SCOPES", "Scope", "Token", "Tokens"]

Scope = Literal["read", "run", "approve"]
"""`read`: look at everything. `run`: start runs, also for one person. `approve`: decide on held plans. None contains
another."""
SCOPES: tuple[Scope, ...] = get_args(Scope)

_PREFIX = "usersync"
_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 8
_SECRET_BYTES = 32
_USED_EVERY = timedelta(minutes=1)

_ADD = text(
    "INSERT INTO tokens (id, name, scopes, digest, created_at, expires_at)"
    " VALUES (:id, :name, :scopes, :digest, :created_at, :expires_at)"
)
_GET = text("SELECT * FROM tokens WHERE id = :id")
_ALL = text("SELECT * FROM tokens ORDER BY created_at, id")
_USED = text("UPDATE tokens SET used_at = :at WHERE id = :id")
_REVOKE = text("UPDATE tokens SET revoked_at = COALESCE(revoked_at, :at) WHERE id = :id")


@dataclass(frozen=True)
class Token:
    """What is known of a token, without itself."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None

    def good(self, at: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Tokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, name: str, scopes: Collection[Scope], *, expires_at: datetime | None = None, at: datetime | None = None
    ) -> tuple[Token, str]:
        """Make a token; returns it with its text, which is kept nowhere. Raises ConfigurationError."""
        if not name.strip() or not set(scopes) or not set(scopes) <= set(SCOPES):
            raise ConfigurationError(
                f"a token needs a name and at least one scope of {', '.join(SCOPES)}",
                not_done="no token was made",
                next_step="`usersync token add NAME --scope read`",
            )
        token_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
        whole = f"{_PREFIX}_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        values = {
            "id": token_id,
            "name": name.strip(),
            "scopes": " ".join(scope for scope in SCOPES if scope in scopes),
            "digest": digest(whole),
            "created_at": micros(at),
            "expires_at": None if expires_at is None else micros(expires_at),
        }
        with self._database.write() as connection:
            connection.execute(_ADD, values)
            made = _token(connection.execute(_GET, {"id": token_id}).mappings().one())
        return made, whole

    def known(self, whole: str, *, at: datetime | None = None) -> Token | None:
        """The token of that text, if it is good now. Notes that it was used, at most once a minute."""
        present = at or now()
        prefix, _, rest = whole.partition("_")
        token_id = rest.partition("_")[0] if prefix == _PREFIX else ""
        with self._database.read() as connection:
            row = connection.execute(_GET, {"id": token_id}).mappings().one_or_none()
        same = is_secret_of(whole, None if row is None else str(row["digest"]))
        if row is None or not same:
            return None
        token = _token(row)
        if not token.good(present):
            return None
        if token.used_at is None or present - token.used_at >= _USED_EVERY:
            with self._database.write() as connection:
                connection.execute(_USED, {"id": token.id, "at": micros(present)})
        return token

    def good(self, token_id: str, *, at: datetime | None = None) -> Token | None:
        """The token of that id, if it is good now: for who has shown it before."""
        with self._database.read() as connection:
            row = connection.execute(_GET, {"id": token_id}).mappings().one_or_none()
        if row is None:
            return None
        token = _token(row)
        return token if token.good(at or now()) else None

    def all(self) -> list[Token]:
        """All that were ever made, oldest first."""
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(_ALL).mappings()]

    def revoke(self, name: str, *, at: datetime | None = None) -> Token:
        """By its id or its name; of no effect on one that is revoked. Raises UnknownRecord for none and for several."""
        found = [token for token in self.all() if token.id == name]
        found = found or [token for token in self.all() if token.name == name and token.revoked_at is None]
        if len(found) != 1:
            said = f"the ledger has no token {name!r}" if not found else f"{len(found)} tokens are called {name!r}"
            raise UnknownRecord(said, not_done="no token was revoked", next_step="`usersync token list` shows the ids")
        with self._database.write() as connection:
            connection.execute(_REVOKE, {"id": found[0].id, "at": micros(at)})
            return _token(connection.execute(_GET, {"id": found[0].id}).mappings().one())


def _token(row: RowMapping) -> Token:
    known: dict[str, Any] = {name: moment(row[name]) for name in ("expires_at", "used_at", "revoked_at")}
    scopes = cast("tuple[Scope, ...]", tuple(str(row["scopes"]).split()))
    return Token(id=row["id"], name=row["name"], scopes=scopes, created_at=moment(row["created_at"]), **known)
