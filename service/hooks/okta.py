"""Okta's inline hooks for SAML assertions and tokens, and its event hooks.

Sources, all on developer.okta.com:

- Concepts, "Inline hooks": a POST that Okta waits 3 seconds for, and tries once more where no 2xx or 4xx came; after a
  time-out or a failure the SAML assertion and the token are sent as they were. The request shows a secret in a header
  of the administrator's choice, or an OAuth 2.0 access token as a signed JWT, which the service has to verify.
- "SAML assertion inline hook reference" and "Token inline hook reference": `eventId`, `eventTime`, `data.context.user`
  with `id` and `profile.login`; commands that change something stand in a list, `commands`. A token that is issued to
  a client and to nobody has no user.
- Concepts, "Event hooks": a one-time GET with `X-Okta-Verification-Challenge`, whose value is given back as
  `{"verification": …}`; later POSTs with `data.events`, a list of LogEvent objects, delivered at least once, perhaps
  late and out of order, to be told apart by `uuid`, and answered within 3 seconds with an empty 200 or 204.
- System Log API: `actor`, `target` (each with `id`, `type`, `alternateId`) and `outcome.result` of a LogEvent.

That "commands": [] is as good as none follows from its being a list of changes; a 204, which says the same, is named
only for "hook types that support empty responses", without a list of them.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from starlette.datastructures import Headers

from service.access.sessions import same_text
from service.hooks.contract import Call, Event, NotAuthentic, Unreadable, body_of, names, one_header, refuse_old
from service.hooks.signed import Expected, claims_of
from service.hooks.trust import Trust
from tasks.login_settings import OktaHook, OktaOAuth

__all__ = ["OktaEvents", "OktaInline"]

_INLINE = frozenset({"com.okta.saml.tokens.transform", "com.okta.oauth2.tokens.transform"})
_EVENTS = "com.okta.event_hook"
_CHALLENGE = "x-okta-verification-challenge"
_LONGEST_CHALLENGE = 1000
_DONE = frozenset({"SUCCESS", "ALLOW"})


class _Profile(msgspec.Struct):
    login: str | None = None


class _User(msgspec.Struct):
    id: str | None = None
    profile: _Profile | None = None


class _Context(msgspec.Struct):
    user: _User | None = None


class _Data(msgspec.Struct):
    context: _Context


class _Inline(msgspec.Struct, rename="camel"):
    event_id: str
    event_time: datetime
    event_type: str
    data: _Data


class _Party(msgspec.Struct, rename="camel"):
    id: str | None = None
    type: str | None = None
    alternate_id: str | None = None


class _Outcome(msgspec.Struct):
    result: str | None = None


class _LogEvent(msgspec.Struct):
    uuid: str
    actor: _Party | None = None
    target: list[_Party] | None = None
    outcome: _Outcome | None = None


class _LogEvents(msgspec.Struct):
    events: list[_LogEvent]


class _Delivery(msgspec.Struct, rename="camel"):
    event_time: datetime
    event_type: str
    data: _LogEvents


class OktaInline:
    scheme = "Bearer"
    unchanged = b'{"commands":[]}'
    waits = True

    def __init__(self, settings: OktaHook, trust: Trust, *, by_id: bool) -> None:
        self._settings = settings
        self._trust = trust
        self._by_id = by_id
        self.remembered_seconds = 2 * settings.max_age_seconds

    async def read(self, call: Call) -> list[Event]:
        if self._settings.oauth is None:
            await _secret(self._settings, self._trust, call)
        else:
            await _token(self._settings.oauth, self._trust, call)
        said = body_of(call, _Inline)
        if said.event_type not in _INLINE:
            raise Unreadable("this is neither a SAML assertion hook nor a token hook")
        refuse_old(said.event_time, self._settings.max_age_seconds)
        user = said.data.context.user or _User()
        login = user.profile.login if user.profile else None
        return [Event(said.event_id, names(user.id if self._by_id else None, login, user.id))]

    def verification(self, headers: Headers) -> None:  # noqa: ARG002 the protocol's signature
        return None


class OktaEvents:
    scheme = "Bearer"
    unchanged = b""
    waits = False

    def __init__(self, settings: OktaHook, trust: Trust, *, by_id: bool) -> None:
        self._settings = settings
        self._trust = trust
        self._by_id = by_id
        self.remembered_seconds = 2 * settings.events_max_age_seconds

    async def read(self, call: Call) -> list[Event]:
        await _secret(self._settings, self._trust, call)
        said = body_of(call, _Delivery)
        if said.event_type != _EVENTS:
            raise Unreadable("this is no event hook")
        refuse_old(said.event_time, self._settings.events_max_age_seconds)
        return [Event(one.uuid, self._people(one)) for one in said.data.events]

    def _people(self, event: _LogEvent) -> tuple[str, ...]:
        """Those to whom something was done; where it was done to nobody, as with a login, who did it."""
        if event.outcome is not None and event.outcome.result not in _DONE:
            return ()
        targets = [one for one in event.target or () if one.type == "User"]
        actors = [one for one in (event.actor,) if one is not None and one.type == "User"]
        found = [names(one.id if self._by_id else None, one.alternate_id, one.id) for one in targets or actors]
        return tuple(dict.fromkeys(name for one in found for name in one))

    def verification(self, headers: Headers) -> bytes | None:
        given = headers.get(_CHALLENGE, "")
        if not given or len(given) > _LONGEST_CHALLENGE:
            return None
        return msgspec.json.encode({"verification": given})


async def _secret(settings: OktaHook, trust: Trust, call: Call) -> None:
    given = one_header(call, settings.header)
    if settings.secret is None or not same_text(given, await trust.secret(settings.secret)):
        raise NotAuthentic(f"the header {settings.header} does not hold the secret")


async def _token(expected: OktaOAuth, trust: Trust, call: Call) -> None:
    claims = await claims_of(
        call,
        trust.keys,
        Expected(
            keys_url=expected.keys_url or f"{expected.issuer.rstrip('/')}/v1/keys",
            issuers=frozenset({expected.issuer}),
            audience=expected.audience,
        ),
    )
    if expected.client_id not in {claims.get("cid"), claims.get("client_id")}:
        raise NotAuthentic("the token was given to another client")
