"""The realm's token endpoint for a confidential client: client credentials, secret in the header or in the body.

Keycloak securing-apps guide, "Client authentication"; RFC 6749 sections 2.3.1 and 4.4. No refresh token comes with it.
Access tokens are JWTs (RFC 7519), signed with a key that is the simulator's own and lasts as long as it does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from starlette.responses import Response

from sandbox.control import json_answer
from sandbox.keycloak.rights import effective
from sandbox.keycloak.state import service_account_id
from sandbox.keycloak.switches import ConfidentialClient, Switches


@dataclass(frozen=True)
class IssuedToken:
    client_id: str
    roles: frozenset[str]
    expires: float


class TokenEndpoint:
    def __init__(self, switches: Switches, logged_in: Callable[[ConfidentialClient], None]) -> None:
        """`logged_in` hears of every token that is given."""
        self._switches = switches
        self._logged_in = logged_in
        self._key = secrets.token_bytes(32)
        self.tokens: dict[str, IssuedToken] = {}

    def grant(self, form: Mapping[str, str], authorization: str, issuer: str, now: float) -> Response:
        """`issuer` is the realm's address."""
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "Unsupported grant_type")
        client_id, secret = _credentials(form, authorization)
        client = self._switches.clients.get(client_id)
        if client is None:
            return _refused(401, "invalid_client", "Invalid client or Invalid client credentials")
        if not secrets.compare_digest(client.secret.encode(), secret.encode()):
            return _refused(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        self._logged_in(client)
        return self._issue(client, issuer, now)

    def valid(self, authorization: str, now: float) -> IssuedToken | None:
        scheme, _, token = authorization.partition(" ")
        issued = self.tokens.get(token) if scheme.lower() == "bearer" else None
        return issued if issued is not None and now < issued.expires else None

    def _issue(self, client: ConfidentialClient, issuer: str, now: float) -> Response:
        lifetime, roles = self._switches.token_seconds, effective(client.roles)
        about_itself = {"iss": issuer, "iat": int(now), "exp": int(now) + lifetime, "jti": str(uuid.uuid4())}
        token = self._signed({**about_itself, **_about_the_client(client, roles)})
        self.tokens[token] = IssuedToken(client.client_id, roles, now + lifetime)
        return json_answer(
            {
                "access_token": token,
                "expires_in": lifetime,
                "refresh_expires_in": 0,
                "token_type": "Bearer",
                "not-before-policy": 0,
                "scope": "email profile",
            }
        )

    def _signed(self, claims: Mapping[str, object]) -> str:
        header = {"alg": "HS256", "typ": "JWT"}
        content = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        return f"{content}.{_encoded(hmac.digest(self._key, content.encode(), hashlib.sha256))}"


def _about_the_client(client: ConfidentialClient, roles: frozenset[str]) -> dict[str, object]:
    """A client without roles has no `realm-management`; a lightweight token has no `resource_access` at all.

    Those of `account` are in the default roles of every realm.
    """
    claims: dict[str, object] = {"typ": "Bearer", "azp": client.client_id, "acr": "1", "scope": "email profile"}
    if client.lightweight:
        return claims
    access = {"account": {"roles": ["manage-account", "manage-account-links", "view-profile"]}}
    if roles:
        access["realm-management"] = {"roles": sorted(roles)}
    return {
        **claims,
        "sub": service_account_id(client),
        "aud": sorted(access, reverse=True),
        "resource_access": access,
        "email_verified": False,
        "preferred_username": f"service-account-{client.client_id}",
        "client_id": client.client_id,
    }


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def _credentials(form: Mapping[str, str], authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _refused(status: int, error: str, description: str) -> Response:
    return json_answer({"error": error, "error_description": description}, status)
