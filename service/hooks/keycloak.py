"""Events of Keycloak, sent by an event listener of the administrator's choice: Keycloak itself sends none over HTTP.

Written for p2-inc/keycloak-events, whose README and source are the source of what stands here: its listeners
`ext-event-webhook` and `ext-event-http` post an event as JSON, with `X-Keycloak-Signature`: the HMAC (RFC 2104) of the
body by the shared secret, in hexadecimal, of SHA-256 unless told otherwise. They send after Keycloak's transaction, so
no login waits for us, and again with growing pauses, for 15 minutes unless told otherwise, where no 2xx came.

`ext-event-webhook` has one form for all events (`ExtendedAdminEvent`): `uid`, `time` in milliseconds, `type` with a
prefix (`access.LOGIN`, `admin.USER-UPDATE`), `authDetails` (who did it), `details`, and `resourcePath` such as
`users/ID` or `users/ID/groups/ID` of what an administrator did. Keycloak's own form of an event (`id`, `type`,
`userId`, `error`; Keycloak's `org.keycloak.events.Event`) is read as well.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime

import msgspec
from starlette.datastructures import Headers

from service.access.sessions import same_text
from service.hooks.contract import Call, Event, NotAuthentic, Unreadable, body_of, digest, names, one_header, refuse_old
from service.hooks.trust import Trust
from tasks.login_settings import KeycloakHook

__all__ = ["KeycloakEvents"]

_HASHES = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}
_USER = re.compile(r"users/([0-9A-Za-z:_-]+)(?:/.*)?")
_LATEST_MILLISECONDS = 4_102_444_800_000


class _Actor(msgspec.Struct, rename="camel"):
    user_id: str | None = None
    username: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    time: int
    uid: str | None = None
    id: str | None = None
    type: str | None = None
    error: str | None = None
    resource_path: str | None = None
    user_id: str | None = None
    auth_details: _Actor | None = None
    details: dict[str, str | None] | None = None


class KeycloakEvents:
    scheme = "Signature"
    unchanged = b""
    waits = False

    def __init__(self, settings: KeycloakHook, trust: Trust, *, by_id: bool) -> None:
        self._settings = settings
        self._trust = trust
        self._by_id = by_id
        self.remembered_seconds = 2 * settings.max_age_seconds

    async def read(self, call: Call) -> list[Event]:
        given = one_header(call, self._settings.header)
        secret = await self._trust.secret(self._settings.secret)
        signed = hmac.new(secret.encode(), call.body, _HASHES[self._settings.algorithm]).hexdigest()
        if not same_text(given.strip().lower(), signed):
            raise NotAuthentic(f"the header {self._settings.header} does not hold the signature of the body")
        event = body_of(call, _Event)
        if not 0 < event.time < _LATEST_MILLISECONDS:
            raise Unreadable("it does not say when it was sent")
        refuse_old(datetime.fromtimestamp(event.time / 1000, UTC), self._settings.max_age_seconds)
        return [Event(event.uid or event.id or digest(call.body), self._people(event))]

    def _people(self, event: _Event) -> tuple[str, ...]:
        """Nobody where something failed: whoever tries passwords is not to be worked for."""
        if event.error or (event.type or "").endswith("_ERROR"):
            return ()
        details = event.details or {}
        if event.resource_path is not None:
            # Who is in authDetails is the administrator.
            found = _USER.fullmatch(event.resource_path)
            user_id, username = found and found[1], details.get("username")
        else:
            actor = event.auth_details or _Actor()
            user_id = event.user_id or actor.user_id
            username = actor.username or details.get("username")
        return names(user_id if self._by_id else None, username, user_id)

    def verification(self, headers: Headers) -> None:  # noqa: ARG002 the protocol's signature
        return None
