"""Google's error answers: the JSON of the Directory API ("Resolve errors"), and that of its token endpoint."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

NOT_AUTHORIZED = "Not Authorized to access this resource/api"


def json_answer(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json; charset=UTF-8")


def refusal(status: int, reason: str, message: str, *, domain: str = "global") -> Response:
    detail = {"message": message, "domain": domain, "reason": reason}
    return json_answer({"error": {"code": status, "message": message, "errors": [detail]}}, status)


def invalid(what: str) -> Response:
    return refusal(400, "invalid", f"Invalid Input: {what}")


def bad_request() -> Response:
    return refusal(400, "badRequest", "Bad Request")


def invalid_credentials() -> Response:
    return refusal(401, "authError", "Invalid Credentials")


def forbidden() -> Response:
    return refusal(403, "forbidden", NOT_AUTHORIZED)


def insufficient_scope() -> Response:
    return refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.")


def api_disabled() -> Response:
    message = "Admin SDK API has not been used in project 1 before or it is disabled."
    return refusal(403, "accessNotConfigured", message, domain="usageLimits")


def too_fast() -> Response:
    return refusal(403, "userRateLimitExceeded", "User Rate Limit Exceeded", domain="usageLimits")


def too_many_at_once() -> Response:
    return refusal(403, "quotaExceeded", "Quota exceeded for concurrent requests", domain="usageLimits")


def not_found(what: str) -> Response:
    return refusal(404, "notFound", f"Resource Not Found: {what}")


def failed(status: int) -> Response:
    """For a status that a test asks for."""
    if status == 401:
        return invalid_credentials()
    if status == 403:
        return forbidden()
    if status == 404:
        return not_found("groupKey")
    if status == 429:
        return refusal(429, "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits")
    return refusal(status, "backendError", "Backend Error")


def token_refusal(status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> Response:
    response = json_answer({"error": error, "error_description": description}, status)
    response.headers.update(headers or {})
    return response
