"""Reading what one connector was pushed, in a transaction that is open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from sqlalchemy import Connection, RowMapping, TextClause, bindparam, text

from ledger.scim.predicates import All, Condition, Operand, Rendering

__all__ = ["Keyset", "Membership", "Order", "Page", "Reader", "Stored"]

ResourceKind = Literal["User", "Group"]

_COLUMNS: Final = "r.id, r.kind, r.external_id, r.version, r.created_at, r.modified_at, r.document"
_GET: Final = f"SELECT {_COLUMNS} FROM scim_resources r WHERE r.connector_id = :connector_id AND r.id = :id"  # noqa: S608
_GET_ONE: Final = text(_GET)
_GET_LOCKED: Final = text(f"{_GET} FOR UPDATE")
_COUNTED: Final = text('SELECT "count" FROM scim_counts WHERE connector_id = :connector_id AND kind = :kind')
_MEMBERS: Final = text(
    "SELECT member_id, member_kind, display FROM scim_members"
    " WHERE connector_id = :connector_id AND group_id = :group_id ORDER BY member_id"
)
_MEMBERSHIPS: Final = text(
    "SELECT m.group_id, m.member_id, m.member_kind, m.display FROM scim_members m"
    " WHERE m.connector_id = :connector_id AND m.group_id IN :ids ORDER BY m.group_id, m.member_id"
).bindparams(bindparam("ids", expanding=True))
_GROUPS_OF_ONE: Final = text(
    "SELECT m.member_id, m.group_id, r.document FROM scim_members m"
    " JOIN scim_resources r ON r.connector_id = m.connector_id AND r.id = m.group_id"
    " WHERE m.connector_id = :connector_id AND m.member_id = :id ORDER BY m.group_id"
)
_GROUPS_OF: Final = text(
    "SELECT m.member_id, m.group_id, r.document FROM scim_members m"
    " JOIN scim_resources r ON r.connector_id = m.connector_id AND r.id = m.group_id"
    " WHERE m.connector_id = :connector_id AND m.member_id IN :ids ORDER BY m.member_id, m.group_id"
).bindparams(bindparam("ids", expanding=True))
_AT_ONCE: Final = 500
"""Ids in one statement."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A user or a group, without what memberships tell."""

    id: str
    kind: ResourceKind
    external_id: str | None
    version: int
    created_at: int
    """Microseconds since 1970."""
    modified_at: int
    document: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Of a group: its member. Of a person: the group, and what it is called."""

    id: str
    kind: ResourceKind
    display: str | None


@dataclass(frozen=True)
class Order:
    """By what a page is sorted, before the id. Whoever has nothing there comes last, or first when it descends."""

    by: Operand | None = None
    descending: bool = False


@dataclass(frozen=True)
class Keyset:
    """A place between two rows: the sort value and the id of a row, and which way from there."""

    value: Any
    id: str
    backward: bool = False


@dataclass(frozen=True)
class Page:
    total: int | None
    resources: list[Stored]
    more: bool = False
    """Whether there is more beyond the last of them; only told where a keyset or a lookahead was asked for."""
    values: tuple[Any, ...] = ()
    """The sort value of each resource."""


class Reader:
    """What there is for one connector. Nothing of another's can be reached through it."""

    def __init__(self, connection: Connection, connector_id: str, *, sqlite: bool, locks: bool = False) -> None:
        self._connection = connection
        self._connector_id = connector_id
        self._sqlite = sqlite
        self._get = _GET_LOCKED if locks and not sqlite else _GET_ONE

    def get(self, kind: ResourceKind, resource_id: str) -> Stored | None:
        """One resource; in a transaction that writes, nobody else writes it until that ends."""
        found = self._connection.execute(self._get, {"connector_id": self._connector_id, "id": resource_id})
        row = found.mappings().first()
        return None if row is None or row["kind"] != kind else _stored(row)

    def count(self, kinds: Sequence[ResourceKind], condition: Condition | None = None) -> int:
        if condition is None:
            return sum(self._counted(kind) for kind in kinds)
        where, values = self._where(kinds, condition)
        statement = _text(f"SELECT COUNT(*) FROM scim_resources r WHERE {where}")  # noqa: S608 -- made of constants
        return int(self._connection.execute(statement, values).scalar_one())

    def page(
        self,
        kinds: Sequence[ResourceKind],
        condition: Condition | None,
        *,
        offset: int,
        limit: int | None,
        order: Order | None = None,
    ) -> Page:
        """A page and how many there are in all. In the order of creation where none is asked for."""
        where, values = self._where(kinds, condition)
        by, sort_values = self._order(order)
        values |= sort_values
        if limit == 0:
            return Page(self.count(kinds, condition), [])
        window = "" if limit is None and not offset else " LIMIT :limit OFFSET :offset"
        values |= {"limit": -1 if limit is None and self._sqlite else limit, "offset": offset} if window else {}
        # Only ids are walked over to the page, along an index; the rest is fetched for the page alone.
        statement = (
            f"SELECT {_COLUMNS} FROM (SELECT r.connector_id, r.id FROM scim_resources r WHERE {where}"  # noqa: S608
            f" ORDER BY {by}{window}) p"
            f" JOIN scim_resources r ON r.connector_id = p.connector_id AND r.id = p.id ORDER BY {by}"
        )
        found = [_stored(row) for row in self._connection.execute(_text(statement), values).mappings()]
        ends_here = limit is None or len(found) < limit
        if ends_here and (found or not offset):
            return Page(offset + len(found), found)
        return Page(self.count(kinds, condition), found)

    def page_from(
        self,
        kinds: Sequence[ResourceKind],
        condition: Condition | None,
        *,
        place: Keyset | None,
        limit: int | None,
        order: Order | None = None,
    ) -> Page:
        """The page that follows a place, or comes before it; `more` tells whether one goes on in that direction."""
        order = order or Order()
        where, values = self._where(kinds, condition)
        backward = place is not None and place.backward
        scalar, sort_values = self._sort_scalar(order)
        values |= sort_values
        descending = order.descending != backward
        if place is not None:
            where += f" AND {self._beyond(scalar, place, descending=descending, values=values)}"
        ids = f"r.id {'DESC' if backward else 'ASC'}"
        nulls = f"({scalar} IS NULL) {'DESC' if descending else 'ASC'}"
        by = f"{nulls}, {scalar} {'DESC' if descending else 'ASC'}, {ids}"
        window = ""
        if limit is not None:
            window = " LIMIT :limit"
            values["limit"] = limit + 1
        statement = _text(
            f"SELECT {_COLUMNS}, {scalar} AS sort_value FROM scim_resources r"  # noqa: S608 -- made of constants
            f" WHERE {where} ORDER BY {by}{window}"
        )
        rows = list(self._connection.execute(statement, values).mappings())
        more = limit is not None and len(rows) > limit
        rows = rows[:limit] if limit is not None else rows
        if backward:
            rows.reverse()
        return Page(None, [_stored(row) for row in rows], more, tuple(row["sort_value"] for row in rows))

    def members(self, group_id: str) -> list[Membership]:
        """By id."""
        values = {"connector_id": self._connector_id, "group_id": group_id}
        return [Membership(*row) for row in self._connection.execute(_MEMBERS, values)]

    def members_of(self, group_ids: Sequence[str]) -> dict[str, list[Membership]]:
        """Of each group that has any."""
        found: dict[str, list[Membership]] = {}
        for row in self._in_parts(_MEMBERSHIPS, group_ids):
            found.setdefault(row[0], []).append(Membership(row[1], row[2], row[3]))
        return found

    def groups_of(self, member_ids: Sequence[str]) -> dict[str, list[Membership]]:
        """The groups that each is directly in, where it is in any."""
        found: dict[str, list[Membership]] = {}
        for row in self._in_parts(_GROUPS_OF, member_ids):
            name = json.loads(row[2]).get("displayName")
            found.setdefault(row[0], []).append(Membership(row[1], "Group", name))
        return found

    def groups_of_one(self, member_id: str) -> list[Membership]:
        values = {"connector_id": self._connector_id, "id": member_id}
        found = self._connection.execute(_GROUPS_OF_ONE, values)
        return [Membership(row[1], "Group", json.loads(row[2]).get("displayName")) for row in found]

    def _in_parts(self, statement: TextClause, ids: Sequence[str]) -> Iterator[Any]:
        for begin in range(0, len(ids), _AT_ONCE):
            part = list(ids[begin : begin + _AT_ONCE])
            yield from self._connection.execute(statement, {"connector_id": self._connector_id, "ids": part})

    def _counted(self, kind: ResourceKind) -> int:
        values = {"connector_id": self._connector_id, "kind": kind}
        return int(self._connection.execute(_COUNTED, values).scalar() or 0)

    def _where(self, kinds: Sequence[ResourceKind], condition: Condition | None) -> tuple[str, dict[str, Any]]:
        rendering = Rendering(All(()) if condition is None else condition, sqlite=self._sqlite)
        values = rendering.values | {"connector_id": self._connector_id}
        values |= {f"kind{number}": kind for number, kind in enumerate(kinds)}
        named = ", ".join(f":kind{number}" for number in range(len(kinds)))
        kind = "r.kind = :kind0" if len(kinds) == 1 else f"r.kind IN ({named})"
        where = f"r.connector_id = :connector_id AND {kind}"
        return (where if condition is None else f"{where} AND {rendering.sql}"), values

    def _order(self, order: Order | None) -> tuple[str, dict[str, Any]]:
        if order is None or order.by is None:
            return "r.created_at, r.id", {}
        scalar, values = self._sort_scalar(order)
        way = "DESC" if order.descending else "ASC"
        return f"({scalar} IS NULL) {way}, {scalar} {way}, r.created_at {way}, r.id {way}", values

    def _sort_scalar(self, order: Order) -> tuple[str, dict[str, Any]]:
        if order.by is None:
            return "r.created_at", {}
        scalar, values = Rendering.of_operand(order.by, sqlite=self._sqlite)
        return scalar, values

    def _beyond(self, scalar: str, place: Keyset, *, descending: bool, values: dict[str, Any]) -> str:
        sign = "<" if descending else ">"
        id_sign = "<" if place.backward else ">"
        values["place_id"] = place.id
        if place.value is None:
            # Those without a value stand at one end, among themselves by id.
            rest = f"({scalar} IS NULL AND r.id {id_sign} :place_id)"
            return f"({rest} OR {scalar} IS NOT NULL)" if descending else rest
        values["place"] = place.value
        beyond = f"({scalar} {sign} :place OR ({scalar} = :place AND r.id {id_sign} :place_id))"
        return f"({scalar} IS NOT NULL AND {beyond})" if descending else f"({scalar} IS NULL OR {beyond})"


def _stored(row: RowMapping) -> Stored:
    return Stored(
        row["id"],
        row["kind"],
        row["external_id"],
        row["version"],
        row["created_at"],
        row["modified_at"],
        row["document"],
    )


@lru_cache(maxsize=256)
def _text(statement: str) -> TextClause:
    """Kept, so that SQLAlchemy compiles each form of a search once."""
    return text(statement)
