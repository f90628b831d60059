"""The realm's token endpoint for a confidential client: client credentials, secret in the header or in the body.

Keycloak securing-apps guide, "Client authentication"; RFC 6749 sections 2.3.1 and 4.4. No refresh token comes with it.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from starlette.responses import Response

from sandbox.control import json_answer
from sandbox.keycloak.switches import ConfidentialClient, Switches


@dataclass(frozen=True)
class IssuedToken:
    client_id: str
    roles: frozenset[str]
    expires: float


class TokenEndpoint:
    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self.tokens: dict[str, IssuedToken] = {}

    def grant(self, form: Mapping[str, str], authorization: str, now: float) -> Response:
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "Unsupported grant_type")
        client_id, secret = _credentials(form, authorization)
        client = self._switches.clients.get(client_id)
        if client is None:
            return _refused(401, "invalid_client", "Invalid client or Invalid client credentials")
        if not secrets.compare_digest(client.secret.encode(), secret.encode()):
            return _refused(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        return self._issue(client, now)

    def valid(self, authorization: str, now: float) -> IssuedToken | None:
        scheme, _, token = authorization.partition(" ")
        issued = self.tokens.get(token) if scheme.lower() == "bearer" else None
        return issued if issued is not None and now < issued.expires else None

    def _issue(self, client: ConfidentialClient, now: float) -> Response:
        token = secrets.token_urlsafe(60)
        lifetime = self._switches.token_seconds
        self.tokens[token] = IssuedToken(client.client_id, client.roles, now + lifetime)
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
