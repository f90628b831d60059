"""A source that is an LDAP directory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TypeVar

from connectors.contract import CheckFinding, Progress, Reading
from connectors.sources.ldap.changes import Strategy, Update, Watermark, fingerprint
from connectors.sources.ldap.checking import check
from connectors.sources.ldap.frames import Frames
from connectors.sources.ldap.person import Alone
from connectors.sources.ldap.reading import FullRead
from connectors.sources.ldap.server import Server
from connectors.sources.ldap.settings import LdapSettings
from connectors.sources.ldap.strategies import choose
from directory.errors import SourceUnavailable, UsersyncError
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["LdapSource"]

T = TypeVar("T")


class LdapSource:
    """Reads `LdapSettings`; holds no connection between two reads.

    About 110 round trips for 100,000 people and 5,000 groups, which come 1000 an answer with their members in them;
    Active Directory gives 1500 members at a time, so that a group of 5,000 takes three more.
    """

    def __init__(
        self,
        settings: LdapSettings,
        *,
        waits: Sequence[float] = (2.0, 10.0),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        connect: Callable[[LdapSettings], Server] = Server,
    ) -> None:
        """`waits`: seconds before each further try where the directory does not answer or is busy."""
        self._settings = settings
        self._waits = tuple(waits)
        self._sleep = sleep
        self._connect = connect

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read people, groups and direct members; groups within groups are memberships of their own.

        Raises `SourceUnavailable`, `SourceUnreadable` (a list that a limit cut short is one), `CredentialsRefused`, or
        `ConfigurationError` for a missing library or password. Findings: entries without an id, people whose state is
        not shown, groups that vanished or changed all the while, parts of the tree that another server holds.
        """
        return (await self.read_all(progress)).snapshot

    @property
    def blind_to(self) -> tuple[str, ...]:
        """What the way to learn of changes does not see."""
        strategy = choose(self._settings, None)
        return () if strategy is None else strategy.blind_to

    async def read_all(self, progress: Progress | None = None) -> Reading:
        """As `read`; no watermark where `incremental` is off, or groups beyond the settings stand within others."""
        return await self._tried(lambda: self._read_all(progress))

    async def read_changes(self, last: Reading, progress: Progress | None = None) -> Reading | None:
        """A handful of round trips where little changed."""
        return await self._tried(lambda: self._read_changes(last, progress))

    async def read_person(self, name: str, *, by_id: bool = False) -> SourceSnapshot:
        """About 6 round trips; see `connectors.sources.ldap.person`."""
        return await self._tried(lambda: self._alone(lambda alone: alone.of(name, by_id=by_id)))

    async def find_groups(self, names: Collection[str]) -> SourceSnapshot:
        """A round trip for each 50 names, and as many as the levels above the groups that are found."""
        return await self._tried(lambda: self._alone(lambda alone: alone.called(names)))

    async def check(self) -> list[CheckFinding]:
        """Whether the directory answers and the account sees what a read needs, and every finding a read would have."""
        try:
            return await check(self._settings, self._connect)
        except UsersyncError as error:
            return [CheckFinding.of(error)]

    async def close(self) -> None:
        """Nothing is held open."""

    async def _tried(self, work: Callable[[], Awaitable[T]]) -> T:
        for wait in (*self._waits, None):
            try:
                return await work()
            except SourceUnavailable:
                if wait is None:
                    raise
                await self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    async def _read_all(self, progress: Progress | None) -> Reading:
        read_at = datetime.now(UTC)
        async with self._connect(self._settings) as server:
            strategy = choose(self._settings, await server.root())
            mark = None if strategy is None else await strategy.start(server)
            reading = FullRead(server, progress)
            frames = await reading.run()
            watermark = None
            if strategy is not None and mark is not None and not (reading.findings or reading.reached_beyond):
                identity = await strategy.identity(server)
                watermark = Watermark(strategy.name, identity, fingerprint(self._settings), mark).written()
        return Reading(_snapshot(frames, reading.findings, read_at, server.requests), watermark)

    async def _alone(self, ask: Callable[[Alone], Awaitable[Frames]]) -> SourceSnapshot:
        read_at = datetime.now(UTC)
        async with self._connect(self._settings) as server:
            alone = Alone(server)
            frames = await ask(alone)
            return _snapshot(frames, alone.findings, read_at, server.requests)

    async def _read_changes(self, last: Reading, progress: Progress | None) -> Reading | None:
        if last.watermark is None:
            return None
        read_at = datetime.now(UTC)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(self._connect(self._settings))
            strategy = choose(self._settings, await server.root())
            if strategy is None:
                return None
            return await self._go_on(server, strategy, last, read_at, progress)

    async def _go_on(
        self, server: Server, strategy: Strategy, last: Reading, read_at: datetime, progress: Progress | None
    ) -> Reading | None:
        identity = await strategy.identity(server)
        mark = Watermark.read(last.watermark, strategy, identity, self._settings)
        changed = None if mark is None else await strategy.changes(server, mark.mark)
        if changed is None:
            return None
        before = Frames(last.snapshot.people, last.snapshot.groups, last.snapshot.memberships)
        update = Update(server, strategy, changed, before)
        frames = await update.run(int(read_at.timestamp()))
        if frames is None:
            return None
        if progress is not None:
            progress("people", frames.people.height)
            progress("memberships", frames.memberships.height)
        following = Watermark(strategy.name, identity, fingerprint(self._settings), changed.following)
        snapshot = _snapshot(frames, update.findings, read_at, server.requests)
        return Reading(snapshot, None if update.findings else following.written())


def _snapshot(frames: Frames, findings: Sequence[str], read_at: datetime, requests: int) -> SourceSnapshot:
    return SourceSnapshot(
        completeness=Completeness(tuple(findings)),
        read_at=read_at,
        requests=requests,
        people=frames.people,
        groups=frames.groups,
        memberships=frames.memberships,
    )
