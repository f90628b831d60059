"""What a tenant's deltas say, and a snapshot brought up to date by it.

Graph, "Use delta query to track changes": rows may come again, a group may come in several rows, and what was removed
has `@removed`. Members whom no delta explains, because a group or a user has come back, are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from connectors import watermark
from connectors.sources.entra.api import PAGE, VERSION, GraphApi
from connectors.sources.entra.batch import Job
from connectors.sources.entra.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.entra.members import Members
from connectors.sources.entra.reading import LOOKED_UP_AT_MOST, look_up, named
from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.wire import DirectoryObject, Group, User
from directory.snapshot import MEMBERSHIPS, SOURCE_GROUPS

__all__ = ["Frames", "Update", "Watermark", "drained"]

_EDGE: Final = ["group_id", "member_id"]


class Watermark(watermark.Watermark):
    """Where the two deltas go on, and which settings the snapshot was read with."""

    users: str
    groups: str
    settings: str

    @classmethod
    def first(cls, settings: EntraSettings) -> Watermark:
        """The links of a first call, which give everything there is."""
        users = f"{VERSION}/users/delta?$select={','.join(settings.properties)}"
        return cls(users, f"{VERSION}/groups/delta?$select=displayName,members", fingerprint(settings))

    @classmethod
    def read(cls, text: str | None, settings: EntraSettings) -> Watermark | None:
        """None where there is none, or it belongs to other settings."""
        mark = cls.decoded(text)
        return mark if mark is not None and mark.settings == fingerprint(settings) else None


def fingerprint(settings: EntraSettings) -> str:
    """Changes with every setting that changes what a snapshot holds."""
    parts = (settings.graph_url, settings.tenant_id, settings.guests, sorted(settings.paths.items()))
    return watermark.fingerprint(repr(parts))


@dataclass
class Difference:
    """What happened, the last word on each object."""

    users: dict[str, User] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    groups: dict[str, str] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    members: dict[tuple[str, str], tuple[bool, bool]] = field(default_factory=dict)
    """Group and member: whether it is a group, and whether it is a member now."""

    def hear_groups(self, rows: Iterable[Group]) -> None:
        for row in rows:
            if row.removed is not None:
                self.closed.add(row.id)
                self.groups.pop(row.id, None)
                continue
            self.closed.discard(row.id)
            if row.name is not None:
                self.groups[row.id] = row.name
            for member in row.members:
                if member.is_user or member.is_group:
                    self.members[row.id, member.id] = member.is_group, member.removed is None

    def hear_users(self, users: Iterable[User], *, excludes_guests: bool) -> None:
        for user in users:
            if user.removed or (excludes_guests and user.is_guest):
                self.gone.add(user.id)
                self.users.pop(user.id, None)
            else:
                self.gone.discard(user.id)
                self.users[user.id] = user


async def drained(api: GraphApi, mark: Watermark, settings: EntraSettings) -> tuple[Difference, Watermark] | None:
    """Everything since the watermark, and the next one; None where Graph has forgotten it.

    Groups come first: whoever was made and put into a group before that is known from the users that follow.
    """
    groups = await api.delta(mark.groups, Group)
    users = None if groups is None else await api.delta(mark.users, dict[str, Any])
    if groups is None or users is None:
        return None
    difference = Difference()
    difference.hear_groups(groups[0])
    difference.hear_users(api.as_users(users[0]), excludes_guests=settings.guests == "exclude")
    return difference, Watermark(users[1], groups[1], mark.settings)


@dataclass(frozen=True)
class Frames:
    people: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame

    @classmethod
    def empty(cls, settings: EntraSettings) -> Frames:
        return cls(people_frame([], settings), pl.DataFrame(schema=dict(SOURCE_GROUPS)), memberships_frame({}, {}))


class Update:
    """Brings frames up to date. `findings` say what could not be explained."""

    def __init__(self, api: GraphApi, settings: EntraSettings, difference: Difference, before: Frames) -> None:
        self._api = api
        self._settings = settings
        self._new = difference
        self._before = before
        self._known_people = set(before.people["external_id"])
        self._known_groups = set(before.groups["group_id"])
        self.findings: list[str] = []

    async def run(self, *, is_first: bool) -> Frames:
        """`is_first`: the deltas told everything, so that nothing need be asked for."""
        await self._look_up_unknown_members()
        if not is_first:
            await self._ask_for_new_groups()
            await self._ask_for_newcomers()
        people = self._people()
        groups = self._groups()
        return Frames(people, groups, self._memberships(set(people["external_id"]), set(groups["group_id"])))

    async def _look_up_unknown_members(self) -> None:
        known = self._known_people | self._new.users.keys() | self._new.gone
        joined = {member for (_, member), (is_group, here) in self._new.members.items() if here and not is_group}
        unknown = joined - known
        if len(unknown) > LOOKED_UP_AT_MOST:
            self.findings.append(named(f"{len(unknown)} members of groups are in no list of users", unknown))
            return
        found = await look_up(self._api, unknown)
        self._new.hear_users(found.values(), excludes_guests=self._settings.guests == "exclude")

    async def _ask_for_new_groups(self) -> None:
        new = self._new.groups.keys() - self._known_groups
        if not new:
            return
        members = Members(self._api, dict(self._new.groups), counted=False, progress=lambda _count: None)
        members.start_from(dict.fromkeys(self._known_groups, ""))
        await members.read(sorted(new))
        self.findings += members.findings
        self._new.groups |= {key: name for key, name in members.names.items() if key not in self._known_groups}
        for is_group, found in ((False, members.people), (True, members.within)):
            for group_id, ids in found.items():
                self._new.members |= {(group_id, member): (is_group, True) for member in ids}
        await self._look_up_unknown_members()

    async def _ask_for_newcomers(self) -> None:
        """Somebody who was restored, or is no guest any more, is in groups of which no delta speaks."""
        newcomers = sorted(self._new.users.keys() - self._known_people)
        await self._api.batched([self._groups_of(user_id) for user_id in newcomers])

    def _groups_of(self, user_id: str) -> Job:
        def each(rows: list[DirectoryObject]) -> Iterable[Job]:
            self._new.members |= {(row.id, user_id): (False, True) for row in rows if row.is_group}
            return ()

        url = f"/users/{user_id}/memberOf?$select=id&$top={PAGE}"
        return self._api.list_of_objects(url, each, lambda _count: None)

    def _people(self) -> pl.DataFrame:
        touched = self._new.users.keys() | self._new.gone
        kept = _without(self._before.people, "external_id", touched)
        changed = people_frame(self._new.users.values(), self._settings)
        return pl.concat([kept, changed]).sort("external_id")

    def _groups(self) -> pl.DataFrame:
        kept = _without(self._before.groups, "group_id", self._new.groups.keys() | self._new.closed)
        return pl.concat([kept, groups_frame(self._new.groups)]).sort("group_id")

    def _memberships(self, people: set[str], groups: set[str]) -> pl.DataFrame:
        told = pl.DataFrame(
            [(group, member, is_group, here) for (group, member), (is_group, here) in self._new.members.items()],
            schema={**MEMBERSHIPS, "here": pl.Boolean()},
            orient="row",
        )
        kept = self._before.memberships.join(told, on=_EDGE, how="anti")
        joined = told.filter("here").drop("here")
        whole = pl.concat([kept, joined])
        members = pl.concat([_column("member_id", people, is_group=False), _column("member_id", groups, is_group=True)])
        known = whole.join(members, on=["member_id", "member_is_group"], how="semi")
        return known.join(_column("group_id", groups, is_group=True), on="group_id", how="semi").sort(_EDGE)


def _column(name: str, ids: Iterable[str], *, is_group: bool) -> pl.DataFrame:
    frame = pl.DataFrame({name: sorted(ids)}, schema={name: pl.String()})
    return frame.with_columns(pl.lit(value=is_group).alias("member_is_group"))


def _without(frame: pl.DataFrame, column: str, ids: Iterable[str]) -> pl.DataFrame:
    dropped = pl.DataFrame({column: sorted(ids)}, schema={column: pl.String()})
    return frame.join(dropped, on=column, how="anti")
