"""What changed since a read, and a snapshot brought up to date by it.

How changes are learned is the business of a `Strategy`. Here they are worked into the frames: a group that changed
gives all its members anew; of whom the name is new, the groups that hold that name are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import polars as pl

from connectors import watermark
from connectors.sources.ldap.connection import Entry, NoSuchObject
from connectors.sources.ldap.entries import Group, Person, as_group, as_person
from connectors.sources.ldap.frames import EDGE, Frames, groups_frame, people_frame, primary_frame, with_states
from connectors.sources.ldap.links import Index, Links
from connectors.sources.ldap.names import canonical, is_under
from connectors.sources.ldap.reading import unread_parts, without_flags
from connectors.sources.ldap.server import Server
from connectors.sources.ldap.settings import LdapSettings

__all__ = ["Changed", "Mark", "Strategy", "Update", "Watermark"]

_NAMES_A_SEARCH: Final = 50
_LOOKED_UP_AT_MOST: Final = 50

Mark: TypeAlias = dict[str, str | int]
"""Where a strategy goes on, in words of its own."""


@dataclass
class Changed:
    people: list[Entry]
    """Entries that changed and match the filter of people now, with the attributes that `Server.people` gives."""
    groups: list[Entry]
    """Entries that changed and match the filter of groups now, with all their members."""
    gone: set[str]
    """Ids of what is not to be read any more: deleted, moved away, or no match for the filters."""
    following: Mark


class Strategy(Protocol):
    """A way to learn what changed."""

    name: str
    blind_to: tuple[str, ...]
    """What changes are not seen, one sentence each."""
    members_follow: bool
    """Whether a group's list follows a member that is renamed, without the group's entry changing."""

    async def identity(self, server: Server) -> str:
        """Whose marks they are: those of another server mean nothing here."""

    async def obstacle(self, server: Server) -> str | None:
        """Why every read has to be a full one; None where changes can be learned."""

    async def start(self, server: Server) -> Mark | None:
        """The mark before a full read; None where there is no going on from it."""

    async def changes(self, server: Server, mark: Mark) -> Changed | None:
        """What changed since the mark; None where that cannot be told, so that everything must be read.

        An entry that is neither a person nor a group and has others below it may have been renamed, and all names
        below it with it: that is a case for None.
        """


class Watermark(watermark.Watermark):
    strategy: str
    identity: str
    settings: str
    mark: Mark

    @classmethod
    def read(cls, text: str | None, strategy: Strategy, identity: str, settings: LdapSettings) -> Watermark | None:
        """None where there is none, or it is of another server, another way to learn of changes, or other settings."""
        found = cls.decoded(text)
        wanted = (strategy.name, identity, fingerprint(settings))
        return found if found and (found.strategy, found.identity, found.settings) == wanted else None


def fingerprint(settings: LdapSettings) -> str:
    """Changes with every setting that changes what a snapshot holds."""
    how = {"bind_password", "ca_file", "clock_skew", "encryption", "incremental", "page_size", "timeout"}
    return watermark.fingerprint(settings.model_dump_json(exclude=how))


class Update:
    """Brings frames up to date. `findings` say what could not be told."""

    def __init__(self, server: Server, strategy: Strategy, changed: Changed, before: Frames) -> None:
        self._server = server
        self._settings = server.settings
        self._strategy = strategy
        self._changed = changed
        self._before = before
        known = before.people.select("external_id", "dn", "uid", "primary_group").iter_rows()
        self._known_people = {key: (dn, uid, primary) for key, dn, uid, primary in known}
        self._people: dict[str, Person] = {}
        self._groups: dict[str, Group] = {}
        self._gone = set(changed.gone)
        self._detached: set[str] = set()
        """Ids whose memberships are told anew by the groups that hold their names."""
        self.findings: list[str] = []

    async def run(self, now: int) -> Frames | None:
        """`now`: seconds since 1970. None where everything must be read after all."""
        self._take()
        await self._ask_for_groups_of_the_renamed()
        self._gone |= self._displaced()
        people = self._new_people(now)
        groups = self._new_groups()
        links = Links(_index(people, groups))
        for group in self._groups.values():
            links.add(group)
        if await self._reaches_beyond(links):
            return None
        self.findings += [*self._server.findings, *links.findings, *unread_parts(self._server)]
        kept = self._kept_links(people, groups)
        memberships = pl.concat([kept, links.frame(), primary_frame(people, groups)]).unique().sort(EDGE)
        return Frames(people, groups, memberships)

    def _take(self) -> None:
        settings = self._settings
        without_id = 0
        for entry in self._changed.people:
            person = as_person(entry, settings)
            if person is None:
                without_id += 1
            else:
                self._people[person.external_id] = person
        self._take_groups(self._changed.groups)
        if without_id:
            self.findings.append(f"{without_id} entries do not show {settings.id_attribute}")
        self.findings += without_flags(self._changed.people, settings.disabling)

    def _take_groups(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            group = as_group(entry, self._settings)
            if group is not None:
                self._groups[group.group_id] = group

    async def _ask_for_groups_of_the_renamed(self) -> None:
        names = {
            person.external_id: _held_as(person.dn, person.uid, self._settings)
            for person in self._people.values()
            if self._is_renamed(person)
        }
        known = dict(self._before.groups.select("group_id", "dn").iter_rows())
        for group in self._groups.values():
            former = known.get(group.group_id)
            if former is None or (not self._strategy.members_follow and former != group.dn):
                names[group.group_id] = _held_as(group.dn, None, self._settings)
        self._detached = set(names)
        for some in _portions(list(names.values())):
            self._take_groups(await self._server.groups(f"(|{''.join(some)})"))

    def _is_renamed(self, person: Person) -> bool:
        before = self._known_people.get(person.external_id)
        if before is None:
            return True
        dn, uid, primary_group = before
        if (uid, primary_group) != (person.uid, person.primary_group):
            return True
        return not self._strategy.members_follow and dn != person.dn

    def _displaced(self) -> set[str]:
        """A name has one bearer: whoever had it before, and did not change it, is gone."""
        found: set[str] = set()
        for frame, key, changed in (
            (self._before.people, "external_id", self._people),
            (self._before.groups, "group_id", self._groups),
        ):
            taken = {canonical(one.dn) for one in changed.values()}
            if taken:
                rows = frame.select(key, "dn").iter_rows()
                found |= {one for one, dn in rows if one not in changed and canonical(dn) in taken}
        return found

    def _new_people(self, now: int) -> pl.DataFrame:
        kept = _without(self._before.people, "external_id", {*self._people, *self._gone})
        changed = people_frame(self._people.values(), self._settings, now)
        return with_states(pl.concat([kept, changed]), now).sort("external_id")

    def _new_groups(self) -> pl.DataFrame:
        kept = _without(self._before.groups, "group_id", {*self._groups, *self._gone})
        return pl.concat([kept, groups_frame(self._groups.values())]).sort("group_id")

    def _kept_links(self, people: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
        before = self._before
        links = before.memberships.join(primary_frame(before.people, before.groups), on=EDGE, how="anti")
        links = _without(links, "group_id", {*self._groups, *self._gone})
        links = _without(links, "member_id", {*self._gone, *self._detached})
        here = [*people["external_id"], *groups["group_id"]]
        return links.filter(pl.col("member_id").is_in(here))

    async def _reaches_beyond(self, links: Links) -> bool:
        """Whether a group that the settings leave out stands within one that changed."""
        settings = self._settings
        if settings.groups_filter is None and settings.groups_base is None:
            return False
        unknown = [dn for dn in links.unknown.values() if is_under(dn, settings.base)]
        if len(unknown) > _LOOKED_UP_AT_MOST:
            return True
        for dn in unknown:
            try:
                page = await self._server.search(dn, "base", settings.of.groups_filter, ["1.1"])
            except NoSuchObject:
                continue
            if page.entries:
                return True
        return False


def _index(people: pl.DataFrame, groups: pl.DataFrame) -> Index:
    index = Index()
    index.add_people(people.select("external_id", "dn", "uid").iter_rows())
    index.add_groups(groups.select("group_id", "dn").iter_rows())
    return index


def _held_as(dn: str, uid: str | None, settings: LdapSettings) -> str:
    """What a filter of groups that hold somebody has to say of the name."""
    if settings.product == "active-directory":
        return f"(member={escaped(dn)})"
    parts = f"(member={escaped(dn)})(uniqueMember={escaped(dn)})"
    return parts if uid is None else f"{parts}(memberUid={escaped(uid)})"


def escaped(value: str) -> str:
    """RFC 4515, section 3."""
    return "".join(f"\\{ord(sign):02x}" if sign in "\\*()\0" else sign for sign in value)


def _portions(parts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(parts), _NAMES_A_SEARCH):
        yield parts[start : start + _NAMES_A_SEARCH]


def _without(frame: pl.DataFrame, column: str, ids: Iterable[str]) -> pl.DataFrame:
    dropped = pl.DataFrame({column: sorted(ids)}, schema={column: pl.String()})
    return frame.join(dropped, on=column, how="anti")
