"""One full read of a directory, and what makes it whole.

LDAP itself says whether a search was cut short, so a list that came is whole. What can go wrong is time: pages are of
different moments, and who is renamed between two of them is missed under one name and unknown under the other. So what
changed since the read began is read once more at its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from connectors.contract import Progress
from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.entries import Group, Person, as_group, as_person
from connectors.sources.ldap.frames import EDGE, Frames, groups_frame, people_frame, primary_frame
from connectors.sources.ldap.links import Index, Links
from connectors.sources.ldap.names import canonical, is_under
from connectors.sources.ldap.server import Server

__all__ = ["FullRead", "at", "named", "unread_parts", "without_flags"]

_NAMED: Final = 5
_OWN_ZONES: Final = ("cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,")
"""Parts of every Active Directory, which hold neither people nor groups of theirs."""


class FullRead:
    """Collects `people` and `groups` by id, and `findings`."""

    def __init__(self, server: Server, progress: Progress | None) -> None:
        self._server = server
        self._settings = server.settings
        self._progress = progress or (lambda _what, _count: None)
        self._began = datetime.now(UTC)
        self._former: list[tuple[str, str, str | None]] = []
        self._without_id: set[str] = set()
        self.people: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self.links = Links(Index())
        self.reached_beyond = False
        """Whether groups are among these that only stand within others."""
        self.findings: list[str] = []

    async def run(self) -> Frames:
        server, progress = self._server, self._progress
        newer = await self._newer()
        self._take_people(await server.people(told=lambda count: progress("people", count)))
        self._take_groups(await server.groups(told=lambda count: progress("groups", count)))
        self._take_people(await server.people(newer))
        self._take_groups(await server.groups(newer))
        await asyncio.to_thread(self._link)
        await self._reach_beyond()
        self._judge()
        frames = await asyncio.to_thread(self._frames)
        progress("people", frames.people.height)
        progress("memberships", frames.memberships.height)
        return frames

    def _frames(self) -> Frames:
        people = people_frame(self.people.values(), self._settings, int(self._began.timestamp()))
        groups = groups_frame(self.groups.values())
        memberships = pl.concat([self.links.frame(), primary_frame(people, groups)]).unique().sort(EDGE)
        return Frames(people, groups, memberships)

    async def _newer(self) -> str:
        """A filter for what changes from now on."""
        usn = (await self._server.root()).number("highestCommittedUSN")
        if self._settings.product == "active-directory" and usn is not None:
            return f"(uSNChanged>={usn + 1})"
        return f"(modifyTimestamp>={at(self._began - timedelta(seconds=self._settings.clock_skew))})"

    def _take_people(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            person = as_person(entry, self._settings)
            if person is None:
                self._without_id.add(entry.dn)
                continue
            before = self.people.get(person.external_id)
            if before is not None and before.dn != person.dn:
                self._former.append((person.external_id, before.dn, None))
            self.people[person.external_id] = person
        unseen = without_flags(entries, self._settings.disabling)
        self.findings += unseen

    def _take_groups(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            group = as_group(entry, self._settings)
            if group is None:
                self._without_id.add(entry.dn)
            else:
                self.groups[group.group_id] = group

    def _link(self) -> None:
        index = Index()
        index.add_people(self._former)
        index.add_people((person.external_id, person.dn, person.uid) for person in self.people.values())
        index.add_groups((group.group_id, group.dn) for group in self.groups.values())
        self.links = Links(index)
        for group in self.groups.values():
            self.links.add(group)

    async def _reach_beyond(self) -> None:
        """Groups that the settings leave out are read where they stand within one that is read."""
        settings = self._settings
        if settings.groups_filter is None and settings.groups_base is None:
            return
        if not any(is_under(dn, settings.base) for dn in self.links.unknown.values()):
            return
        others: dict[str, Group] = {}
        for entry in await self._server.groups(everywhere=True):
            group = as_group(entry, settings)
            if group is not None:
                others[canonical(group.dn)] = group
        waiting = [others[name] for name in self.links.unknown if name in others]
        while waiting:
            group = waiting.pop()
            if group.group_id in self.groups:
                continue
            self.reached_beyond = True
            self.groups[group.group_id] = group
            waiting += [others[name] for dn in group.members if (name := canonical(dn)) in others]
        self._link()

    def _judge(self) -> None:
        if self._without_id:
            what = f"{len(self._without_id)} entries do not show {self._settings.id_attribute}"
            self.findings.append(named(what, self._without_id))
        self.findings += self._server.findings
        self.findings += self.links.findings
        self.findings += unread_parts(self._server)


def without_flags(entries: Iterable[Entry], rules: Iterable[str]) -> list[str]:
    """A finding where the account may not see the flags of people, so that nobody knows who is shut out."""
    if "userAccountControl" not in rules:
        return []
    unseen = [entry.dn for entry in entries if entry.number("userAccountControl") is None]
    what = f"{len(unseen)} people do not show userAccountControl, so nobody knows whether they are disabled"
    return [named(what, unseen)] if unseen else []


def unread_parts(server: Server) -> list[str]:
    """A finding for each part of the tree that may hold people and is held by another server."""
    if server.settings.referrals == "skip":
        return []
    return [
        f"the directory holds no entries below {url}, and refers to another server for them"
        for url in server.referrals
        if not url.partition("://")[2].partition("/")[2].lower().startswith(_OWN_ZONES)
    ]


def named(what: str, names: Iterable[str]) -> str:
    return f"{what}, among them {'; '.join(sorted(names)[:_NAMED])}"


def at(moment: datetime) -> str:
    """Generalized Time (RFC 4517, section 3.3.13)."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
