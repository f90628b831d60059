"""The part of Keycloak's representations that is read. Whatever else is in them is passed over."""

from __future__ import annotations

import msgspec

__all__ = ["AdminEvent", "EventsConfig", "GroupCount", "GroupRow", "MemberRow", "PersonRow", "UserEvent"]


class PersonRow(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """UserRepresentation, not brief."""

    id: str
    enabled: bool
    username: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email_verified: bool | None = None
    created_timestamp: int | None = None
    """Milliseconds since 1970."""
    attributes: dict[str, list[str | None]] | None = None
    federation_link: str | None = None

    @property
    def is_federated(self) -> bool:
        """Whether they come from another directory; one that is not imported has an id that begins so."""
        return self.federation_link is not None or self.id.startswith("f:")


class GroupRow(msgspec.Struct, rename="camel", frozen=True):
    """GroupRepresentation, brief. Before Keycloak 23 there was no `subGroupCount`, and whole trees came at once."""

    id: str
    name: str
    path: str
    sub_group_count: int


class MemberRow(msgspec.Struct, frozen=True, gc=False):
    id: str


class GroupCount(msgspec.Struct):
    count: int


class EventsConfig(msgspec.Struct, rename="camel", frozen=True):
    """RealmEventsConfigRepresentation: the role view-events is enough to see it."""

    admin_events_enabled: bool = False
    events_enabled: bool = False
    """Of users."""
    enabled_event_types: list[str] = []


class AdminEvent(msgspec.Struct, rename="camel", frozen=True):
    """AdminEventRepresentation without what was written, which the realm need not keep."""

    id: str
    time: int
    """Milliseconds since 1970."""
    operation_type: str | None = None
    resource_type: str | None = None
    resource_path: str | None = None


class UserEvent(msgspec.Struct, rename="camel", frozen=True):
    """EventRepresentation. `time` is in milliseconds since 1970."""

    id: str
    time: int
    user_id: str | None = None
