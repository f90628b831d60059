"""Requests that change nothing.

What clients ask most is answered from what is stored without building a model of it: one resource, a page, a search.
Everything else, such as a choice of attributes, sorting, cursors and discovery, goes through scim2-server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scim2_server.conditions import Conditions
from scim2_server.handler import ScimHandler

from ledger.scim import predicates as sql
from ledger.scim.reading import Membership, Reader, ResourceKind, Stored
from ledger.scim.store import Open
from service.scim import rendering
from service.scim.answers import Answer
from service.scim.drafts import key_of, version_tag
from service.scim.protocol import Desk, Request, answered, for_protocol
from service.scim.storage import LedgerStorage, not_found, search_condition

__all__ = ["is_brief", "memberships_of", "read", "whole"]

_EQUAL: Final = re.compile(r'\s*(userName|displayName|externalId|id)\s+eq\s+"([^"\\]*)"\s*', re.IGNORECASE)
_NAMES: Final = {"User": "username", "Group": "displayname"}


def is_brief(request: Request) -> bool:
    """Whether the answer takes one look into an index, and less than it costs to hand it to another thread."""
    if request.method != "GET" or request.kind is None:
        return False
    if request.kind == "Group" and not request.without_members:
        return False
    if len(request.segments) == 2:
        return True
    return _equality(request.kind, request.query.get("filter", "")) is not None and not request.query.get("sortBy")


def read(desk: Desk, transaction: Open, request: Request) -> Answer:
    """Raises SCIMException."""
    reader = transaction.reader(desk.connector.id)
    plain = desk.shape.always_whole and (not request.projects or request.without_members)
    if request.method == "GET" and request.kind is not None and plain:
        if len(request.segments) == 2 and request.segments[1] != ".search":
            return _one(desk, reader, request, request.kind, request.segments[1])
        if len(request.segments) == 1 and not {"sortBy", "sortOrder", "cursor"} & request.query.keys():
            return _page(desk, reader, request, request.kind)
    handler = ScimHandler(desk.protocol, LedgerStorage(desk.shape, reader, members=_wants_members(request)))
    return answered(handler.handle(for_protocol(desk, request)))


def whole(desk: Desk, reader: Reader, stored: Stored, status: int = 200) -> Answer:
    """A resource with all that belongs to it."""
    told = memberships_of(reader, stored)
    where = rendering.location(desk.base_url, stored.kind, stored.id)
    headers = {"ETag": version_tag(stored.version), "Content-Location": where}
    if status == 201:
        headers["Location"] = where
    return Answer(status, rendering.resource(desk.base_url, stored, told).encode(), headers)


def memberships_of(reader: Reader, stored: Stored) -> Sequence[Membership]:
    return reader.members(stored.id) if stored.kind == "Group" else reader.groups_of_one(stored.id)


def _one(desk: Desk, reader: Reader, request: Request, kind: ResourceKind, resource_id: str) -> Answer:
    stored = reader.get(kind, resource_id) or not_found(kind, resource_id)
    tag = version_tag(stored.version)
    conditions = Conditions(request.headers.get("if-match"), request.headers.get("if-none-match"))
    if not conditions.check(tag, "GET"):
        return Answer(304, b"", {"ETag": tag})
    if request.without_members and kind == "Group":
        where = rendering.location(desk.base_url, kind, stored.id)
        body = rendering.resource(desk.base_url, stored, None).encode()
        return Answer(200, body, {"ETag": tag, "Content-Location": where})
    return whole(desk, reader, stored)


def _page(desk: Desk, reader: Reader, request: Request, kind: ResourceKind) -> Answer:
    asked = request.query.get("filter")
    simple = _equality(kind, asked) if asked else None
    condition: sql.Condition | None
    if simple is not None and not {"startIndex", "count"} & request.query.keys():
        condition, start, count = simple, 1, desk.limits.page_unasked
    else:
        with desk.protocol.provider:
            resource_types = [desk.shape.types[kind]]
            search, _ = desk.protocol.read_search_query(resource_types, request.query)
        condition = search_condition(desk.shape, [kind], search)
        start, count = search.start_index or 1, search.count if search.count is not None else desk.limits.page_unasked
    page = reader.page([kind], condition, offset=start - 1, limit=count)
    ids = [each.id for each in page.resources]
    told: Mapping[str, Sequence[Membership]] = {}
    if kind == "User":
        told = reader.groups_of(ids)
    elif not request.without_members:
        told = reader.members_of(ids)
    text = rendering.listed(desk.base_url, page.resources, told, total=page.total or 0, start=start)
    return Answer(200, text.encode())


def _equality(kind: ResourceKind, text: str) -> sql.Condition | None:
    """The one comparison that clients look people and groups up by; None for any other filter."""
    shape = _EQUAL.fullmatch(text)
    if shape is None:
        return None
    name, value = shape.group(1).lower(), shape.group(2)
    if name == _NAMES[kind]:
        return sql.Compared(sql.Column("name_key"), "eq", key_of(value, case_exact=False))
    if name == "externalid":
        return sql.Compared(sql.Column("external_id"), "eq", key_of(value, case_exact=True))
    if name == "id":
        return sql.Compared(sql.Column("id"), "eq", value)
    return None


def _wants_members(request: Request) -> bool:
    """A group that is answered without its members is read without them."""
    content: Any = request.content if isinstance(request.content, Mapping) else {}
    left_out = request.query.get("excludedAttributes") or content.get("excludedAttributes") or ""
    names = left_out if isinstance(left_out, list) else str(left_out).split(",")
    return "members" not in {str(each).strip() for each in names}
