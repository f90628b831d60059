"""What happened to the company as admin events of a realm (Keycloak administration guide, "Auditing admin events").

The paths and what has no event of its own are as Keycloak 26.7 was seen to do it: the groups below a deleted one, and
the memberships of a group or a person that is deleted. A moved group has an event of the group that it came under.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def told(changes: Sequence[Change]) -> Iterable[Change]:
    """Those that have an event of their own, in order."""
    erased: set[str | None] = set()
    closed: set[str | None] = set()
    kept = []
    for change in reversed(changes):
        if change.what is Happening.ERASED:
            erased.add(change.person_id)
        if change.what is Happening.GROUP_CLOSED:
            above = None if change.group_before is None else change.group_before.parent
            closed.add(change.group_id)
            if above in closed:
                continue
        if change.what is Happening.QUIT and (change.person_id in erased or change.group_id in closed):
            continue
        kept.append(change)
    return reversed(kept)


def admin_events(changes: Sequence[Change], state: RealmState, switches: Switches) -> Iterator[Document]:
    """Oldest first, without a representation."""
    for change in told(changes):
        operation, resource = KIND[change.what]
        parts = []
        if change.person_id is not None:
            parts.append(f"users/{state.user_id(change.person_id)}")
        if change.group_id is not None:
            parts.append(f"groups/{state.group_id(change.group_id)}")
        yield admin_event(milliseconds(change.at), operation, resource, "/".join(parts), switches)


def admin_event(at: int, operation: str, resource: str, path: str | None, switches: Switches) -> Document:
    """`path` is None for the realm itself, which has none."""
    event: Document = {
        "id": str(uuid.uuid4()),
        "time": at,
        "realmId": switches.realm,
        "authDetails": {
            "realmId": switches.realm,
            "clientId": keycloak_id("client", "security-admin-console"),
            "userId": keycloak_id("user", "administrator"),
            "ipAddress": "127.0.0.1",
        },
        "operationType": operation,
        "resourceType": resource,
    }
    return event if path is None else {**event, "resourcePath": path}
