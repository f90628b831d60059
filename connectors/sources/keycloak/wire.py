"""The part of Keycloak's representations that is read. Whatever else is in them is passed over."""

from __future__ import annotations

import msgspec

__all__ = ["GroupCount", "GroupRow", "MemberRow", "PersonRow"]


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
