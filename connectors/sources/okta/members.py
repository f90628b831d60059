"""The members of groups, read several groups at a time, and the proof that each list is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from connectors.sources.okta.api import Group, OktaApi
from directory.errors import NotFound

__all__ = ["Members"]


class Members:
    """Collects `of` (group id to user ids), the ids of groups that `vanished` meanwhile, and `findings`."""

    def __init__(self, api: OktaApi, *, at_a_time: int, progress: Callable[[int], None]) -> None:
        self._api = api
        self._at_a_time = at_a_time
        self._progress = progress
        self._count = 0
        self._waiting: Iterator[Group] = iter(())
        self._begun = asyncio.Event()
        self.of: dict[str, list[str]] = {}
        self.vanished: set[str] = set()
        self.findings: list[str] = []

    async def read(self, groups: Iterable[Group]) -> None:
        """Groups that are empty by Okta's count are not asked for."""
        self._waiting = iter(groups)
        self._begun.set()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._at_a_time):
                tasks.create_task(self._read_some())

    async def read_along(self) -> None:
        """One more at a time, for whoever is done with something else. Waits until there are groups to read."""
        await self._begun.wait()
        await self._read_some()

    def everybody(self) -> set[str]:
        return {member for ids in self.of.values() for member in ids}

    def drop(self, user_ids: set[str]) -> None:
        if user_ids:
            self.of = {group: [member for member in ids if member not in user_ids] for group, ids in self.of.items()}

    async def _read_some(self) -> None:
        for group in self._waiting:
            await self._read_one(group)

    async def _read_one(self, group: Group) -> None:
        if group.promised == 0:
            self.of[group.id] = []
            return
        try:
            found = set(await self._api.members(group.id))
            if group.promised is not None and len(found) < group.promised:
                found = await self._read_again(group)
        except NotFound:
            self.findings.append(f"the group {group.name} ({group.id}) was deleted while it was read")
            self.vanished.add(group.id)
            return
        self.of[group.id] = sorted(found)
        self._count += len(found)
        self._progress(self._count)

    async def _read_again(self, group: Group) -> set[str]:
        """Somebody may have left between the count and the list; if it is still short, rows are missing."""
        found = set(await self._api.members(group.id))
        now = await self._api.group(group.id)
        promised = None if now is None else now.promised
        if promised is not None and len(found) < promised:
            short = f"has {promised} members by Okta's count, but only {len(found)} came"
            self.findings.append(f"the group {group.name} ({group.id}) {short}")
        return found
