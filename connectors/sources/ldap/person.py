"""One person of a directory with their groups and all that contain those, and groups by name.

Round trips: the bind, 2 for the person (again at the end, since who is renamed meanwhile would be in no group), 1 for
their groups and 1 for every level above, each with its lists of members; where the settings leave groups out, 1 more to
know which.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import polars as pl

from connectors.sources.ldap.changes import escaped
from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.entries import Group, Person, as_group, as_person
from connectors.sources.ldap.frames import EDGE, Frames, groups_frame, people_frame, primary_frame
from connectors.sources.ldap.links import Index, Links
from connectors.sources.ldap.names import canonical
from connectors.sources.ldap.reading import named, unread_parts, without_flags
from connectors.sources.ldap.server import Server

__all__ = ["Alone"]

_AT_ONCE: Final = 50
"""Alternatives of one filter; Active Directory takes many more."""


class Alone:
    """Collects `people` and `groups` by id, and `findings`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._settings = server.settings
        self._now = int(datetime.now(UTC).timestamp())
        self._direct: dict[str, Group] = {}
        self.people: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self.findings: list[str] = []

    async def of(self, name: str, *, by_id: bool) -> Frames:
        """People with that id, or that username or e-mail address, and their groups."""
        settings = self._settings
        parts = _id_filters(settings.id_attribute, name)
        if not by_id:
            parts += [
                f"({attribute}={escaped(name)})"
                for attribute in (settings.username or settings.of.username, settings.email)
            ]
        if parts:
            filter_ = _any_of(parts)
            self._take_people(await self._server.people(filter_))
            if self.people:
                await self._read_groups()
                self._compare(await self._server.people(filter_))
        return self._frames()

    async def called(self, names: Collection[str]) -> Frames:
        """Groups of these names, and those that stand within a group of the settings."""
        wanted = {name.casefold() for name in names}
        ordered = sorted(names)
        found: dict[str, Group] = {}
        for start in range(0, len(ordered), _AT_ONCE):
            some = ordered[start : start + _AT_ONCE]
            filter_ = _any_of(f"({self._settings.group_name}={escaped(name)})" for name in some)
            found |= self._taken(await self._server.groups(filter_, everywhere=self._leaves_some_out))
        if self._leaves_some_out:
            await self._climb(found)
            await self._leave_out()
        else:
            self.groups = found
        self.groups = {key: group for key, group in self.groups.items() if group.name.casefold() in wanted}
        frames = self._frames()
        return replace(frames, memberships=frames.memberships.clear())

    @property
    def _leaves_some_out(self) -> bool:
        """Groups beyond the settings are read where they stand within one that is."""
        return self._settings.groups_filter is not None or self._settings.groups_base is not None

    def _take_people(self, entries: list[Entry]) -> None:
        without_id = [entry.dn for entry in entries if as_person(entry, self._settings) is None]
        if without_id:
            self.findings.append(
                named(f"{len(without_id)} entries do not show {self._settings.id_attribute}", without_id)
            )
        for entry in entries:
            person = as_person(entry, self._settings)
            if person is not None:
                self.people[person.external_id] = person
        self.findings += without_flags(entries, self._settings.disabling)

    async def _read_groups(self) -> None:
        parts: list[str] = []
        for person in self.people.values():
            parts += _lists(person.dn, person.uid, is_ad=self._is_ad)
            if self._settings.primary_groups and person.primary_group is not None:
                parts.append(f"({self._settings.of.primary_of_group}={escaped(person.primary_group)})")
        found = self._taken(await self._server.groups(_any_of(parts), everywhere=self._leaves_some_out))
        await self._climb(found)
        await self._leave_out()

    async def _climb(self, level: dict[str, Group]) -> None:
        """Take groups in, and level by level those that contain them."""
        while level:
            self.groups |= level
            dns = [group.dn for group in level.values()]
            above: dict[str, Group] = {}
            for start in range(0, len(dns), _AT_ONCE):
                parts = [part for dn in dns[start : start + _AT_ONCE] for part in _lists(dn, None, is_ad=self._is_ad)]
                above |= self._taken(await self._server.groups(_any_of(parts), everywhere=self._leaves_some_out))
            level = {key: group for key, group in above.items() if key not in self.groups}

    async def _leave_out(self) -> None:
        """Groups that the settings do not name stay where they stand, however deep, within one that they do."""
        if not self._leaves_some_out or not self.groups:
            return
        wanted: set[str] = set()
        dns = {canonical(group.dn): key for key, group in self.groups.items()}
        names = sorted({group.name for group in self.groups.values()})
        for start in range(0, len(names), _AT_ONCE):
            filter_ = _any_of(
                f"({self._settings.group_name}={escaped(name)})" for name in names[start : start + _AT_ONCE]
            )
            wanted |= self._taken(await self._server.groups(filter_)).keys() & self.groups.keys()
        more = set(wanted)
        while more:
            within = {dns[name] for key in more for dn in self.groups[key].members if (name := canonical(dn)) in dns}
            more = within - wanted
            wanted |= more
        self.groups = {key: group for key, group in self.groups.items() if key in wanted}

    def _taken(self, entries: Iterable[Entry]) -> dict[str, Group]:
        found = {}
        for entry in entries:
            group = as_group(entry, self._settings)
            if group is None:
                self.findings.append(f"the group {entry.dn} does not show {self._settings.id_attribute}")
            else:
                found[group.group_id] = group
        return found

    def _compare(self, entries: list[Entry]) -> None:
        now = {person.external_id: person for entry in entries if (person := as_person(entry, self._settings))}
        moved = [
            person.dn
            for key, person in self.people.items()
            if key not in now or (now[key].dn, now[key].uid) != (person.dn, person.uid)
        ]
        if moved:
            self.findings.append(named(f"{len(moved)} entries were renamed or deleted while they were read", moved))

    @property
    def _is_ad(self) -> bool:
        return self._settings.product == "active-directory"

    def _frames(self) -> Frames:
        index = Index()
        index.add_people((person.external_id, person.dn, person.uid) for person in self.people.values())
        index.add_groups((group.group_id, group.dn) for group in self.groups.values())
        links = Links(index)
        for group in self.groups.values():
            links.add(group)
        people = people_frame(self.people.values(), self._settings, self._now)
        groups = groups_frame(self.groups.values())
        memberships = pl.concat([links.frame(), primary_frame(people, groups)]).unique().sort(EDGE)
        self.findings += [*self._server.findings, *links.findings, *unread_parts(self._server)]
        return Frames(people, groups, memberships)


def _lists(dn: str, uid: str | None, *, is_ad: bool) -> list[str]:
    """Filters for the groups whose lists name an entry."""
    if is_ad:
        return [f"(member={escaped(dn)})"]
    parts = [f"(member={escaped(dn)})", f"(uniqueMember={escaped(dn)})"]
    return parts if uid is None else [*parts, f"(memberUid={escaped(uid)})"]


def _any_of(parts: Iterable[str]) -> str:
    return f"(|{''.join(parts)})"


def _id_filters(attribute: str, text: str) -> list[str]:
    """A binary id is asked for by its bytes; what cannot be one is nobody's."""
    if attribute.lower() != "objectguid":
        return [f"({attribute}={escaped(text)})"]
    try:
        raw = uuid.UUID(text).bytes_le
    except ValueError:
        return []
    octets = "".join(f"\\{byte:02x}" for byte in raw)
    return [f"(objectGUID={octets})"]
