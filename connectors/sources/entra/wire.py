"""Graph's documents as they come, and how its pages follow each other."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from connectors.http.answer import Answer
from connectors.http.exchange import Params
from connectors.http.paging import Where

__all__ = ["DirectoryObject", "Group", "NextLink", "Page", "Refusal", "User"]

Row = TypeVar("Row")


class User(msgspec.Struct):
    """`properties` are those selected, `id` among them."""

    id: str
    properties: dict[str, Any]
    removed: bool = False

    @property
    def is_guest(self) -> bool:
        return self.properties.get("userType") == "Guest"


class DirectoryObject(msgspec.Struct):
    """A member, or a group that somebody is a member of."""

    id: str
    type: str = msgspec.field(default="", name="@odata.type")
    removed: dict[str, Any] | None = msgspec.field(default=None, name="@removed")
    name: str | None = msgspec.field(default=None, name="displayName")
    """Where it is asked for."""

    @property
    def is_user(self) -> bool:
        return self.type.endswith(".user")

    @property
    def is_group(self) -> bool:
        return self.type.endswith(".group")


class Group(msgspec.Struct):
    id: str
    name: str | None = msgspec.field(default=None, name="displayName")
    members: list[DirectoryObject] = msgspec.field(default_factory=list, name="members@delta")
    removed: dict[str, Any] | None = msgspec.field(default=None, name="@removed")


class Page(msgspec.Struct, Generic[Row]):
    value: list[Row]
    count: int | None = msgspec.field(default=None, name="@odata.count")
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")
    delta_link: str | None = msgspec.field(default=None, name="@odata.deltaLink")


class NextLink(Generic[Row]):
    """Follows `@odata.nextLink` to the end, through empty pages too, and remembers the count of the first page."""

    def __init__(self, row: Any) -> None:
        self.body = Page[row]
        self.count: int | None = None

    def first(self, url: str, params: Params) -> Where:
        return Where(url, params)

    def rows(self, body: Page[Row]) -> list[Row]:
        return body.value

    def following(self, here: Where, answer: Answer) -> Where | None:  # noqa: ARG002 the protocol's signature
        page: Page[Row] = answer.value
        self.count = page.count if self.count is None else self.count
        return None if page.next_link is None else Where(page.next_link)


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class Refusal(msgspec.Struct):
    """The body of an answer that refuses."""

    error: _Error
