"""Google's token endpoint for service accounts: the JWT bearer grant (RFC 7523 section 2.1).

Google identity, "Using OAuth 2.0 for server to server applications". The assertion is signed with RS256 by a key that
its `kid` names; `sub` is the user to act for, and needs domain-wide delegation for every scope asked for.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from starlette.responses import Response

from sandbox.google.refusals import json_answer, token_refusal
from sandbox.google.switches import ServiceAccount, Switches

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST_SECONDS = 3600
LEEWAY_SECONDS = 300


@dataclass(frozen=True)
class AccessToken:
    subject: str
    scopes: frozenset[str]
    expires: float


class Refused(Exception):
    """An answer of the protocol, not a failure of the simulator."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.response = token_refusal(status, error, description)


class TokenEndpoint:
    """`is_user` says whether an address belongs to a user of the account."""

    def __init__(self, switches: Switches, is_user: Callable[[str], bool]) -> None:
        self._switches = switches
        self._is_user = is_user
        self.accounts: dict[str, ServiceAccount] = {}
        self.tokens: dict[str, AccessToken] = {}

    def grant(self, form: Mapping[str, str], endpoint: str, now: float) -> Response:
        try:
            subject, scopes = self._judge(form, endpoint, now)
        except Refused as refused:
            return refused.response
        token = "ya29." + secrets.token_urlsafe(40)
        lifetime = self._switches.token_seconds
        self.tokens[token] = AccessToken(subject, scopes, now + lifetime)
        return json_answer({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"})

    def valid(self, token: str, now: float) -> AccessToken | None:
        known = self.tokens.get(token)
        return known if known is not None and now < known.expires else None

    def _judge(self, form: Mapping[str, str], endpoint: str, now: float) -> tuple[str, frozenset[str]]:
        if form.get("grant_type") != GRANT_TYPE:
            raise Refused(400, "unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type')}")
        claims, account = self._verified(form.get("assertion", ""))
        if claims.get("aud") != endpoint:
            raise Refused(400, "invalid_grant", f"Invalid JWT: Failed audience check. The right audience is {endpoint}")
        self._check_times(claims, now)
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise Refused(400, "invalid_scope", "Empty or missing scope not allowed.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not scopes <= account.delegated:
            raise Refused(
                401,
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any "
                "of the scopes requested.",
            )
        if not self._is_user(subject):
            raise Refused(400, "invalid_grant", "Invalid email or User ID")
        return subject, scopes

    def _verified(self, assertion: str) -> tuple[Mapping[str, object], ServiceAccount]:
        header, payload = _unverified(assertion)
        account = self.accounts.get(str(payload.get("iss")))
        if account is None:
            raise Refused(400, "invalid_grant", "Invalid grant: account not found")
        key = account.keys.get(str(header.get("kid")))
        if key is None or header.get("alg") != "RS256":
            raise Refused(400, "invalid_grant", "Invalid JWT Signature.")
        try:
            return jwt.decode(assertion, RSAKey.import_key(dict(key)), algorithms=["RS256"]).claims, account
        except (JoseError, ValueError) as error:
            raise Refused(400, "invalid_grant", "Invalid JWT Signature.") from error

    def _check_times(self, claims: Mapping[str, object], now: float) -> None:
        issued, expires = claims.get("iat"), claims.get("exp")
        if (
            not isinstance(issued, int | float)
            or not isinstance(expires, int | float)
            or expires - issued > LONGEST_SECONDS
            or issued > now + LEEWAY_SECONDS
            or expires < now - LEEWAY_SECONDS
        ):
            raise Refused(
                400,
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your "
                "iat and exp values in the JWT claim.",
            )


def _unverified(assertion: str) -> tuple[dict[str, object], dict[str, object]]:
    """Header and payload, to learn whose key must verify them. Raises Refused where it is no JWT."""
    parts = assertion.split(".")
    try:
        header, payload = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, binascii.Error) as error:
        raise Refused(400, "invalid_grant", "Invalid JWT: Malformed assertion.") from error
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise Refused(400, "invalid_grant", "Invalid JWT: Malformed assertion.")
    return header, payload
