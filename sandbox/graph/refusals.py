"""Graph's error answers: one JSON shape for every status (Graph, "Error responses and resource types")."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from sandbox.graph.asking import Refusal, Reply

ADVANCED = "https://aka.ms/graph-docs/advanced-queries"


def reply(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    request_id = str(uuid.uuid4())
    inner = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": request_id,
    }
    body = {"error": {"code": code, "message": message, "innerError": inner}}
    return Reply(status, body, dict(headers or {}))


def bad(message: str, code: str = "BadRequest") -> Refusal:
    return Refusal(reply(400, code, message))


def unsupported(message: str = "Unsupported Query.") -> Refusal:
    return bad(message, "Request_UnsupportedQuery")


def needs_advanced(what: str) -> Refusal:
    return unsupported(
        f"{what} is not supported because the required parameters might be missing. Try adding $count=true query "
        f"parameter and ConsistencyLevel:eventual header. Refer to {ADVANCED} for more information"
    )


def page_size(asked: str) -> Refusal:
    return unsupported(f"Invalid page size specified: '{asked}'. Must be between 1 and 999 inclusive.")


def unknown_property(name: str, kind: str) -> Refusal:
    return bad(
        f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type "
        f"'microsoft.graph.{kind}'."
    )


def not_on_collections(name: str) -> Refusal:
    return Refusal(reply(501, "NotImplemented", f"The property '{name}' cannot be selected on a list of users."))


def not_found(object_id: str) -> Refusal:
    message = f"Resource '{object_id}' does not exist or one of its queried reference-property objects are not present."
    return Refusal(reply(404, "Request_ResourceNotFound", message))


def no_photo() -> Refusal:
    return Refusal(reply(404, "ImageNotFound", "The photo was not found."))


def unknown_segment(segment: str) -> Reply:
    return reply(400, "BadRequest", f"Resource not found for the segment '{segment}'.")


def expired_token() -> Reply:
    return reply(
        401,
        "InvalidAuthenticationToken",
        "Lifetime validation failed, the token is expired.",
        {"www-authenticate": 'Bearer realm="", error="invalid_token"'},
    )


def denied() -> Reply:
    return reply(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def throttled(seconds: str) -> Reply:
    headers = {
        "retry-after": seconds,
        "x-ms-throttle-scope": "Tenant_Application/ReadWrite/sandbox/sandbox",
        "x-ms-throttle-information": "ResourceUnitLimitExceeded",
    }
    return reply(429, "TooManyRequests", "Too many requests. Please retry after some time.", headers)


def sync_state_not_found() -> Refusal:
    return bad("Sync state generation is not found. Perform a new full sync.", "syncStateNotFound")


def resync(location: str) -> Refusal:
    gone = reply(410, "resyncRequired", "Resync required. Replace local items with the server's.")
    gone.headers["location"] = location
    return Refusal(gone)


def unavailable(status: int) -> Reply:
    codes = {404: "Request_ResourceNotFound", 403: "Authorization_RequestDenied", 401: "InvalidAuthenticationToken"}
    return reply(status, codes.get(status, "serviceNotAvailable"), "The service could not answer this request.")
