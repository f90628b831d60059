"""Okta's organisation authorisation server for service apps: client credentials with a signed assertion.

Okta developer documentation, "Implement OAuth for Okta with a service app" and "Build a JWT for client authentication";
RFC 7523. `private_key_jwt` is the only way a service app can authenticate for Okta's own scopes.

With `require_dpop` the endpoint refuses as Okta documents ("Configure OAuth 2.0 Demonstrating Proof-of-Possession") and
goes no further: it asks for a nonce for ever, so it serves to test what a client without DPoP says to its user.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization
from starlette.responses import Response

from sandbox.okta.paging import answer
from sandbox.okta.switches import Switches

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
LONGEST_ASSERTION_SECONDS = 3600
ALL_READ_SCOPES = frozenset({"okta.users.read", "okta.groups.read", "okta.logs.read", "okta.schemas.read"})


@dataclass(frozen=True)
class ServiceApp:
    """A registered client. `keys` are public JWKs. Without an administrator role every request ends in 403."""

    client_id: str
    keys: tuple[Mapping[str, str | list[str]], ...]
    scopes: frozenset[str] = ALL_READ_SCOPES
    has_admin_role: bool = True


@dataclass(frozen=True)
class AccessToken:
    client_id: str
    scopes: frozenset[str]
    has_admin_role: bool
    expires: float


class TokenRefusal(Exception):
    """An answer of the protocol, not a failure of the simulator."""

    def __init__(self, status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(description)
        self.response = answer({"error": error, "error_description": description}, status)
        self.response.headers.update(headers or {})


class AuthorizationServer:
    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.apps: dict[str, ServiceApp] = {}
        self.tokens: dict[str, AccessToken] = {}
        self._used_ids: set[tuple[str, str]] = set()

    def grant(self, form: Mapping[str, str], dpop: str | None, endpoint: str, now: float) -> Response:
        try:
            app, scopes = self._judge(form, dpop, endpoint, now)
        except TokenRefusal as refusal:
            return refusal.response
        token = secrets.token_urlsafe(40)
        lifetime = self._switches.token_seconds
        self.tokens[token] = AccessToken(app.client_id, scopes, app.has_admin_role, now + lifetime)
        return answer(
            {
                "token_type": "Bearer",
                "expires_in": lifetime,
                "access_token": token,
                "scope": " ".join(sorted(scopes)),
            }
        )

    def valid(self, token: str, now: float) -> AccessToken | None:
        known = self.tokens.get(token)
        return known if known is not None and now < known.expires else None

    def _judge(
        self, form: Mapping[str, str], dpop: str | None, endpoint: str, now: float
    ) -> tuple[ServiceApp, frozenset[str]]:
        if form.get("grant_type") != "client_credentials":
            raise TokenRefusal(400, "unsupported_grant_type", "Only client_credentials is served here.")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            raise TokenRefusal(401, "invalid_client", "A service app must send a client_assertion of type jwt-bearer.")
        app = self._authenticate(form["client_assertion"], endpoint, now)
        if self._switches.require_dpop:
            raise _dpop_refusal(dpop)
        scopes = frozenset(form.get("scope", "").split())
        if not scopes:
            raise TokenRefusal(400, "invalid_scope", "The request names no scope.")
        if surplus := scopes - app.scopes:
            raise TokenRefusal(400, "invalid_scope", f"Not granted to this app: {' '.join(sorted(surplus))}")
        return app, scopes

    def _authenticate(self, assertion: str, endpoint: str, now: float) -> ServiceApp:
        client_id = _unverified_claims(assertion).get("sub")
        app = self.apps.get(client_id) if isinstance(client_id, str) else None
        if app is None:
            raise TokenRefusal(401, "invalid_client", f"No active app has the client id {client_id}.")
        serialized: KeySetSerialization = {"keys": [dict(key) for key in app.keys]}
        try:
            claims = jwt.decode(assertion, KeySet.import_key_set(serialized), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError) as error:
            raise TokenRefusal(401, "invalid_client", "The client_assertion's signature is not valid.") from error
        self._check(claims, endpoint, now)
        return app

    def _check(self, claims: Mapping[str, object], endpoint: str, now: float) -> None:
        if claims.get("iss") != claims.get("sub"):
            raise TokenRefusal(401, "invalid_client", "iss and sub of the client_assertion must be the client id.")
        if claims.get("aud") not in (endpoint, [endpoint]):
            raise TokenRefusal(401, "invalid_client", f"aud of the client_assertion must be {endpoint}.")
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires <= now:
            raise TokenRefusal(401, "invalid_client", "The client_assertion has expired.")
        if expires > now + LONGEST_ASSERTION_SECONDS:
            raise TokenRefusal(401, "invalid_client", "The client_assertion expires more than an hour from now.")
        one_time = claims.get("jti")
        if one_time is not None:
            used = str(claims["sub"]), str(one_time)
            if used in self._used_ids:
                raise TokenRefusal(401, "invalid_client", "The client_assertion's jti was used before.")
            self._used_ids.add(used)


def _dpop_refusal(proof: str | None) -> TokenRefusal:
    if proof is None:
        return TokenRefusal(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
    nonce = secrets.token_urlsafe(18)
    return TokenRefusal(
        400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.", {"dpop-nonce": nonce}
    )


def _unverified_claims(assertion: str) -> dict[str, object]:
    """The payload, to learn whose key must verify it; empty when it is no JWT."""
    parts = assertion.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
