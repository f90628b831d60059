"""Microsoft Entra's custom authentication extension for the event OnTokenIssuanceStart.

Sources, all on learn.microsoft.com/entra/identity-platform:

- "Custom claims provider reference": the request, and an answer of 200 with `application/json`, whose `data` names its
  type and exactly one action, `provideClaimsForToken`, with claims that are text or lists of text. A claim that no
  claims mapping policy of the application names is not put into the token.
- "Custom authentication extensions overview", "Protect your REST API": the bearer token is one of Entra's, whose `aud`
  is the extension's application, whose `azp` (version 2) or `appid` (version 1) is
  99045fe1-7639-4a75-9d4a-577b6ca3810f, and whose `iss` is that of the tenant.
- "Troubleshoot your custom authentication extension": it has 2 seconds, and retries. **Where the API fails, the login
  fails**: an OpenID Connect application is told of an error, a SAML application's user sees one. An answer without
  claims (1003007), with another number of actions (1003010) or of another type (1003012) is a failure too. So one claim
  is given that nobody asked for, the version of the answer, as Microsoft's own example does.
- "Access tokens in the Microsoft identity platform": the address of the keys, and in its example of a token of version
  1 the issuer `https://sts.windows.net/TENANT/`. It calls `aud` the App ID URI, the overview the application's id, so
  that the sync file says which.

Not documented: whether Entra shows the same token in several calls. A token that was seen before is therefore no
replay; a call with the `correlationId` of an earlier one is.
"""

from __future__ import annotations

import msgspec
from starlette.datastructures import Headers

from service.hooks.contract import Call, Event, NotAuthentic, Unreadable, body_of, digest, names
from service.hooks.signed import Expected, claims_of
from service.hooks.trust import Trust
from tasks.login_settings import EntraHook

__all__ = ["EntraTokenIssuance"]

_EVENT = "microsoft.graph.authenticationEvent.tokenIssuanceStart"
_NOTHING = msgspec.json.encode(
    {
        "data": {
            "@odata.type": "microsoft.graph.onTokenIssuanceStartResponseData",
            "actions": [
                {
                    "@odata.type": "microsoft.graph.tokenIssuanceStart.provideClaimsForToken",
                    "claims": {"apiVersion": "1.0.0"},
                }
            ],
        }
    }
)
_LONGEST_TOKEN_LIFE = 86_400.0
"""Seconds. Access tokens live for 60 to 90 minutes where nobody changed that ("Access tokens"); a day is on the safe
side for how long a correlation id has to be known again."""


class _User(msgspec.Struct, rename="camel"):
    id: str | None = None
    user_principal_name: str | None = None
    mail: str | None = None


class _Context(msgspec.Struct, rename="camel"):
    correlation_id: str | None = None
    user: _User | None = None


class _Data(msgspec.Struct, rename="camel"):
    tenant_id: str
    authentication_context: _Context


class _Body(msgspec.Struct):
    type: str
    data: _Data


class EntraTokenIssuance:
    scheme = "Bearer"
    unchanged = _NOTHING
    waits = True
    remembered_seconds = _LONGEST_TOKEN_LIFE

    def __init__(self, settings: EntraHook, trust: Trust, *, by_id: bool) -> None:
        tenant = settings.tenant_id.lower()
        self._settings = settings
        self._trust = trust
        self._by_id = by_id
        self._expected = Expected(
            keys_url=settings.keys_url or f"https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys",
            issuers=frozenset(settings.issuers)
            or frozenset(
                {f"https://login.microsoftonline.com/{tenant}/v2.0", f"https://sts.windows.net/{tenant}/"},
            ),
            audience=settings.audience,
        )

    async def read(self, call: Call) -> list[Event]:
        claims = await claims_of(call, self._trust.keys, self._expected)
        caller = claims.get("azp", claims.get("appid"))
        if not isinstance(caller, str) or caller.lower() != self._settings.caller.lower():
            raise NotAuthentic("the token was given to another application than that of authentication events")
        said = body_of(call, _Body)
        if said.type != _EVENT:
            raise Unreadable("this is no event of the type tokenIssuanceStart")
        if said.data.tenant_id.lower() != self._settings.tenant_id.lower():
            raise NotAuthentic("the event is of another tenant")
        context = said.data.authentication_context
        user = context.user or _User()
        # A guest's user principal name is made of their address, which mail is.
        guest = "#EXT#" in (user.user_principal_name or "")
        called = (user.mail, user.user_principal_name) if guest else (user.user_principal_name, user.mail)
        return [Event(context.correlation_id or digest(call.body), names(user.id if self._by_id else None, *called))]

    def verification(self, headers: Headers) -> None:  # noqa: ARG002 the protocol's signature
        return None
