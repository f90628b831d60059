"""Okta's error answers: one JSON shape for every status (Okta developer documentation, "Okta API error codes")."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import msgspec
from starlette.responses import Response


def refusal(
    status: int,
    code: str,
    summary: str,
    *,
    causes: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = {
        "errorCode": code,
        "errorSummary": summary,
        "errorLink": code,
        "errorId": "oae" + secrets.token_urlsafe(15),
        "errorCauses": [{"errorSummary": cause} for cause in causes],
    }
    return Response(msgspec.json.encode(body), status, headers=dict(headers or {}), media_type="application/json")


def invalid(field: str, why: str) -> Response:
    return refusal(400, "E0000001", f"Api validation failed: {field}", causes=[f"{field}: {why}"])


def invalid_search(why: str) -> Response:
    return refusal(400, "E0000031", f"Invalid search criteria. {why}")


def invalid_token() -> Response:
    return refusal(401, "E0000011", "Invalid token provided")


def forbidden(missing_scope: str | None = None) -> Response:
    """Without a scope's name: the token's owner has no administrator role for this."""
    headers = {}
    if missing_scope is not None:
        headers["www-authenticate"] = (
            'Bearer error="insufficient_scope", '
            f'error_description="The access token lacks the scope {missing_scope}", scope="{missing_scope}"'
        )
    return refusal(403, "E0000006", "You do not have permission to perform the requested action", headers=headers)


def not_found(what: str, kind: str) -> Response:
    return refusal(404, "E0000007", f"Not found: Resource not found: {what} ({kind})")


def wrong_method() -> Response:
    return refusal(405, "E0000022", "The endpoint does not support the provided HTTP method")


def too_many_requests() -> Response:
    return refusal(429, "E0000047", "API call exceeded rate limit due to too many requests.")


def internal_error(status: int) -> Response:
    return refusal(status, "E0000009", "Internal Server Error")
