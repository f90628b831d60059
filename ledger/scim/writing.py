"""Writing what one connector pushes, in an open transaction; with each write goes who did it and who is touched."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, TextClause, bindparam, text
from sqlalchemy.exc import IntegrityError

from ledger.instant import micros, now
from ledger.scim.reading import Reader, ResourceKind, Stored

__all__ = ["Actor", "Draft", "NameTaken", "UnknownMembers", "Writer"]

_INSERT: Final = text(
    "INSERT INTO scim_resources"
    " (connector_id, id, kind, name_key, external_id, version, created_at, modified_at, document, keys)"
    " VALUES (:connector_id, :id, :kind, :name_key, :external_id, 1, :at, :at, :document, :keys)"
)
_UPDATE: Final = text(
    "UPDATE scim_resources SET name_key = :name_key, external_id = :external_id, version = version + 1,"
    " modified_at = :at, document = :document, keys = :keys WHERE connector_id = :connector_id AND id = :id"
)
_BUMP: Final = text(
    "UPDATE scim_resources SET version = version + 1, modified_at = :at WHERE connector_id = :connector_id AND id = :id"
)
_BUMP_GROUPS_OF: Final = text(
    "UPDATE scim_resources SET version = version + 1, modified_at = :at WHERE connector_id = :connector_id"
    " AND id IN (SELECT group_id FROM scim_members WHERE connector_id = :connector_id AND member_id = :id)"
)
_DELETE: Final = text("DELETE FROM scim_resources WHERE connector_id = :connector_id AND id = :id")
_HOLDER: Final = text(
    "SELECT id FROM scim_resources WHERE connector_id = :connector_id AND kind = :kind AND name_key = :name_key"
)
_COUNT: Final = text(
    'INSERT INTO scim_counts (connector_id, kind, "count") VALUES (:connector_id, :kind, :change)'
    ' ON CONFLICT (connector_id, kind) DO UPDATE SET "count" = scim_counts."count" + :change'
)
_VALUES: Final = text('SELECT path, "key" FROM scim_values WHERE connector_id = :connector_id AND resource_id = :id')
_ADD_VALUE: Final = text(
    'INSERT INTO scim_values (connector_id, path, "key", resource_id) VALUES (:connector_id, :path, :key, :id)'
)
_DROP_VALUE: Final = text(
    'DELETE FROM scim_values WHERE connector_id = :connector_id AND resource_id = :id AND path = :path AND "key" = :key'
)
_KINDS: Final = text(
    "SELECT id, kind FROM scim_resources WHERE connector_id = :connector_id AND id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_PRESENT: Final = text(
    "SELECT member_id FROM scim_members WHERE connector_id = :connector_id AND group_id = :group_id"
    " AND member_id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_MEMBER_IDS: Final = text(
    "SELECT member_id FROM scim_members WHERE connector_id = :connector_id AND group_id = :group_id"
)
_ADD_MEMBER: Final = text(
    "INSERT INTO scim_members (connector_id, group_id, member_id, member_kind, display)"
    " VALUES (:connector_id, :group_id, :id, :kind, :display) ON CONFLICT DO NOTHING"
)
_REMOVE_MEMBER: Final = text(
    "DELETE FROM scim_members WHERE connector_id = :connector_id AND group_id = :group_id AND member_id = :id"
)
_TOUCH: Final = text(
    "INSERT INTO scim_touched (connector_id, kind, resource_id, mark, at)"
    " VALUES (:connector_id, :kind, :id, :mark, :at)"
    " ON CONFLICT (connector_id, kind, resource_id) DO UPDATE SET mark = excluded.mark, at = excluded.at"
)
_AUDIT: Final = text(
    "INSERT INTO scim_audit (id, connector_id, token_id, client, request_id, at, action, kind, resource_id,"
    " version_before, version_after, changed, mended)"
    " VALUES (:id, :connector_id, :token_id, :client, :request_id, :at, :action, :kind, :resource_id,"
    " :version_before, :version_after, :changed, :mended)"
)
_AT_ONCE: Final = 500


class NameTaken(Exception):
    """Another resource of the connector has this userName or displayName."""


class UnknownMembers(Exception):
    """Members that this connector was never told of."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"{len(ids)} unknown members")
        self.ids = tuple(ids)


