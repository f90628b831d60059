"""One read of Okta, and the proof that it is whole.

What can be noticed: a group with fewer members than Okta counts; a user who is in a group but was not listed; with the
group Everyone in sight, a list of users shorter than Okta's own count. What cannot: where these credentials do not see
Everyone (a group administrator's), users in no group that the list left out, since Okta gives no count of users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from connectors.contract import Progress
from connectors.sources.okta.api import Group, OktaApi, User, is_everyone
from connectors.sources.okta.settings import OktaSettings
from directory.errors import NotFound

__all__ = ["Reading"]

_LOOKED_UP_AT_MOST: Final = 50
_NAMED: Final = 5
_INDEX_LAG: Final = timedelta(minutes=10)
"""The index behind `search` lags by seconds (Okta promises no bound); whoever is older than this must be in it."""


class Reading:
    """Collects `users` (by id), `groups` (by id), `members` (group id to user ids) and `findings`."""

    def __init__(self, api: OktaApi, settings: OktaSettings, progress: Progress | None) -> None:
        self._api = api
        self._settings = settings
        self._progress = progress or (lambda _what, _count: None)
        self._started = time.monotonic()
        self._membership_count = 0
        self._everyone: Group | None = None
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.members: dict[str, list[str]] = {}
        self.findings: list[str] = []

    async def run(self) -> None:
        """Users and members are read at the same time, since pages of users come one after the other."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read_users())
                tasks.create_task(self._read_groups_and_members())
        except ExceptionGroup as failures:
            # The first failure cancelled the rest, and says on its own what happened.
            raise _first(failures) from None
        await self._prove_users()
        self._derive_everyone()

    async def _read_users(self) -> None:
        differing: list[str] = []
        async for page in self._api.users():
            for user in page:
                earlier = self.users.get(user.id)
                if earlier is not None and earlier != user:
                    differing.append(user.id)
                self.users[user.id] = user
            self._progress("people", len(self.users))
        if differing:
            self._find(f"{len(differing)} users came twice with different data", differing)

    async def _read_groups_and_members(self) -> None:
        async for page in self._api.groups():
            self.groups.update((group.id, group) for group in page)
            self._progress("groups", len(self.groups))
        self._everyone = next((group for group in self.groups.values() if is_everyone(group)), None)
        if not self._settings.include_builtin:
            self.groups = {key: group for key, group in self.groups.items() if group.type != "BUILT_IN"}
        waiting = iter([group for group in self.groups.values() if not is_everyone(group)])
        # One connection is left to the list of users, which would otherwise queue behind every group at each page.
        async with asyncio.TaskGroup() as tasks:
            for _ in range(max(1, self._settings.concurrency - 1)):
                tasks.create_task(self._read_members_of(waiting))

    async def _read_members_of(self, waiting: Iterator[Group]) -> None:
        for group in waiting:
            await self._read_members(group)

    async def _read_members(self, group: Group) -> None:
        if group.promised == 0:
            self.members[group.id] = []
            return
        try:
            found = set(await self._api.members(group.id))
            if group.promised is not None and len(found) < group.promised:
                found = await self._read_members_again(group)
        except NotFound:
            self.findings.append(f"the group {group.name} ({group.id}) was deleted while it was read")
            self.groups.pop(group.id, None)
            return
        self.members[group.id] = sorted(found)
        self._membership_count += len(found)
        self._progress("memberships", self._membership_count)

    async def _read_members_again(self, group: Group) -> set[str]:
        """Somebody may have left between the count and the list; if it is still short, rows are missing."""
        found = set(await self._api.members(group.id))
        now = await self._api.group(group.id)
        promised = None if now is None else now.promised
        if promised is not None and len(found) < promised:
            short = f"has {promised} members by Okta's count, but only {len(found)} came"
            self.findings.append(f"the group {group.name} ({group.id}) {short}")
        return found

    async def _prove_users(self) -> None:
        """Everybody in a group must have been listed, and nobody whom Okta counts may be missing."""
        in_groups = {member for ids in self.members.values() for member in ids}
        unlisted = in_groups - self.users.keys()
        if not self._settings.reads_everybody:
            self._drop_members(unlisted)
            return
        unlisted |= await self._missing_from_everyone()
        if len(unlisted) > _LOOKED_UP_AT_MOST:
            self._find(f"the list of users is not whole: {len(unlisted)} users are in groups but not in it", unlisted)
            self._drop_members(unlisted)
            return
        missed: list[str] = []
        gone: set[str] = set()
        for user_id in sorted(unlisted):
            try:
                user, date = await self._api.user(user_id)
            except NotFound:
                gone.add(user_id)
                continue
            self.users[user.id] = user
            if not self._is_new(user, date):
                missed.append(user_id)
        self._drop_members(gone)
        if missed:
            self._find(f"the list of users is not whole: {len(missed)} users are in groups but not in it", missed)

    async def _missing_from_everyone(self) -> set[str]:
        """Whom the group Everyone has and the list has not; asked for only where the counts differ."""
        if not self._settings.verify_counts:
            return set()
        everyone = self._everyone if self._settings.group_query is None else await self._api.everyone()
        if everyone is None or everyone.promised is None:
            return set()
        listed = sum(1 for user in self.users.values() if user.status != "DEPROVISIONED")
        if listed >= everyone.promised:
            return set()
        return set(await self._api.members(everyone.id)) - self.users.keys()

    def _is_new(self, user: User, okta_time: str | None) -> bool:
        """Whether the user came so lately that the index may not have known them when it was asked."""
        if user.created is None or okta_time is None:
            return False
        began = parsedate_to_datetime(okta_time) - timedelta(seconds=time.monotonic() - self._started)
        return datetime.fromisoformat(user.created) > began - _INDEX_LAG

    def _derive_everyone(self) -> None:
        everyone = self._everyone
        if everyone is not None and everyone.id in self.groups:
            self.members[everyone.id] = [user.id for user in self.users.values() if user.status != "DEPROVISIONED"]

    def _drop_members(self, user_ids: set[str]) -> None:
        if user_ids:
            self.members = {
                group_id: [member for member in ids if member not in user_ids] for group_id, ids in self.members.items()
            }

    def _find(self, what: str, ids: Iterable[str]) -> None:
        self.findings.append(f"{what}, among them {', '.join(sorted(ids)[:_NAMED])}")


def _first(failures: BaseExceptionGroup[Exception]) -> Exception:
    failure = failures.exceptions[0]
    return _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
