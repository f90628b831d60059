"""Entra's token endpoint for applications: client credentials by secret or by a signed assertion.

Microsoft identity platform, "OAuth 2.0 client credentials flow" and "Application authentication certificate
credentials". Tokens look like JWTs because Graph's do, and administrators read the roles in them; the signature is
noise, since Microsoft forbids clients to verify tokens that are not for them.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from joserfc import jwk, jwt
from joserfc.errors import JoseError
from starlette.responses import JSONResponse, Response

from sandbox.graph.switches import Switches

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALL_READ_ROLES = frozenset({"User.Read.All", "GroupMember.Read.All"})


@dataclass
class RegisteredApp:
    """`certificates` maps a thumbprint (SHA-1 or SHA-256, base64url) to the public key in PEM."""

    client_id: str
    secrets: set[str] = field(default_factory=set)
    expired_secrets: set[str] = field(default_factory=set)
    certificates: dict[str, bytes] = field(default_factory=dict)
    roles: frozenset[str] = ALL_READ_ROLES


@dataclass(frozen=True)
class AccessToken:
    client_id: str
    roles: frozenset[str]
    expires: float


class TokenRefusal(Exception):
    """An answer of the protocol, not a failure of the simulator."""

    def __init__(self, status: int, error: str, code: int, description: str) -> None:
        super().__init__(description)
        body = {
            "error": error,
            "error_description": f"AADSTS{code}: {description} Trace ID: sandbox Correlation ID: sandbox",
            "error_codes": [code],
            "trace_id": "sandbox",
            "correlation_id": "sandbox",
        }
        self.response = JSONResponse(body, status)


class TokenEndpoint:
    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.apps: dict[str, RegisteredApp] = {}
        self.tokens: dict[str, AccessToken] = {}
        self._used_ids: set[str] = set()

    def grant(self, tenant: str, form: Mapping[str, str], endpoint: str, graph: str, now: float) -> Response:
        try:
            app = self._judge(tenant, form, endpoint, now)
            _check_scope(form.get("scope", ""), graph)
        except TokenRefusal as refusal:
            return refusal.response
        life = self._switches.token_seconds
        claims = {"aud": graph, "appid": app.client_id, "tid": tenant, "roles": sorted(app.roles), "exp": now + life}
        token = ".".join(
            [_part({"typ": "JWT", "alg": "RS256"}), _part(claims), secrets.token_urlsafe(32)],
        )
        self.tokens[token] = AccessToken(app.client_id, app.roles, now + life)
        return JSONResponse({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token})

    def valid(self, token: str, now: float) -> AccessToken | None:
        known = self.tokens.get(token)
        return known if known is not None and now < known.expires else None

    def _judge(self, tenant: str, form: Mapping[str, str], endpoint: str, now: float) -> RegisteredApp:
        if tenant != self._switches.tenant:
            raise TokenRefusal(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            raise TokenRefusal(400, "unsupported_grant_type", 70003, "Only client_credentials is served here.")
        app = self.apps.get(form.get("client_id", ""))
        if app is None:
            raise TokenRefusal(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        if "client_assertion" in form:
            self._check_assertion(app, form, endpoint, now)
        elif form.get("client_secret") in app.expired_secrets:
            raise TokenRefusal(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        elif form.get("client_secret") not in app.secrets:
            raise TokenRefusal(401, "invalid_client", 7000215, "Invalid client secret provided.")
        return app

    def _check_assertion(self, app: RegisteredApp, form: Mapping[str, str], endpoint: str, now: float) -> None:
        assertion = form["client_assertion"]
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRefusal(400, "invalid_request", 900144, "client_assertion_type is missing.")
        header = _unverified(assertion, 0)
        thumbprint = header.get("x5t#S256") or header.get("x5t")
        key = app.certificates.get(str(thumbprint))
        if key is None:
            said = f"The certificate with identifier used to sign the client assertion is not registered: {thumbprint}."
            raise TokenRefusal(401, "invalid_client", 700027, said)
        try:
            public = jwk.RSAKey.import_key(key)
            claims = jwt.decode(assertion, public, algorithms=["RS256", "PS256"]).claims
        except (JoseError, ValueError):
            raise TokenRefusal(401, "invalid_client", 700027, "Client assertion failed signature check.") from None
        self._check_claims(app, claims, endpoint, now)

    def _check_claims(self, app: RegisteredApp, claims: Mapping[str, object], endpoint: str, now: float) -> None:
        if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
            raise TokenRefusal(401, "invalid_client", 700021, "iss and sub of the assertion must be the client id.")
        if claims.get("aud") != endpoint:
            raise TokenRefusal(401, "invalid_client", 50027, f"The audience of the assertion must be {endpoint}.")
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires <= now:
            raise TokenRefusal(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")
        one_time = str(claims.get("jti"))
        if one_time in self._used_ids:
            raise TokenRefusal(401, "invalid_client", 7000227, "The assertion's jti was used before.")
        self._used_ids.add(one_time)


def _check_scope(scope: str, graph: str) -> None:
    if scope != f"{graph}/.default":
        said = f"The provided value for scope {scope} is not valid. Client credential flows need /.default."
        raise TokenRefusal(400, "invalid_scope", 1002012, said)


def _part(content: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _unverified(token: str, part: int) -> dict[str, object]:
    """A part of a JWT, to learn whose key must verify it; empty when it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        content = json.loads(base64.urlsafe_b64decode(parts[part] + "=" * (-len(parts[part]) % 4)))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
