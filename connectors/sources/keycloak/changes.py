"""A snapshot of a realm brought up to date by what its events touched, and from where to go on.

Events say whom to ask for again, and nothing else is believed of them: they may come again, and they may tell of what
has changed once more since. The realm is asked for news until there is none, and its counts must then be ours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Final

import polars as pl

from connectors import watermark
from connectors.http.client import HttpClient
from connectors.sources.keycloak.events import Journal, Mark, Recording, Touched, is_kept, newest
from connectors.sources.keycloak.frames import changed_people, groups_frame, memberships_frame
from connectors.sources.keycloak.groups import Members, Tree, read_members, read_tree
from connectors.sources.keycloak.listing import read_list, together
from connectors.sources.keycloak.people import count_people
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.wire import AdminEvent, GroupCount, GroupRow, MemberRow, PersonRow, UserEvent
from directory.errors import NotFound
from directory.snapshot import SourceSnapshot

__all__ = ["OVERLAP", "Frames", "Update", "Watermark"]

OVERLAP: Final = timedelta(minutes=5)
"""An event has the time at which something was done, and can be seen once that is committed; nodes' clocks differ."""

_PEOPLE_AT_ONCE: Final = 40
"""Ids in one address, which a server takes up to 4096 characters of."""
_WORTH_A_GROUP: Final = 5
"""So many people who joined or left one group: its list of members is fewer requests than their lists of groups."""
_ASKED_FOR_AT_MOST: Final = 500
"""People whose groups are asked for one by one; where there are more, reading everything is the better choice."""
_ROUNDS: Final = 8


class Watermark(watermark.Watermark):
    """From when on events matter, which ones must still be there, and with which settings the snapshot was read.

    `since` is in milliseconds since 1970 by the server's clock. `users` is None where their events were not kept.
    """

    since: int
    administrators: Mark
    users: Mark | None
    settings: str

    @classmethod
    async def begin(
        cls, client: HttpClient, settings: KeycloakSettings, kept: Recording | None, overlap: timedelta
    ) -> Watermark | None:
        """To be taken before anything is read.

        None where no events are kept or shown, and where there is none by which a gap could be noticed later.
        """
        if kept is None or not kept.of_administrators:
            return None
        administrators = await newest(client, "admin-events")
        if administrators is None:
            return None
        users = await newest(client, "events") if kept.of_users else None
        return cls(_since(kept, administrators, overlap), administrators, users, fingerprint(settings))

    @classmethod
    def read(cls, text: str | None, settings: KeycloakSettings) -> Watermark | None:
        """None where there is none, or it belongs to other settings."""
        mark = cls.decoded(text)
        return mark if mark is not None and mark.settings == fingerprint(settings) else None


def _since(kept: Recording, last: Mark, overlap: timedelta) -> int:
    """What comes to be seen later happened after the token was made and after the last event, but for the overlap."""
    return max(kept.at, last.time) - overlap // timedelta(milliseconds=1)


def fingerprint(settings: KeycloakSettings) -> str:
    """Changes with every setting that changes what a snapshot holds."""
    parts = (
        settings.url,
        settings.realm,
        settings.client_id,
        settings.attributes,
        settings.groups,
        settings.inherit_subgroups,
    )
    return watermark.fingerprint(repr(parts))


@dataclass(frozen=True)
class Frames:
    people: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame


