"""One full read of Okta, and the proof that it is whole.

What can be noticed: a group with fewer members than Okta counts; a user who is in a group but was not listed; with the
group Everyone in sight, a list of users shorter than Okta's own count. What cannot: where these credentials do not see
Everyone (a group administrator's), users in no group that the list left out, since Okta gives no count of users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from connectors.contract import Progress
from connectors.sources.okta.api import Group, OktaApi, User, is_everyone
from connectors.sources.okta.members import Members
from connectors.sources.okta.settings import OktaSettings
from directory.errors import NotFound

__all__ = ["LOOKED_UP_AT_MOST", "FullRead", "is_new", "look_up"]

LOOKED_UP_AT_MOST: Final = 50
_NAMED: Final = 5
_INDEX_LAG: Final = timedelta(minutes=10)
"""The index behind `search` lags by seconds (Okta promises no bound); whoever is older than this must be in it."""


class FullRead:
    """Collects `users` (by id), `groups` (by id), `members` and `findings`; `began` is by Okta's clock, where known."""

    def __init__(self, api: OktaApi, settings: OktaSettings, progress: Progress | None) -> None:
        self._api = api
        self._settings = settings
        self._progress = progress or (lambda _what, _count: None)
        self._started = time.monotonic()
        self._everyone: Group | None = None
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        # One connection is left to the list of users, which would otherwise queue behind every group at each page.
        self.members = Members(
            api,
            at_a_time=max(1, settings.concurrency - 1),
            progress=lambda count: self._progress("memberships", count),
        )
        self.findings: list[str] = []

    @property
    def began(self) -> datetime | None:
        return self._api.time_at(self._started)

    async def run(self) -> None:
        """Users and members are read at the same time, since pages of users come one after the other."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_users_then_members())
            tasks.create_task(self._read_groups_and_members())
        self.findings += self.members.findings
        await self._prove_users()
        self._derive_everyone()

    async def _read_users_then_members(self) -> None:
        await self._read_users()
        await self.members.read_along()

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
        await self.members.read([group for group in self.groups.values() if not is_everyone(group)])
        for group_id in self.members.vanished:
            del self.groups[group_id]

    async def _prove_users(self) -> None:
        """Everybody in a group must have been listed, and nobody whom Okta counts may be missing."""
        unlisted = self.members.everybody() - self.users.keys()
        if not self._settings.reads_everybody:
            self.members.drop(unlisted)
            return
        unlisted |= await self._missing_from_everyone()
        if len(unlisted) > LOOKED_UP_AT_MOST:
            self._find(f"the list of users is not whole: {len(unlisted)} users are in groups but not in it", unlisted)
            self.members.drop(unlisted)
            return
        found = await look_up(self._api, unlisted)
        self.users |= found
        self.members.drop(unlisted - found.keys())
        missed = [user.id for user in found.values() if not is_new(user, self.began)]
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

    def _derive_everyone(self) -> None:
        everyone = self._everyone
        if everyone is not None and everyone.id in self.groups:
            self.members.of[everyone.id] = [user.id for user in self.users.values() if user.status != "DEPROVISIONED"]

    def _find(self, what: str, ids: Iterable[str]) -> None:
        self.findings.append(f"{what}, among them {', '.join(sorted(ids)[:_NAMED])}")


async def look_up(api: OktaApi, user_ids: Iterable[str]) -> dict[str, User]:
    """Users by id; those who are gone are missing."""
    found: dict[str, User] = {}
    for user_id in sorted(user_ids):
        try:
            found[user_id] = await api.user(user_id)
        except NotFound:
            continue
    return found


def is_new(user: User, began: datetime | None) -> bool:
    """Whether the user came so lately that the index may not have known them when a read began, by Okta's clock."""
    if user.created is None or began is None:
        return False
    return datetime.fromisoformat(user.created) > began - _INDEX_LAG
