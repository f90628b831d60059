"""Tokens of the realm, and what one tells about the rights of who holds it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import msgspec

from connectors.http.auth import SendForm, TokenProvider

__all__ = ["READING_ROLES", "SEES_EVERYBODY", "Claims", "RealmTokens"]

SEES_EVERYBODY: Final = frozenset({"view-users", "manage-users"})
"""Either shows everybody. With less, Keycloak answers 200 with those people that the caller may see, perhaps none."""

READING_ROLES: Final = frozenset({"view-users", "query-users", "query-groups", "view-realm", "view-events"})
"""Roles that cannot change anything a sync would read."""


class _Access(msgspec.Struct):
    roles: list[str] = []


class Claims(msgspec.Struct):
    """The part of an access token that matters here. A lightweight token has no `resource_access`."""

    exp: int | None = None
    iat: int | None = None
    resource_access: dict[str, _Access] | None = None

    @property
    def roles(self) -> frozenset[str] | None:
        """The roles of `realm-management`, None where the token does not say."""
        if self.resource_access is None:
            return None
        return frozenset(self.resource_access.get("realm-management", _Access()).roles)

    @property
    def lifespan(self) -> int | None:
        """Seconds."""
        return None if self.exp is None or self.iat is None else self.exp - self.iat


class RealmTokens:
    """A `TokenProvider` that remembers what its last token says."""

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider
        self._read_from = ""
        self.claims = Claims()

    def secrets(self) -> tuple[str, ...]:
        return self._provider.secrets()

    async def headers(self, send: SendForm) -> Mapping[str, str]:
        headers = await self._provider.headers(send)
        token = headers.get("Authorization", "").rpartition(" ")[2]
        if token != self._read_from:
            self._read_from = token
            self.claims = _claims(token)
        return headers

    def renew(self, headers: Mapping[str, str]) -> bool:
        return self._provider.renew(headers)


def _claims(token: str) -> Claims:
    """Not verified: the server judges the token, we only read what it says about us."""
    payload = token.partition(".")[2].partition(".")[0]
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return msgspec.json.decode(text, type=Claims)
    except (binascii.Error, ValueError):
        return Claims()