class Update:
    """Brings a snapshot up to date. Whatever is in doubt ends it, so that everything is read."""

    def __init__(
        self, client: HttpClient, settings: KeycloakSettings, before: SourceSnapshot, mark: Watermark, kept: Recording
    ) -> None:
        self._client = client
        self._settings = settings
        self._before = before
        self._mark = mark
        self._kept = kept
        self._known = set(before.people["external_id"])
        self._tree = _tree_of(before)
        self._people: dict[str, PersonRow | None] = {}
        """Those asked for again; None for who is gone, or is no person."""
        self._groups_of: dict[str, set[str]] = {}
        self._members_of: dict[str, set[str]] = {}
        since = min(mark.since, mark.administrators.time)
        self._administrators = Journal(client, "admin-events", AdminEvent, since)
        only = {"type": kept.of_users}
        self._users = Journal(client, "events", UserEvent, mark.since, only=only) if mark.users else None
        self._newest_of_users: Mark | None = None

    async def run(self) -> Frames | None:
        """None where the events do not cover the time since the watermark, or what they lead to does not add up."""
        if not await self._users_events_are_there():
            return None
        self._newest_of_users = await newest(self._client, "events") if self._kept.of_users else None
        quiet = 0
        for number in range(_ROUNDS):
            touched = await self._news()
            if self._mark.administrators.id not in self._administrators.heard or touched.everything:
                return None
            if number == 0 or touched != Touched():
                if not await self._ask(touched):
                    return None
                continue
            frames = self._frames()
            if await self._adds_up(frames):
                return frames
            quiet += 1
            if quiet > 1:
                break
        return None

    async def _users_events_are_there(self) -> bool:
        """Whether what was kept is kept still, from the watermark on."""
        if self._mark.users is None:
            return True
        return bool(self._kept.of_users) and await is_kept(self._client, "events", self._mark.users)

    def following(self, overlap: timedelta) -> Watermark:
        """The next watermark, after a run that ended well."""
        administrators = self._administrators.last or self._mark.administrators
        since = _since(self._kept, administrators, overlap)
        return Watermark(since, administrators, self._newest_of_users, self._mark.settings)

    async def _news(self) -> Touched:
        administrators = await self._administrators.unheard()
        users = [] if self._users is None else await self._users.unheard()
        # A mark from before the overlap is asked for to see that it is there.
        return Touched.by((event for event in administrators if event.time >= self._mark.since), users)

    async def _ask(self, touched: Touched) -> bool:
        """Whether all could be asked for."""
        if touched.tree and not await self._ask_for_tree():
            return False
        joined = {person for person, _ in touched.memberships}
        strangers = {person for person in joined if person not in self._known and self._people.get(person) is None}
        if not await self._ask_for_people(touched.people | strangers):
            return False
        return await self._ask_for_memberships(touched)

    async def _ask_for_tree(self) -> bool:
        """The whole tree, which costs a request for each group with groups below it; members only of new groups."""
        tree = await read_tree(self._client, self._settings)
        if tree.problems:
            return False
        new = {key: group for key, group in tree.groups.items() if key not in self._tree.groups}
        self._tree = tree
        return await self._ask_for_members(new)

    async def _ask_for_people(self, ids: set[str]) -> bool:
        asked = sorted(ids)
        some = [" ".join(asked[start : start + _PEOPLE_AT_ONCE]) for start in range(0, len(asked), _PEOPLE_AT_ONCE)]
        answers = await together(
            self._client.get_json(
                "users",
                {"search": f"id:{them}", "briefRepresentation": False, "max": _PEOPLE_AT_ONCE},
                decode=list[PersonRow],
            )
            for them in some
        )
        found = {person.id: person for person in chain.from_iterable(answers)}
        if found.keys() - ids or any(person.is_federated for person in found.values()):
            return False
        self._people |= {each: self._person(found.get(each)) for each in asked}
        return True

    def _person(self, found: PersonRow | None) -> PersonRow | None:
        """A search for ids finds service accounts, which are no people and which no list of people has."""
        if found is None or found.id in self._known:
            return found
        return None if (found.username or "").startswith("service-account-") else found

    async def _ask_for_memberships(self, touched: Touched) -> bool:
        joined = {
            (person, group)
            for person, group in touched.memberships
            if group in self._tree.groups and self._is_there(person)
        }
        sizes = Counter(group for _, group in joined)
        crowded = {group for group, size in sizes.items() if size >= _WORTH_A_GROUP}
        new = {
            person
            for person in touched.people | touched.newcomers | {person for person, _ in touched.memberships}
            if self._is_there(person) and (person in touched.newcomers or person not in self._known)
        }
        alone = sorted(new | {person for person, group in joined if group not in crowded})
        if len(alone) > _ASKED_FOR_AT_MOST:
            return False
        if not await self._ask_for_members({group: self._tree.groups[group] for group in crowded}):
            return False
        listings = await together(self._groups_listed(person) for person in alone)
        for person, groups in zip(alone, listings, strict=True):
            if groups is None:
                return False
            self._groups_of[person] = groups
            for group, members in self._members_of.items():
                members.discard(person)
                if group in groups:
                    members.add(person)
        return True

    def _is_there(self, person: str) -> bool:
        return self._people[person] is not None if person in self._people else person in self._known

    async def _groups_listed(self, person: str) -> set[str] | None:
        """None where the list changed twice while it was read. Who is gone meanwhile is in no group."""
        try:
            for _ in range(2):
                size = self._settings.member_page_size
                params = {"briefRepresentation": True}
                listing = await read_list(self._client, f"users/{person}/groups", MemberRow, size, params=params)
                if listing.linked:
                    return set(listing.rows)
        except NotFound:
            return set()
        return None

    async def _ask_for_members(self, groups: dict[str, GroupRow]) -> bool:
        members = await read_members(self._client, self._settings, Tree(dict(groups)), lambda _count: None)
        if members.problems:
            return False
        found: dict[str, set[str]] = {group: set() for group in groups}
        for group, person in zip(members.group_ids, members.member_ids, strict=True):
            found[group].add(person)
        self._members_of |= found
        for person, joined in self._groups_of.items():
            joined.difference_update(found)
            joined.update(group for group, ids in found.items() if person in ids)
        return True

    def _frames(self) -> Frames:
        gone = [person for person, row in self._people.items() if row is None]
        rows = [row for row in self._people.values() if row is not None]
        people = changed_people(self._before.people, rows, gone, self._settings.attributes)
        return Frames(
            people,
            groups_frame(self._tree),
            memberships_frame(self._tree, self._members(), people, nested=self._settings.inherit_subgroups),
        )

    def _members(self) -> Members:
        """Direct ones: as they were, except of the groups and of the people that were asked for again."""
        edges = self._before.memberships.filter(~pl.col("member_is_group")).select("group_id", "member_id")
        kept = edges.filter(
            pl.col("group_id").is_in(list(self._tree.groups))
            & ~pl.col("group_id").is_in(list(self._members_of))
            & ~pl.col("member_id").is_in(list(self._groups_of))
        )
        told = {(group, person) for group, members in self._members_of.items() for person in members}
        told |= {(group, person) for person, groups in self._groups_of.items() for group in groups}
        asked = sorted((group, person) for group, person in told if group in self._tree.groups)
        return Members(
            [*kept["group_id"], *(group for group, _ in asked)],
            [*kept["member_id"], *(person for _, person in asked)],
            [],
        )

    async def _adds_up(self, frames: Frames) -> bool:
        if await count_people(self._client) != frames.people.height:
            return False
        if self._settings.groups is not None:
            return True
        return (await self._client.get_json("groups/count", decode=GroupCount)).count == frames.groups.height


def _tree_of(snapshot: SourceSnapshot) -> Tree:
    rows = snapshot.groups.select("group_id", "name", "path").iter_rows()
    groups = {group_id: GroupRow(group_id, name, path, 0) for group_id, name, path in rows}
    nested = snapshot.memberships.filter("member_is_group").select("group_id", "member_id")
    return Tree(groups, list(nested.iter_rows()))
