"""What a realm's events tell: who and what was touched, never what it is now.

Keycloak, server administration guide, "Configuring auditing to track events". What has an event, and which, is as
Keycloak 26.7 was seen to do it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec

from connectors.http.client import HttpClient, Params
from connectors.sources.keycloak.realm import Realm
from connectors.sources.keycloak.wire import AdminEvent, EventsConfig, UserEvent
from directory.errors import CredentialsRefused

__all__ = ["Journal", "Mark", "Recording", "Touched", "is_kept", "newest", "recording"]

OWN_CHANGES: Final = frozenset(
    {
        "DELETE_ACCOUNT",
        "REGISTER",
        "UPDATE_EMAIL",
        "UPDATE_PROFILE",
        "USER_DISABLED_BY_PERMANENT_LOCKOUT",
        "VERIFY_EMAIL",
    }
)
"""Types of users' events without which changes of their own accounts would be missed."""

_FURTHER: Final = frozenset({"CUSTOM_REQUIRED_ACTION", "IDENTITY_PROVIDER_FIRST_LOGIN", "VERIFY_PROFILE"})
"""Types that may tell of changes, asked for where the realm keeps them."""

_CHANGES_NOTHING_READ: Final = frozenset(
    {
        "AUTHENTICATOR_CONFIG",
        "AUTH_EXECUTION",
        "AUTH_EXECUTION_FLOW",
        "AUTH_FLOW",
        "AUTHORIZATION_POLICY",
        "AUTHORIZATION_RESOURCE",
        "AUTHORIZATION_RESOURCE_SERVER",
        "AUTHORIZATION_SCOPE",
        "CLIENT",
        "CLIENT_INITIAL_ACCESS_MODEL",
        "CLIENT_ROLE",
        "CLIENT_ROLE_MAPPING",
        "CLIENT_SCOPE",
        "CLIENT_SCOPE_CLIENT_MAPPING",
        "CLIENT_SCOPE_MAPPING",
        "CLUSTER_NODE",
        "IDENTITY_PROVIDER",
        "IDENTITY_PROVIDER_MAPPER",
        "PROTOCOL_MAPPER",
        "REALM_ROLE",
        "REALM_ROLE_MAPPING",
        "REALM_SCOPE_MAPPING",
        "REQUIRED_ACTION",
        "USER_LOGIN_FAILURE",
        "USER_SESSION",
    }
)
"""Resource types of which nothing is read. Any other that is not understood asks for a full read: REALM (also a partial
import, and events that were turned off and on), COMPONENT (LDAP), USER_PROFILE, organizations, and what is new."""

_PERSON: Final = re.compile(r"users/([^/]+)(?:/.*)?")
_MEMBERSHIP: Final = re.compile(r"users/([^/]+)/groups/([^/]+)")
_PAGE: Final = 1000


@dataclass(frozen=True)
class Recording:
    """Which events a realm keeps now.

    `at` is a time that has passed by the server's clock, in milliseconds since 1970: when the token was made.
    Keycloak sends no header Date. 0 where the token does not tell.
    """

    at: int
    of_administrators: bool
    of_users: tuple[str, ...]
    """The types to ask for; empty where not all are kept that tell of changes."""


async def recording(realm: Realm) -> Recording | None:
    """None where the service account may not see it."""
    try:
        config = await realm.client.get_json("events/config", decode=EventsConfig)
    except CredentialsRefused as refused:
        if "HTTP 403" in refused.what:
            return None
        raise
    kept = frozenset(config.enabled_event_types) if config.events_enabled else frozenset()
    of_users = tuple(sorted(kept & (OWN_CHANGES | _FURTHER))) if kept >= OWN_CHANGES else ()
    return Recording((realm.claims.iat or 0) * 1000, config.admin_events_enabled, of_users)


class Mark(msgspec.Struct, frozen=True):
    """An event by which one can tell that no later one was cleared and that none has expired: both begin with it."""

    id: str
    time: int


Event = TypeVar("Event", AdminEvent, UserEvent)


async def newest(client: HttpClient, url: str) -> Mark | None:
    """The last event of all; None where there is none."""
    found = await client.get_json(url, {"max": 1}, decode=list[Mark])
    return found[0] if found else None


async def is_kept(client: HttpClient, url: str, mark: Mark) -> bool:
    """Whether an event is still there."""
    moment: Params = {"dateFrom": str(mark.time), "dateTo": str(mark.time), "max": _PAGE}
    return any(found.id == mark.id for found in await client.get_json(url, moment, decode=list[Mark]))


class Journal(Generic[Event]):
    """The events of one list from an instant on, each of them once.

    A page begins at the time of the last event of the page before. Offsets would not do: old events expire, and events
    of the same millisecond have no order.
    """

    def __init__(
        self, client: HttpClient, url: str, event: type[Event], since: int, *, only: Params | None = None
    ) -> None:
        self._client = client
        self._url = url
        self._page: Any = list[event]  # type: ignore[valid-type]
        self._from = since
        self._only = dict(only or {})
        self.heard: dict[str, Event] = {}

    @property
    def last(self) -> Mark | None:
        """The newest one heard."""
        event = max(self.heard.values(), key=lambda each: each.time, default=None)
        return None if event is None else Mark(event.id, event.time)

    async def unheard(self) -> list[Event]:
        """All that were not told yet."""
        fresh: dict[str, Event] = {}
        size = _PAGE
        while True:
            asked = {**self._only, "dateFrom": str(self._from), "direction": "asc", "first": 0, "max": size}
            page: list[Event] = await self._client.get_json(self._url, asked, decode=self._page)
            fresh.update((event.id, event) for event in page if event.id not in self.heard)
            self.heard.update(fresh)
            reached = max((event.time for event in page), default=self._from)
            if len(page) < size:
                self._from = max(self._from, reached)
                return list(fresh.values())
            # More events of one millisecond than a page holds need a larger page.
            size = size * 2 if reached <= self._from else _PAGE
            self._from = max(self._from, reached)


@dataclass
class Touched:
    """What has to be asked for again."""

    people: set[str] = field(default_factory=set)
    newcomers: set[str] = field(default_factory=set)
    """Whose memberships may have come with them, without an event."""
    memberships: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of person id and group id."""
    tree: bool = False
    everything: bool = False
    """Something that no single person or group stands for."""

    @classmethod
    def by(cls, administrators: Iterable[AdminEvent], users: Sequence[UserEvent]) -> Touched:
        touched = cls()
        for event in administrators:
            touched._hear(event)
        themselves = {event.user_id for event in users if event.user_id is not None}
        touched.people |= themselves
        touched.newcomers |= themselves
        return touched

    def _hear(self, event: AdminEvent) -> None:
        path = event.resource_path or ""
        if event.resource_type == "GROUP":
            self.tree = True
        elif event.resource_type == "GROUP_MEMBERSHIP" and (found := _MEMBERSHIP.fullmatch(path)):
            self.memberships.add((found[1], found[2]))
        elif event.resource_type == "USER" and (found := _PERSON.fullmatch(path)):
            self.people.add(found[1])
            if event.operation_type == "CREATE":
                self.newcomers.add(found[1])
        elif event.resource_type not in _CHANGES_NOTHING_READ:
            self.everything = True
