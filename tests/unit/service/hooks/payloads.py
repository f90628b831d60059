"""What vendors send, in the form of the examples in their documents; the people are ours."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.serving import served

TENANT = "3f6d1f2a-4b5c-4d6e-8f70-112233445566"
APP = "7a1b2c3d-0000-4444-8888-99aabbccddee"
CALLER = "99045fe1-7639-4a75-9d4a-577b6ca3810f"


def _moment(seconds_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def okta_inline(
    login: str | None = "ann@example.com",
    user_id: str = "00u1annash",
    *,
    kind: str = "com.okta.saml.tokens.transform",
    event: str | None = None,
    seconds_ago: float = 0,
) -> dict[str, Any]:
    """A SAML assertion hook, or a token hook; without a login one for a token that is issued to a client."""
    context: dict[str, Any] = {
        "request": {"id": "reqqXypjzYJRSu2j1G1imUovA", "method": "GET", "ipAddress": "127.0.0.1"},
        "protocol": {"type": "SAML2.0", "issuer": {"id": "0oath92zlO60urQOP0g3", "name": "Bitbucket"}},
    }
    if login is not None:
        context["session"] = {"id": "102LN9Bnuc4S", "userId": user_id, "login": login, "status": "ACTIVE"}
        context["user"] = {
            "id": user_id,
            "passwordChanged": "2018-09-11T23:19:12.000Z",
            "profile": {"login": login, "firstName": "Ann", "lastName": "Ash", "locale": "en"},
            "_links": {"groups": {"href": f"https://example.okta.com/{user_id}/groups"}},
        }
    return {
        "source": "https://example.okta.com/app/bitbucket_1/exkth8lMzFm0HZOTU0g3/sso/saml",
        "eventId": event or secrets.token_urlsafe(16),
        "eventTime": _moment(seconds_ago),
        "data": {
            "context": context,
            "assertion": {
                "subject": {"nameId": login},
                "claims": {"groups": {"attributeValues": [{"value": "bb-dev"}]}},
                "lifetime": {"expiration": 300},
            },
        },
        "eventTypeVersion": "1.0",
        "cloudEventVersion": "0.1",
        "eventType": kind,
        "contentType": "application/json",
    }


def party(login: str, user_id: str = "00u", kind: str = "User") -> dict[str, Any]:
    return {"id": user_id, "type": kind, "alternateId": login, "displayName": login, "detailEntry": None}


def log_event(
    actor: dict[str, Any], *targets: dict[str, Any], uuid: str | None = None, result: str = "SUCCESS"
) -> dict[str, Any]:
    return {
        "version": "0",
        "severity": "INFO",
        "client": {"zone": "OFF_NETWORK", "ipAddress": "192.0.2.90"},
        "actor": actor,
        "outcome": {"result": result},
        "uuid": uuid or secrets.token_hex(16),
        "published": _moment(0),
        "eventType": "user.session.start",
        "target": list(targets) or None,
    }


def okta_events(*events: dict[str, Any], seconds_ago: float = 0) -> dict[str, Any]:
    return {
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "contentType": "application/json",
        "eventId": secrets.token_hex(16),
        "eventTime": _moment(seconds_ago),
        "source": "https://example.okta.com/api/v1/eventHooks/whoql0HfiLGPWc8Jx0g3",
        "data": {"events": list(events)},
    }


def entra_event(
    name: str = "ann@example.com",
    *,
    correlation: str | None = None,
    tenant: str = TENANT,
    mail: str | None = None,
    user_id: str = "90847c2a-e29d-4d2f-9f54-c5b4d3f26471",
) -> dict[str, Any]:
    return {
        "type": "microsoft.graph.authenticationEvent.tokenIssuanceStart",
        "source": f"/tenants/{tenant}/applications/{APP}",
        "data": {
            "@odata.type": "microsoft.graph.onTokenIssuanceStartCalloutData",
            "tenantId": tenant,
            "authenticationEventListenerId": "11112222-bbbb-3333-cccc-4444dddd5555",
            "customAuthenticationExtensionId": "22223333-cccc-4444-dddd-5555eeee6666",
            "authenticationContext": {
                "correlationId": correlation or secrets.token_hex(16),
                "client": {"ip": "192.0.2.110", "locale": "en-us", "market": "en-us"},
                "protocol": "SAML",
                "clientServicePrincipal": {"id": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb", "displayName": "Bitbucket"},
                "user": {
                    "displayName": "Ann Ash",
                    "id": user_id,
                    "mail": mail or name,
                    "userPrincipalName": name,
                    "userType": "Member",
                },
            },
        },
    }


def keycloak_event(
    kind: str = "access.LOGIN", *, username: str = "ann", seconds_ago: float = 0, **more: Any
) -> dict[str, Any]:
    """As the listener ext-event-webhook sends it."""
    return {
        "time": int((time.time() - seconds_ago) * 1000),
        "realmId": "staff",
        "uid": secrets.token_hex(16),
        "authDetails": {
            "realmId": "staff",
            "clientId": "bitbucket",
            "userId": "88251cc6-7408-4b31-a4c7-b2840d99b916",
            "ipAddress": "192.0.2.11",
            "username": username,
            "sessionId": "3cd8d025-d5d4-4ff2-82d3-a9c552ba422c",
        },
        "type": kind,
        "details": {"auth_method": "saml", "username": "what was typed"},
        **more,
    }


def signed(body: bytes, secret: str, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()


def as_json(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


class Issuer:
    """Who signs tokens, and serves the public keys."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
        self.other = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
        self.asked = 0
        self.url = ""

    async def keys(self, _request: Request) -> JSONResponse:
        self.asked += 1
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    def token(self, *, key: RSAKey | None = None, kid: str = "k1", **claims: Any) -> str:
        moment = int(time.time())
        plain = {
            "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
            "aud": APP,
            "azp": CALLER,
            "tid": TENANT,
            "iat": moment,
            "nbf": moment,
            "exp": moment + 3600,
        }
        return jwt.encode({"alg": "RS256", "kid": kid}, {**plain, **claims}, key or self.key)


@contextmanager
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    with served(Starlette(routes=[Route("/keys", made.keys)])) as url:
        made.url = f"{url}/keys"
        yield made
