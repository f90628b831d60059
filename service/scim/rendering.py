"""Answers made of what is stored as it is stored: a document is put between its id and its meta, and not read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from ledger.scim.reading import Membership, Stored
from service.scim.drafts import version_tag

__all__ = ["listed", "location", "resource"]

_LIST: Final = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"]'


def location(base_url: str, kind: str, resource_id: str) -> str:
    return f"{base_url}/{kind}s/{resource_id}"


def resource(base_url: str, stored: Stored, memberships: Sequence[Membership] | None) -> str:
    """A user with their groups or a group with its members, in JSON; without them for None."""
    where = location(base_url, stored.kind, stored.id)
    meta = (
        f'{{"resourceType":"{stored.kind}","created":"{_instant(stored.created_at)}",'
        f'"lastModified":"{_instant(stored.modified_at)}","location":"{where}",'
        f'"version":{json.dumps(version_tag(stored.version))}}}'
    )
    told = _memberships(base_url, stored, memberships) if memberships else ""
    inner = stored.document[1:-1]
    return f'{{"id":"{stored.id}",{inner}{told},"meta":{meta}}}'


def listed(
    base_url: str,
    found: Sequence[Stored],
    memberships: Mapping[str, Sequence[Membership]],
    *,
    total: int,
    start: int,
) -> str:
    """A page."""
    resources = ",".join(resource(base_url, each, memberships.get(each.id)) for each in found)
    counts = f'"totalResults":{total},"startIndex":{start},"itemsPerPage":{len(found)}'
    return f'{_LIST},{counts},"Resources":[{resources}]}}'


def _memberships(base_url: str, stored: Stored, memberships: Sequence[Membership]) -> str:
    of_group = stored.kind == "Group"
    name = "members" if of_group else "groups"
    entries = []
    for each in memberships:
        display = "" if each.display is None else f',"display":{json.dumps(each.display, ensure_ascii=False)}'
        kind = each.kind if of_group else "direct"
        entries.append(
            f'{{"value":"{each.id}","$ref":"{location(base_url, each.kind, each.id)}"{display},"type":"{kind}"}}'
        )
    return f',"{name}":[{",".join(entries)}]'


def _instant(value: int) -> str:
    return datetime.fromtimestamp(value // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{value % 1_000_000:06}Z"
