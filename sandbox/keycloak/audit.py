"""The events that a realm keeps: of administrators and of its users, each only while the realm is told to keep them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from sandbox.company import Change, Happening
from sandbox.keycloak.admin_events import admin_event, admin_events, told
from sandbox.keycloak.documents import Document, milliseconds
from sandbox.keycloak.state import RealmState, service_account_id
from sandbox.keycloak.switches import ConfidentialClient, Switches

BY_THEMSELVES: Mapping[Happening, str] = {
    Happening.HIRED: "REGISTER",
    Happening.UPDATED: "UPDATE_PROFILE",
    Happening.STANDING: "USER_DISABLED_BY_PERMANENT_LOCKOUT",
    Happening.ERASED: "DELETE_ACCOUNT",
}
"""Groups that somebody is put into because they registered have no event."""


class Audit:
    """`admin` and `user` are the events kept so far, oldest first.

    What happens to the company is taken in when somebody asks for events, and when a switch is about to change.
    """

    def __init__(self, state: RealmState, switches: Switches) -> None:
        self._state = state
        self._switches = switches
        self._heard = 0
        self.admin: list[Document] = []
        self.user: list[Document] = []

    def take_in(self) -> None:
        """Keep what happened since, as the deeds of administrators."""
        with self._state.company.lock:
            for event in admin_events(self._unheard(), self._state, self._switches):
                self._keep(event)

    @contextmanager
    def by_themselves(self) -> Iterator[None]:
        """What happens meanwhile, people do to their own accounts."""
        with self._state.company.lock:
            self.take_in()
            yield
            for change in told(self._unheard()):
                if change.what in BY_THEMSELVES and change.person_id is not None:
                    user_id = self._state.user_id(change.person_id)
                    self._keep_user(BY_THEMSELVES[change.what], user_id, milliseconds(change.at))

    def found_group(self, name: str, parent: str | None) -> str:
        """An administrator makes a group; its id in the company."""
        with self._state.company.lock:
            group_id = self._state.found_group(name, parent)
            own = f"groups/{self._state.group_id(group_id)}"
            self.tell("CREATE", "GROUP", own if parent is None else self._children_of(parent))
            return group_id

    def move_group(self, group_id: str, parent: str | None) -> None:
        """An administrator moves a group. Raises ValueError for a place within itself."""
        with self._state.company.lock:
            self._state.move_group(group_id, parent)
            self.tell("UPDATE", "GROUP", "groups" if parent is None else self._children_of(parent))

    def _children_of(self, group_id: str) -> str:
        return f"groups/{self._state.group_id(group_id)}/children"

    def tell(self, operation: str, resource: str, path: str | None) -> None:
        """An administrator did something that does not concern the company."""
        with self._state.company.lock:
            self.take_in()
            self._keep(admin_event(self._now(), operation, resource, path, self._switches))

    def switch(self, *, admin: bool | None = None, user: bool | None = None) -> None:
        """Change what is kept. An event tells of it unless admin events were off (26.7: also where they go off)."""
        with self._state.company.lock:
            self.take_in()
            event = admin_event(self._now(), "UPDATE", "REALM", "events/config", self._switches)
            self._keep(event)
            if admin is not None:
                self._switches.admin_events_enabled = admin
            if user is not None:
                self._switches.user_events_enabled = user

    def clear(self) -> None:
        """Delete all events, as an administrator can. That itself is no event."""
        with self._state.company.lock:
            self.take_in()
            self.admin.clear()
            self.user.clear()

    def expire(self, *, admin: int = 0, user: int = 0) -> None:
        """Let the oldest events of each kind go, so many."""
        with self._state.company.lock:
            self.take_in()
            del self.admin[:admin], self.user[:user]

    def logged_in(self, client: ConfidentialClient) -> None:
        self._keep_user("CLIENT_LOGIN", service_account_id(client), self._now())

    def config(self) -> Document:
        """RealmEventsConfigRepresentation."""
        return {
            "eventsEnabled": self._switches.user_events_enabled,
            "eventsListeners": ["jboss-logging"],
            "enabledEventTypes": list(self._switches.user_event_types),
            "adminEventsEnabled": self._switches.admin_events_enabled,
            "adminEventsDetailsEnabled": False,
        }

    def chosen_admin(self, query: QueryParams) -> list[Document]:
        """Newest first unless `direction=asc`. Raises ValueError in Keycloak's words for a date it cannot read."""
        self.take_in()
        return _chosen(self.admin, query, {"resourceTypes": "resourceType", "operationTypes": "operationType"})

    def chosen_user(self, query: QueryParams) -> list[Document]:
        """As `chosen_admin`, of the users' events."""
        self.take_in()
        return _chosen(self.user, query, {"type": "type", "user": "userId", "client": "clientId"})

    def _unheard(self) -> Sequence[Change]:
        changes = self._state.company.changes[self._heard :]
        self._heard += len(changes)
        return changes

    def _keep(self, event: Document) -> None:
        if self._switches.admin_events_enabled:
            self.admin.append(event)

    def _keep_user(self, kind: str, user_id: str, at: int) -> None:
        if not self._switches.user_events_enabled or kind not in self._switches.user_event_types:
            return
        event: Document = {
            "id": str(uuid.uuid4()),
            "time": at,
            "type": kind,
            "realmId": self._switches.realm,
            "clientId": "account-console",
            "userId": user_id,
            "ipAddress": "127.0.0.1",
            "details": {},
        }
        self.user.append(event)

    def _now(self) -> int:
        return milliseconds(self._state.company.clock())


def _chosen(events: Sequence[Document], query: QueryParams, fields: Mapping[str, str]) -> list[Document]:
    start, end = _moment(query, "dateFrom"), _moment(query, "dateTo")
    found = []
    for event in events:
        at = event["time"]
        in_time = isinstance(at, int) and (start is None or at >= start) and (end is None or at <= end)
        if in_time and all(event.get(key) in wanted for name, key in fields.items() if (wanted := query.getlist(name))):
            found.append(event)
    return found if query.get("direction") == "asc" else found[::-1]


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
