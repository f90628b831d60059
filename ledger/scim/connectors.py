"""Connectors and their tokens: who may push, and to where."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from directory.errors import ConfigurationError, UnknownRecord
from ledger.database import Database
from ledger.instant import micros, moment, now
from ledger.secret import digest, is_secret_of

__all__ = ["Authentic", "Connector", "Connectors", "Networks", "NewToken", "Token"]

Networks = tuple[IPv4Network | IPv6Network, ...]

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""No underscore: Okta takes no base URL that has one."""
_ADDRESS: Final = re.compile(r"https?://[^\s/?#\"\\]+(?:/[^\s?#\"\\]*)?")
_TOKEN: Final = re.compile(r"scim_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_LAST_USE_EVERY: Final = 60_000_000
"""Microseconds."""

_ADD: Final = text(
    "INSERT INTO scim_connectors (id, slug, base_url, strict, schemas, created_at, allowed)"
    " VALUES (:id, :slug, :base_url, :strict, :schemas, :created_at, :allowed)"
)
_OPEN_WITH_SLUG: Final = text("SELECT * FROM scim_connectors WHERE slug = :slug AND revoked_at IS NULL")
_ALL: Final = text("SELECT * FROM scim_connectors ORDER BY revoked_at IS NOT NULL, slug, created_at")
_REVOKE: Final = text("UPDATE scim_connectors SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL")
_ALLOW: Final = text("UPDATE scim_connectors SET allowed = :allowed WHERE id = :id AND revoked_at IS NULL")
_ALLOWED: Final = text("SELECT slug, allowed FROM scim_connectors WHERE revoked_at IS NULL AND allowed IS NOT NULL")
_LOCK: Final = text("SELECT pg_advisory_xact_lock(7306932476)")
_ADD_TOKEN: Final = text(
    "INSERT INTO scim_tokens (id, connector_id, digest, created_at, expires_at)"
    " VALUES (:id, :connector_id, :digest, :created_at, :expires_at)"
)
_TOKENS: Final = text("SELECT * FROM scim_tokens WHERE connector_id = :connector_id ORDER BY created_at, id")
_TOKEN_OF_SLUG: Final = text(
    "SELECT t.*, c.slug, c.base_url, c.strict, c.schemas, c.allowed, c.created_at AS connector_created_at"
    " FROM scim_tokens t JOIN scim_connectors c ON c.id = t.connector_id"
    " WHERE t.id = :id AND c.slug = :slug AND c.revoked_at IS NULL"
)
_REVOKE_TOKEN: Final = text(
    "UPDATE scim_tokens SET revoked_at = :at WHERE id = :id AND connector_id = :connector_id AND revoked_at IS NULL"
)
_USED: Final = text(
    "UPDATE scim_tokens SET last_used_at = :at WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :at)"
)


@dataclass(frozen=True)
class Connector:
    """One identity provider that pushes."""

    id: str
    slug: str
    base_url: str | None
    strict: bool
    schemas: tuple[Mapping[str, Any], ...]
    created_at: datetime
    revoked_at: datetime | None = None
    allowed: Networks = ()
    """From where it may be pushed to; from anywhere where empty."""


@dataclass(frozen=True)
class Token:
    """What is known of a bearer token; not the token."""

    id: str
    connector_id: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now())


@dataclass(frozen=True)
class NewToken:
    """A token at the only moment at which it is known."""

    id: str
    secret: str


@dataclass(frozen=True)
class Authentic:
    """A token that was shown and is good, and its connector."""

    connector: Connector
    token: Token