@dataclass(frozen=True)
class Actor:
    """Who writes, from where, and by which request."""

    token_id: str
    client: str | None
    request_id: str
    action: str
    """What an update is noted as; creating and deleting are noted as such."""
    mended: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A resource as it is to be kept."""

    kind: ResourceKind
    name_key: str
    external_id: str | None
    document: str
    keys: str
    indexed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Values by path that go into `scim_values`."""


class Writer(Reader):
    """Reads as `Reader` does, and holds what it reads until the transaction ends."""

    def __init__(self, connection: Connection, connector_id: str, actor: Actor, *, sqlite: bool) -> None:
        super().__init__(connection, connector_id, sqlite=sqlite, locks=True)
        self._actor = actor

    def insert(self, draft: Draft) -> Stored:
        """A new resource, with an id of ours. Raises NameTaken."""
        at = micros(now())
        resource_id = str(uuid.uuid4())
        self._refuse_taken(draft, but=None)
        self._store(_INSERT, draft, resource_id, at)
        self._keep_values(resource_id, draft.indexed, before=frozenset())
        self._execute(_COUNT, kind=draft.kind, change=1)
        self._note("create", draft.kind, resource_id, at, before=None, after=1, changed=_names(draft.document, "{}"))
        return Stored(resource_id, draft.kind, draft.external_id, 1, at, at, draft.document)

    def update(self, stored: Stored, draft: Draft) -> Stored:
        """The resource, one version on; itself where nothing is different. Raises NameTaken."""
        if draft.document == stored.document:
            return stored
        at = max(micros(now()), stored.modified_at + 1)
        self._refuse_taken(draft, but=stored.id)
        self._store(_UPDATE, draft, stored.id, at)
        values = self._execute(_VALUES, id=stored.id).mappings()
        self._keep_values(stored.id, draft.indexed, before=frozenset((row["path"], row["key"]) for row in values))
        after = replace(
            stored,
            external_id=draft.external_id,
            version=stored.version + 1,
            modified_at=at,
            document=draft.document,
        )
        changed = _names(draft.document, stored.document)
        action = self._actor.action
        self._note(action, stored.kind, stored.id, at, before=stored.version, after=after.version, changed=changed)
        return after

    def delete(self, stored: Stored) -> None:
        """The resource and its memberships in both directions."""
        at = micros(now())
        if stored.kind == "Group":
            self._touch_members(self._ids(_MEMBER_IDS, group_id=stored.id), at)
        self._execute(_BUMP_GROUPS_OF, id=stored.id, at=at)
        self._execute(_DELETE, id=stored.id)
        self._execute(_COUNT, kind=stored.kind, change=-1)
        self._note("delete", stored.kind, stored.id, at, before=stored.version, after=None, changed=[])

    def change_members(self, group: Stored, *, add: Mapping[str, str | None], remove: Collection[str] | None) -> Stored:
        """Add and remove members: by id, with what the client calls those that are added. Who is in both stays.

        `remove` is None for everybody who is not added. The group is one version on where anybody came or went, and the
        same otherwise. Costs what the change is, not what the group is. Raises UnknownMembers.
        """
        there = self._present(group.id, add)
        coming = {each: display for each, display in add.items() if each not in there}
        kinds = self._kinds(coming)
        unknown = [each for each in coming if each not in kinds]
        if unknown:
            raise UnknownMembers(unknown)
        if remove is None:
            going = sorted(set(self._ids(_MEMBER_IDS, group_id=group.id)) - set(add))
        else:
            going = sorted(self._present(group.id, remove) - set(add))
        if not coming and not going:
            return group
        at = max(micros(now()), group.modified_at + 1)
        self._many(_REMOVE_MEMBER, [{"group_id": group.id, "id": each} for each in going])
        self._many(
            _ADD_MEMBER,
            [
                {"group_id": group.id, "id": each, "kind": kinds[each], "display": coming[each]}
                for each in sorted(coming)
            ],
        )
        self._execute(_BUMP, id=group.id, at=at)
        self._touch_members(sorted({*coming, *going}), at)
        after = replace(group, version=group.version + 1, modified_at=at)
        changed = [f"members +{len(coming)} -{len(going)}"]
        action = self._actor.action
        self._note(
            action, "Group", group.id, at, before=group.version, after=after.version, changed=changed, touch=False
        )
        return after

    def _present(self, group_id: str, ids: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for part in _parts(ids):
            found.update(self._ids(_PRESENT, group_id=group_id, ids=part))
        return found

    def _kinds(self, ids: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for part in _parts(ids):
            found |= {row["id"]: row["kind"] for row in self._execute(_KINDS, ids=part).mappings()}
        return found

    def _touch_members(self, ids: Sequence[str], at: int) -> None:
        """People whose groups changed; a group among the members stands for everybody in it."""
        kinds = self._kinds(ids)
        self._touch([(kinds.get(each, "User"), each) for each in ids], at)

    def _touch(self, touched: Sequence[tuple[str, str]], at: int) -> None:
        rows = [{"kind": kind, "id": each, "mark": secrets.token_hex(8), "at": at} for kind, each in sorted(touched)]
        self._many(_TOUCH, rows)

    def _refuse_taken(self, draft: Draft, *, but: str | None) -> None:
        holder = self._execute(_HOLDER, kind=draft.kind, name_key=draft.name_key).scalar()
        if holder is not None and holder != but:
            raise NameTaken

    def _store(self, statement: TextClause, draft: Draft, resource_id: str, at: int) -> None:
        try:
            self._execute(
                statement,
                id=resource_id,
                kind=draft.kind,
                name_key=draft.name_key,
                external_id=draft.external_id,
                at=at,
                document=draft.document,
                keys=draft.keys,
            )
        except IntegrityError as error:  # another process was faster
            raise NameTaken from error

    def _keep_values(
        self, resource_id: str, indexed: Mapping[str, frozenset[str]], *, before: frozenset[tuple[str, str]]
    ) -> None:
        wanted = {(path, key) for path, keys in indexed.items() for key in keys}
        for statement, pairs in ((_DROP_VALUE, before - wanted), (_ADD_VALUE, wanted - before)):
            self._many(statement, [{"id": resource_id, "path": path, "key": key} for path, key in sorted(pairs)])

    def _note(  # noqa: PLR0913 -- a row of the audit
        self,
        action: str,
        kind: ResourceKind,
        resource_id: str,
        at: int,
        *,
        before: int | None,
        after: int | None,
        changed: Sequence[str],
        touch: bool = True,
    ) -> None:
        if touch:
            self._touch([(kind, resource_id)], at)
        self._execute(
            _AUDIT,
            id=f"{at:014x}{secrets.token_hex(5)}",
            token_id=self._actor.token_id,
            client=self._actor.client,
            request_id=self._actor.request_id,
            at=at,
            action=action,
            kind=kind,
            resource_id=resource_id,
            version_before=before,
            version_after=after,
            changed=json.dumps(list(changed)),
            mended=json.dumps(list(self._actor.mended)),
        )

    def _ids(self, statement: TextClause, **values: object) -> list[str]:
        return [str(each) for each in self._execute(statement, **values).scalars()]

    def _execute(self, statement: TextClause, **values: object) -> CursorResult[Any]:
        return self._connection.execute(statement, {"connector_id": self._connector_id, **values})

    def _many(self, statement: TextClause, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self._connection.execute(statement, [{"connector_id": self._connector_id, **row} for row in rows])


def _parts(ids: Iterable[str]) -> Iterable[list[str]]:
    whole = sorted(ids)
    return (whole[begin : begin + _AT_ONCE] for begin in range(0, len(whole), _AT_ONCE))


def _names(after: str, before: str) -> list[str]:
    """The attributes that differ between two documents."""
    new, old = json.loads(after), json.loads(before)
    return sorted(name for name in {*new, *old} if new.get(name) != old.get(name) and name != "schemas")
