"""What identity providers pushed by SCIM: transactions, what is still to be looked at, and who did what."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from ledger.database import Database
from ledger.instant import moment
from ledger.scim.connectors import Authentic, Connectors, authenticate
from ledger.scim.folding import exact, folded
from ledger.scim.predicates import Any_, Column, Compared, Condition, Indexed
from ledger.scim.reading import Reader, ResourceKind
from ledger.scim.writing import Actor, Writer

__all__ = ["Audit", "Open", "Pushed", "Scim", "Touched"]

_TOUCHED: Final = text(
    "SELECT kind, resource_id, mark, at FROM scim_touched WHERE connector_id = :connector_id"
    " ORDER BY at, kind, resource_id LIMIT :limit"
)
_SEEN: Final = text(
    "DELETE FROM scim_touched WHERE connector_id = :connector_id AND kind = :kind AND resource_id = :resource_id"
    " AND mark = :mark"
)
_AUDIT: Final = text(
    "SELECT * FROM scim_audit WHERE connector_id = :connector_id"
    " AND (CAST(:id AS VARCHAR) IS NULL OR resource_id = :id) ORDER BY id DESC LIMIT :limit"
)
_RESOURCES: Final = text(
    "SELECT id, document FROM scim_resources WHERE connector_id = :connector_id AND kind = :kind AND id > :after"
    " ORDER BY id LIMIT :limit"
)
_MEMBERSHIPS: Final = text(
    "SELECT group_id, member_id, member_kind FROM scim_members WHERE connector_id = :connector_id"
    " ORDER BY group_id, member_id"
)
_COUNTS: Final = text('SELECT kind, "count" FROM scim_counts WHERE connector_id = :connector_id')
_LAST_USE: Final = text("SELECT MAX(last_used_at) FROM scim_tokens WHERE connector_id = :connector_id")
_PAGE: Final = 2000


@dataclass(frozen=True)
class Touched:
    """Who, or which whole group, a write touched."""

    kind: ResourceKind
    resource_id: str
    mark: str
    at: datetime


@dataclass(frozen=True)
class Audit:
    """One write: who, from where, what."""

    id: str
    token_id: str
    client: str | None
    request_id: str
    at: datetime
    action: str
    kind: ResourceKind
    resource_id: str
    version_before: int | None
    version_after: int | None
    changed: tuple[str, ...]
    mended: tuple[str, ...]


@dataclass(frozen=True)
class Pushed:
    """Everything that one connector was pushed, at one instant. Documents are SCIM as JSON, but for id and meta."""

    people: list[tuple[str, str]]
    """Id and document."""
    groups: list[tuple[str, str]]
    memberships: list[tuple[str, str, bool]]
    """Group, member, and whether that is a group."""
    promised: dict[str, int]
    """How many of each kind there are by the books."""
    last_contact: datetime | None
    """When a token of the connector was last used, to the minute; None for never."""


class Open:
    """A transaction that is open."""

    def __init__(self, connection: Connection, *, sqlite: bool) -> None:
        self._connection = connection
        self._sqlite = sqlite

    def authenticate(self, slug: str, presented: str) -> Authentic | None:
        """As `Connectors.authenticate`."""
        return authenticate(self._connection, slug, presented)

    def last_use(self, connector_id: str) -> datetime | None:
        """When a token of the connector was last used."""
        return moment(self._connection.execute(_LAST_USE, {"connector_id": connector_id}).scalar())

    def reader(self, connector_id: str) -> Reader:
        return Reader(self._connection, connector_id, sqlite=self._sqlite)

    def writer(self, connector_id: str, actor: Actor) -> Writer:
        return Writer(self._connection, connector_id, actor, sqlite=self._sqlite)

    @contextmanager
    def part(self) -> Iterator[None]:
        """What fails in it is taken back, and the transaction goes on."""
        with self._connection.begin_nested():
            yield


class Scim:
    """One subject of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.connectors = Connectors(database)
        self.one_writer = database.sqlite
        """Whether the database lets one transaction write at a time, so that several writes are better made in one."""

    @contextmanager
    def read(self) -> Iterator[Open]:
        with self._database.read() as connection:
            yield Open(connection, sqlite=self._database.sqlite)

    @contextmanager
    def write(self) -> Iterator[Open]:
        """What was written is on disk when this ends, or nothing of it is there. Raises Fatal as `Database` does."""
        with self._database.write_durably() as connection:
            yield Open(connection, sqlite=self._database.sqlite)

    def touched(self, connector_id: str, limit: int = 10_000) -> list[Touched]:
        """Whom writes touched since somebody said `seen`, the longest waiting first."""
        with self._database.read() as connection:
            rows = connection.execute(_TOUCHED, {"connector_id": connector_id, "limit": limit}).mappings()
            return [Touched(row["kind"], row["resource_id"], row["mark"], moment(int(row["at"]))) for row in rows]

    def seen(self, connector_id: str, touched: Sequence[Touched]) -> None:
        """They were dealt with. Who was touched again in the meantime stays."""
        rows = [
            {"connector_id": connector_id, "kind": each.kind, "resource_id": each.resource_id, "mark": each.mark}
            for each in touched
        ]
        if rows:
            with self._database.write() as connection:
                connection.execute(_SEEN, rows)

    def audit(self, connector_id: str, *, resource_id: str | None = None, limit: int = 100) -> list[Audit]:
        """The latest writes, of one resource or of all."""
        values = {"connector_id": connector_id, "id": resource_id, "limit": limit}
        with self._database.read() as connection:
            return [_audit(dict(row)) for row in connection.execute(_AUDIT, values).mappings()]

    def pushed_to(self, slug: str, told: Callable[[str, int], None] = lambda _what, _count: None) -> Pushed:
        """As `pushed`, by the name of an open connector. Raises UnknownRecord."""
        return self.pushed(self.connectors.get(slug).id, told)

    def pushed_of(self, slug: str, names: Collection[str], *, by_id: bool) -> Pushed:
        """Users with one of these ids, or `externalId`s, or unless `by_id` user names or e-mail addresses; the groups
        that they are in and all that contain those; their memberships, and those among these groups.

        Raises UnknownRecord where there is no such connector.
        """
        connector = self.connectors.get(slug)
        with self.read() as transaction:
            reader = transaction.reader(connector.id)
            people = reader.page(["User"], _called(names, by_id=by_id), offset=0, limit=None).resources
            groups: dict[str, str] = {}
            memberships: list[tuple[str, str, bool]] = []
            below, are_groups = [each.id for each in people], False
            while below:
                found = reader.groups_of(below)
                memberships += [(group.id, member, are_groups) for member, of in found.items() for group in of]
                new = {group.id: group.display or "" for of in found.values() for group in of if group.id not in groups}
                groups |= new
                below, are_groups = sorted(new), True
            last = transaction.last_use(connector.id)
        named = [(each, json.dumps({"displayName": name})) for each, name in sorted(groups.items())]
        return Pushed([(each.id, each.document) for each in people], named, memberships, {}, last)

    def pushed_groups(self, slug: str, names: Collection[str]) -> Pushed:
        """The groups with one of these names, whatever its case, and nothing else."""
        connector = self.connectors.get(slug)
        with self.read() as transaction:
            reader = transaction.reader(connector.id)
            wanted = tuple(Compared(Column("name_key"), "eq", folded(name)) for name in sorted(set(names)))
            groups = reader.page(["Group"], Any_(wanted), offset=0, limit=None).resources
            last = transaction.last_use(connector.id)
        return Pushed([], [(each.id, each.document) for each in groups], [], {}, last)

    def pushed(self, connector_id: str, told: Callable[[str, int], None] = lambda _what, _count: None) -> Pushed:
        """All of it, read in one transaction; `told` hears how many of what have come so far."""
        with self._database.read_steadily() as connection:
            mine = {"connector_id": connector_id}
            counts = {row[0]: int(row[1]) for row in connection.execute(_COUNTS, mine)}
            last = connection.execute(_LAST_USE, mine).scalar()
            people = _resources(connection, connector_id, "User", lambda count: told("people", count))
            groups = _resources(connection, connector_id, "Group", lambda count: told("groups", count))
            memberships = [(row[0], row[1], row[2] == "Group") for row in connection.execute(_MEMBERSHIPS, mine)]
        return Pushed(people, groups, memberships, counts, moment(last))


def _called(names: Collection[str], *, by_id: bool) -> Condition:
    found: list[Condition] = []
    for name in sorted(set(names)):
        found += [Compared(Column("id"), "eq", name), Compared(Column("external_id"), "eq", exact(name))]
        if not by_id:
            found += [Compared(Column("name_key"), "eq", folded(name)), Indexed("emails.value", folded(name))]
    return Any_(tuple(found))


def _resources(
    connection: Connection, connector_id: str, kind: str, told: Callable[[int], None]
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    after = ""
    while True:
        values = {"connector_id": connector_id, "kind": kind, "after": after, "limit": _PAGE}
        rows = connection.execute(_RESOURCES, values).all()
        found.extend((row[0], row[1]) for row in rows)
        if rows:
            told(len(found))
        if len(rows) < _PAGE:
            return found
        after = rows[-1][0]


def _audit(row: dict[str, Any]) -> Audit:
    del row["connector_id"]
    lists = {name: tuple(json.loads(row[name])) for name in ("changed", "mended")}
    return Audit(**{**row, **lists, "at": moment(row["at"])})