class Connectors:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        slug: str,
        *,
        base_url: str | None = None,
        strict: bool = False,
        schemas: Sequence[Mapping[str, Any]] = (),
        allowed: Networks = (),
    ) -> Connector:
        """A new connector, without a token yet.

        Raises ConfigurationError for a slug that cannot be or is taken, and for a base URL that is none.
        """
        if not _SLUG.fullmatch(slug):
            raise ConfigurationError(
                "a connector is named by up to 63 small letters, digits and hyphens, and neither begins nor ends with"
                " a hyphen",
                subject=slug,
                not_done="no connector was added",
                next_step="choose another name, such as entra or okta-eu",
            )
        made = Connector(secrets.token_hex(8), slug, base_url, strict, tuple(schemas), now(), allowed=allowed)
        if base_url is not None and not _ADDRESS.fullmatch(base_url):
            raise ConfigurationError(
                "this is no address that an answer can begin with",
                subject=base_url,
                not_done="no connector was added",
                next_step="give scheme, host and perhaps a path, such as https://scim.example.com",
            )
        with self._database.write_durably() as connection:
            if not self._database.sqlite:
                connection.execute(_LOCK)
            if connection.execute(_OPEN_WITH_SLUG, {"slug": slug}).first():
                raise ConfigurationError(
                    "there is a connector of this name already",
                    subject=slug,
                    not_done="no connector was added",
                    next_step="choose another name, or revoke that one first",
                )
            connection.execute(
                _ADD,
                {
                    "id": made.id,
                    "slug": slug,
                    "base_url": base_url,
                    "strict": strict,
                    "schemas": json.dumps([dict(schema) for schema in schemas]),
                    "created_at": micros(made.created_at),
                    "allowed": _written(allowed),
                },
            )
        return made

    def get(self, slug: str) -> Connector:
        """The open connector of that name. Raises UnknownRecord."""
        with self._database.read() as connection:
            row = connection.execute(_OPEN_WITH_SLUG, {"slug": slug}).mappings().first()
        if row is None:
            raise UnknownRecord(
                "there is no such connector",
                subject=slug,
                next_step="`usersync scim list` names those there are, `usersync scim add` adds one",
            )
        return _connector(row)

    def all(self) -> list[Connector]:
        """The open ones by name, then the revoked ones."""
        with self._database.read() as connection:
            return [_connector(row) for row in connection.execute(_ALL).mappings()]

    def revoke(self, slug: str) -> Connector:
        """Let nobody push to it any more. What was pushed stays. Raises UnknownRecord."""
        found = self.get(slug)
        with self._database.write_durably() as connection:
            connection.execute(_REVOKE, {"id": found.id, "at": micros(now())})
        return found

    def allow(self, slug: str, allowed: Networks) -> Connector:
        """Take pushes from these networks alone from now on, or from anywhere. Raises UnknownRecord."""
        found = self.get(slug)
        with self._database.write_durably() as connection:
            connection.execute(_ALLOW, {"id": found.id, "allowed": _written(allowed)})
        return self.get(slug)

    def allowed(self) -> dict[str, Networks]:
        """The networks of each open connector that is not pushed to from anywhere, by its name."""
        with self._database.read() as connection:
            return {row[0]: _read(row[1]) for row in connection.execute(_ALLOWED)}

    def add_token(self, slug: str, *, expires_at: datetime | None = None) -> NewToken:
        """A further token; those there are stay good, so that a client can change over. Raises UnknownRecord."""
        found = self.get(slug)
        token_id = secrets.token_hex(6)
        secret = f"scim_{token_id}_{secrets.token_urlsafe(32)}"
        with self._database.write_durably() as connection:
            connection.execute(
                _ADD_TOKEN,
                {
                    "id": token_id,
                    "connector_id": found.id,
                    "digest": digest(secret),
                    "created_at": micros(now()),
                    "expires_at": None if expires_at is None else micros(expires_at),
                },
            )
        return NewToken(token_id, secret)

    def tokens(self, connector: Connector) -> list[Token]:
        with self._database.read() as connection:
            found = connection.execute(_TOKENS, {"connector_id": connector.id}).mappings()
            return [_token(row) for row in found]

    def revoke_token(self, slug: str, token_id: str) -> None:
        """Raises UnknownRecord where the connector has no such token that is still good."""
        found = self.get(slug)
        with self._database.write_durably() as connection:
            done = connection.execute(
                _REVOKE_TOKEN, {"id": token_id, "connector_id": found.id, "at": micros(now())}
            ).rowcount
        if not done:
            raise UnknownRecord(
                "this connector has no such token, or it is revoked already",
                subject=f"{slug} {token_id}",
                next_step="`usersync scim list` names the tokens",
            )

    def authenticate(self, slug: str, presented: str) -> Authentic | None:
        """Whose token this is, where it is a good one of that connector; None otherwise, whatever the reason.

        One statement and one comparison in constant time, whether there is such a connector and token or not.
        """
        with self._database.read() as connection:
            return authenticate(connection, slug, presented)

    def note_use(self, token: Token) -> None:
        """Note that it was used now, where that is not known of the last minute."""
        at = micros(now())
        if token.last_used_at is not None and at - micros(token.last_used_at) < _LAST_USE_EVERY:
            return
        with self._database.write() as connection:
            connection.execute(_USED, {"id": token.id, "at": at})


def authenticate(connection: Connection, slug: str, presented: str) -> Authentic | None:
    """As `Connectors.authenticate`, in a transaction that is open."""
    shape = _TOKEN.fullmatch(presented)
    wanted = {"id": shape.group(1) if shape else "", "slug": slug}
    row = connection.execute(_TOKEN_OF_SLUG, wanted).mappings().first()
    same = is_secret_of(presented, None if row is None else str(row["digest"]))
    if row is None or not same:
        return None
    token = _token(row)
    if not token.live:
        return None
    connector = {"id": row["connector_id"], "created_at": row["connector_created_at"], "revoked_at": None}
    return Authentic(_connector({**row, **connector}), token)


def _written(allowed: Networks) -> str | None:
    return json.dumps([str(each) for each in allowed]) if allowed else None


def _read(allowed: str | None) -> Networks:
    return () if allowed is None else tuple(ip_network(each) for each in json.loads(allowed))


def _connector(row: RowMapping | Mapping[str, Any]) -> Connector:
    return Connector(
        id=row["id"],
        slug=row["slug"],
        base_url=row["base_url"],
        strict=bool(row["strict"]),
        schemas=tuple(json.loads(row["schemas"])),
        created_at=moment(int(row["created_at"])),
        revoked_at=moment(row["revoked_at"]),
        allowed=_read(row["allowed"]),
    )


def _token(row: RowMapping) -> Token:
    return Token(
        id=row["id"],
        connector_id=row["connector_id"],
        created_at=moment(int(row["created_at"])),
        expires_at=moment(row["expires_at"]),
        revoked_at=moment(row["revoked_at"]),
        last_used_at=moment(row["last_used_at"]),
    )
