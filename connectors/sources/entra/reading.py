"""One full read of a tenant, and the proof that it is whole.

Graph's counts come from an index that lags by seconds to minutes, so they are read together with the lists, from the
same index. What can be noticed: a list shorter than its count, a member who is no listed user, a group that vanished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connectors.contract import Progress
from connectors.sources.entra.api import GraphApi
from connectors.sources.entra.members import Members
from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.wire import Group, NextLink, User

__all__ = ["LOOKED_UP_AT_MOST", "FullRead", "look_up", "named", "short_of_counts"]

LOOKED_UP_AT_MOST: Final = 200
_NAMED: Final = 5
_INDEX_LAG: Final = timedelta(minutes=10)
"""Microsoft promises no bound for its index; whoever is older than this must be in it."""


class FullRead:
    """Collects `users` (by id, excluded guests among them), `members` with the groups' names, and `findings`."""

    def __init__(self, api: GraphApi, settings: EntraSettings, progress: Progress | None) -> None:
        self._api = api
        self._settings = settings
        self._progress = progress or (lambda _what, _count: None)
        self._began = datetime.now(UTC)
        self.users: dict[str, User] = {}
        self.members = Members(
            api, {}, counted=settings.verify_counts, progress=lambda count: self._progress("memberships", count)
        )
        self.findings: list[str] = []

    async def run(self) -> None:
        """Users and members are read at the same time, since pages of users come one after the other."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_users())
            tasks.create_task(self._read_groups_and_members())
        self.findings += self.members.findings
        await self._prove_users()

    async def _read_users(self) -> None:
        told: NextLink[dict[str, Any]] = NextLink(dict[str, Any])
        async for page in self._api.users(told):
            self.users.update((user.id, user) for user in page)
            self._progress("people", len(self.users))
        promised = told.count
        if promised is None and self._settings.verify_counts:
            promised = await self._api.count("users")
        if promised is not None and len(self.users) < promised:
            self.findings.append(f"Graph counts {promised} users, but only {len(self.users)} came")

    async def _read_groups_and_members(self) -> None:
        told: NextLink[Group] = NextLink(Group)
        listed: dict[str, str] = {}
        async for page in self._api.groups(told):
            listed.update((group.id, group.name or group.id) for group in page)
            self._progress("groups", len(listed))
        if told.count is not None and len(listed) < told.count:
            self.findings.append(f"Graph counts {told.count} groups, but only {len(listed)} came")
        self.members.start_from(listed)
        await self.members.read(listed)

    async def _prove_users(self) -> None:
        """Everybody in a group must have been listed, unless they came a moment ago, or left."""
        unlisted = {member for ids in self.members.people.values() for member in ids} - self.users.keys()
        if len(unlisted) > LOOKED_UP_AT_MOST:
            self.findings.append(named(f"{len(unlisted)} members of groups are not in the list of users", unlisted))
            return
        found = await look_up(self._api, unlisted)
        self.users.update(found)
        missed = [user.id for user in found.values() if not self._is_new(user)]
        if missed:
            self.findings.append(named(f"{len(missed)} members of groups are not in the list of users", missed))

    def _is_new(self, user: User) -> bool:
        created = user.properties.get("createdDateTime")
        return isinstance(created, str) and datetime.fromisoformat(created) > self._began - _INDEX_LAG


async def look_up(api: GraphApi, user_ids: Iterable[str]) -> dict[str, User]:
    """Users by id, twenty a request; those who are gone are missing."""
    found: dict[str, User] = {}

    def keep(user: User | None) -> None:
        if user is not None:
            found[user.id] = user

    await api.batched([api.user_job(user_id, keep) for user_id in sorted(user_ids)])
    return found


async def short_of_counts(api: GraphApi, users: int, groups: int) -> list[str]:
    """Findings where fewer came than Graph counts. The counts lag: who was deleted a moment ago is still in them."""
    findings = []
    for what, came in (("users", users), ("groups", groups)):
        promised = await api.count(what)
        if came < promised:
            findings.append(f"Graph counts {promised} {what}, but only {came} came")
    return findings


def named(what: str, ids: Iterable[str]) -> str:
    return f"{what}, among them {', '.join(sorted(ids)[:_NAMED])}"
