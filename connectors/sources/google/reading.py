"""One read of a Workspace account, and the proof that it is whole.

What can be noticed: a group with fewer members than Google counts; a user or a group of the account that is a member
somewhere and was not listed; rows that moved from one page to another. What cannot: a user in no group, or a group in
no group, that a list left out, since Google counts neither.

`directMembersCount` counts "users that are direct members" (API reference), which leaves open whether groups among the
members are counted too. Groups with both say which it is. Until one has said that they are counted, a group that Google
counts as empty may still hold groups, and is asked for its members as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from connectors.contract import Progress
from connectors.failures import one_plain_failure
from connectors.sources.google.api import GoogleApi, Group, Member, User
from connectors.sources.google.frames import called
from connectors.sources.google.settings import GoogleSettings
from directory.errors import CredentialsRefused, NotFound

__all__ = ["Reading"]

_LOOKED_UP_AT_MOST: Final = 50
_NAMED: Final = 5
_MOVED: Final = "the list of {what} changed its order while it was read, also at a second read"


class Reading:
    """Collects users, groups, who is in which, and findings."""

    def __init__(self, api: GoogleApi, settings: GoogleSettings, progress: Progress | None) -> None:
        self._api = api
        self._settings = settings
        self._progress = progress or (lambda _what, _count: None)
        self._began = datetime.now(UTC)
        self._listed: dict[str, Group] = {}
        self._vanished: set[str] = set()
        self._membership_count = 0
        self._known: dict[str, Member] = {}
        self.users: dict[str, User] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.members: dict[str, dict[str, Member]] = {}
        """By the id of each group that is wanted and still there."""
        self.findings: list[str] = []

    async def run(self) -> None:
        """Users and members are read at the same time, since pages of users come one after the other."""
        with one_plain_failure():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read_users())
                tasks.create_task(self._read_groups_and_members())
        self._judge_counts()
        await self._prove_users()
        await self._prove_groups()

    @property
    def groups(self) -> list[Group]:
        return [self._listed[group_id] for group_id in self.members]

    @property
    def people_of(self) -> dict[str, list[str]]:
        return {
            group_id: [member.id for member in members.values() if member.type == "USER" and member.id in self.users]
            for group_id, members in self.members.items()
        }

    @property
    def groups_of(self) -> dict[str, list[str]]:
        return {
            group_id: [member.id for member in members.values() if member.type == "GROUP" and member.id in self.members]
            for group_id, members in self.members.items()
        }

    @property
    def everybody_in(self) -> list[str]:
        """Groups that every user of the account is a member of (a member of the type CUSTOMER)."""
        return [
            group_id
            for group_id, members in self.members.items()
            if any(member.type == "CUSTOMER" for member in members.values())
        ]

    async def _read_users(self) -> None:
        if await self._users_came_twice() and (twice := await self._users_came_twice()):
            self._find(f"{_MOVED.format(what='users')}: {len(twice)} came twice", twice)

    async def _users_came_twice(self) -> set[str]:
        """Read the list; who came on two pages of it shows that others may have come on none."""
        listed: set[str] = set()
        twice: set[str] = set()
        async for page in self._api.users():
            ids = {self._take(document).id for document in page}
            twice |= ids & listed
            listed |= ids
            self._progress("people", len(self.users))
        return twice

    def _take(self, document: dict[str, Any]) -> User:
        try:
            user = msgspec.convert(document, User)
        except msgspec.ValidationError as error:
            raise self._api.client.failures.unreadable("GET users", f"a user has another shape: {error}") from None
        self.users[user.id] = user
        self.documents[user.id] = document
        return user

    async def _read_groups_and_members(self) -> None:
        if await self._groups_came_twice() and (twice := await self._groups_came_twice()):
            self._find(f"{_MOVED.format(what='groups')}: {len(twice)} came twice", twice)
        prefix = (self._settings.group_prefix or "").casefold()
        wanted = [
            group for group in self._listed.values() if called(group, self._settings).casefold().startswith(prefix)
        ]
        put_off = [group for group in wanted if group.promised == 0]
        await self._read_with_those_within([group for group in wanted if group.promised != 0])
        if self._groups_are_counted():
            self.members.update((group.id, {}) for group in put_off if group.id not in self.members)
        else:
            await self._read_with_those_within(put_off)

    async def _groups_came_twice(self) -> set[str]:
        listed: set[str] = set()
        twice: set[str] = set()
        async for page in self._api.groups():
            ids = {group.id for group in page}
            twice |= ids & listed
            listed |= ids
            self._listed.update((group.id, group) for group in page)
            self._progress("groups", len(self._listed))
        return twice

    async def _read_with_those_within(self, groups: list[Group]) -> None:
        """Read the members of groups, of the groups among those, and so on; each group once."""
        level = {group.id: group for group in groups if not self._is_done(group.id)}
        while level:
            waiting = iter(list(level.values()))
            # One connection is left to the list of users, which would otherwise queue behind every group at each page.
            async with asyncio.TaskGroup() as tasks:
                for _ in range(max(1, self._settings.concurrency - 1)):
                    tasks.create_task(self._read_members_of(waiting))
            within = {
                member.id
                for group_id in level
                for member in self.members.get(group_id, {}).values()
                if member.type == "GROUP"
            }
            level = {
                group_id: self._listed[group_id]
                for group_id in sorted(within)
                if group_id in self._listed and not self._is_done(group_id)
            }

    def _is_done(self, group_id: str) -> bool:
        return group_id in self.members or group_id in self._vanished

    async def _read_members_of(self, waiting: Iterator[Group]) -> None:
        for group in waiting:
            await self._read_members(group)

    async def _read_members(self, group: Group) -> None:
        try:
            found = await self._api.members(group.id)
            if len(found) < (group.promised or 0):
                # Somebody may have left between the count and the list; if it is still short, rows are missing.
                found = await self._api.members(group.id)
                group = await self._api.group(group.id)
                self._listed[group.id] = group
        except NotFound:
            self.findings.append(f"the group {group.email} ({group.id}) was deleted while it was read")
            self._vanished.add(group.id)
            return
        self.members[group.id] = {member.id: member for member in map(self._once, found.values())}
        self._membership_count += len(found)
        self._progress("memberships", self._membership_count)

    def _once(self, member: Member) -> Member:
        """One object for somebody who is in many groups: a million of them would take hundreds of megabytes."""
        known = self._known.setdefault(member.id, member)
        return known if known == member else member

    def _groups_are_counted(self) -> bool:
        """Whether groups with users and groups in them show that Google counts both, and none shows otherwise."""
        return self._shown_by(len) and not self._shown_by(_user_count)

    def _shown_by(self, count: Callable[[dict[str, Member]], int]) -> bool:
        return any(
            _user_count(members) < len(members) and self._listed[group_id].promised == count(members)
            for group_id, members in self.members.items()
        )

    def _judge_counts(self) -> None:
        """Unless groups are shown to be counted, as many users must have come as Google counts."""
        counted = len if self._groups_are_counted() else _user_count
        for group_id, members in self.members.items():
            group = self._listed[group_id]
            if counted(members) < (group.promised or 0):
                self.findings.append(
                    f"the group {group.email} ({group.id}) has {group.promised} members by Google's count, "
                    f"but only {counted(members)} came"
                )
        kinds = {member.type for members in self.members.values() for member in members.values()}
        for kind in sorted(kinds - {"USER", "GROUP", "CUSTOMER", "EXTERNAL"}):
            self.findings.append(f"some groups have members of the type {kind}, which usersync does not know")

    async def _prove_users(self) -> None:
        """Every user of the account who is in a group must have been listed."""

        async def look_up(user_id: str) -> bool:
            document = await self._api.user(user_id)
            user = self._take(document)
            return user.creation_time is None or datetime.fromisoformat(user.creation_time) < self._began

        unlisted = self._unlisted("USER", self.users.keys())
        await self._prove("users", unlisted, look_up)

    async def _prove_groups(self) -> None:
        """Every group of the account that is in a group must have been listed."""

        async def look_up(group_id: str) -> bool:
            await self._api.group(group_id)
            return True

        unlisted = self._unlisted("GROUP", self._listed.keys() | self._vanished)
        await self._prove("groups", unlisted, look_up)

    async def _prove(self, what: str, unlisted: set[str], look_up: Callable[[str], Awaitable[bool]]) -> None:
        """`look_up` says whether an object was there when the read began, and so should have been listed."""
        missed: list[str] = []
        if len(unlisted) > _LOOKED_UP_AT_MOST:
            missed = sorted(unlisted)
        else:
            for object_id in sorted(unlisted):
                try:
                    if await look_up(object_id):
                        missed.append(object_id)
                except NotFound:
                    continue
                except CredentialsRefused:
                    if self._api.client.is_refused:
                        raise
                    missed.append(object_id)
        if missed:
            self._find(f"the list of {what} is not whole: {len(missed)} are in groups but not in it", missed)

    def _unlisted(self, kind: str, listed: Iterable[str]) -> set[str]:
        known, domains = set(listed), self._domains()
        return {
            member.id
            for members in self.members.values()
            for member in members.values()
            if member.type == kind and member.id not in known and _domain(member.email) in domains
        }

    def _domains(self) -> set[str]:
        """Domains whose users and groups are listed: members from elsewhere are guests of a group."""
        if self._settings.domain is not None:
            return {self._settings.domain.casefold(), ""}
        return {"", _domain(self._settings.subject), *(_domain(user.primary_email) for user in self.users.values())}

    def _find(self, what: str, ids: Iterable[str]) -> None:
        self.findings.append(f"{what}, among them {', '.join(sorted(ids)[:_NAMED])}")


def _user_count(members: dict[str, Member]) -> int:
    return sum(1 for member in members.values() if member.type != "GROUP")


def _domain(address: str | None) -> str:
    """Empty where there is no address, so that whoever has none is looked up."""
    return (address or "").rpartition("@")[2].casefold()
