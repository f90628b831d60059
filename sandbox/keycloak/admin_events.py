"""Admin events of a realm: none unless it keeps them (Keycloak administration guide, "Auditing admin events")."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from sandbox.company import Change, Happening
from sandbox.keycloak.documents import Document, milliseconds
from sandbox.keycloak.state import RealmState, keycloak_id
from sandbox.keycloak.switches import Switches

KIND: Mapping[Happening, tuple[str, str]] = {
    Happening.HIRED: ("CREATE", "USER"),
    Happening.UPDATED: ("UPDATE", "USER"),
    Happening.STANDING: ("UPDATE", "USER"),
    Happening.ERASED: ("DELETE", "USER"),
    Happening.JOINED: ("CREATE", "GROUP_MEMBERSHIP"),
    Happening.QUIT: ("DELETE", "GROUP_MEMBERSHIP"),
    Happening.GROUP_RENAMED: ("UPDATE", "GROUP"),
    Happening.GROUP_CLOSED: ("DELETE", "GROUP"),
}


def chosen_events(query: QueryParams, state: RealmState, switches: Switches) -> list[Document]:
    """Newest first unless `direction=asc`. Raises ValueError with Keycloak's words for a date that cannot be read."""
    if not switches.admin_events_enabled:
        return []
    events = list(_chosen(query, state, switches))
    return events if query.get("direction") == "asc" else events[::-1]


def _chosen(query: QueryParams, state: RealmState, switches: Switches) -> Iterator[Document]:
    start, end = _moment(query, "dateFrom"), _moment(query, "dateTo")
    resources, operations = query.getlist("resourceTypes"), query.getlist("operationTypes")
    for position, change in enumerate(state.company.changes):
        operation, resource = KIND[change.what]
        at = milliseconds(change.at)
        in_time = (start is None or at >= start) and (end is None or at <= end)
        if in_time and (not resources or resource in resources) and (not operations or operation in operations):
            yield _event(position, change, state, switches)


def _moment(query: QueryParams, name: str) -> int | None:
    """`yyyy-MM-dd`, or milliseconds since 1970."""
    text = query.get(name)
    if text is None:
        return None
    if text.isdigit():
        return int(text)
    try:
        return milliseconds(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        expected = "expected format is yyyy-MM-dd or an Epoch timestamp"
        raise ValueError(f"Invalid value for '{name}', {expected}") from None


def _event(position: int, change: Change, state: RealmState, switches: Switches) -> Document:
    operation, resource = KIND[change.what]
    parts = []
    if change.person_id is not None:
        parts.append(f"users/{state.user_id(change.person_id)}")
    if change.group_id is not None:
        parts.append(f"groups/{state.group_id(change.group_id)}")
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{position} {change.at.isoformat()}")),
        "time": milliseconds(change.at),
        "realmId": switches.realm,
        "authDetails": {
            "realmId": switches.realm,
            "clientId": keycloak_id("client", "security-admin-console"),
            "userId": keycloak_id("user", "administrator"),
            "ipAddress": "127.0.0.1",
        },
        "operationType": operation,
        "resourceType": resource,
        "resourcePath": "/".join(parts),
    }
