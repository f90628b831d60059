"""A source that is a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import polars as pl

from connectors.contract import CheckFinding, Progress
from connectors.sources.sql.database import Database
from connectors.sources.sql.failures import TooSlow
from connectors.sources.sql.settings import SqlSettings
from connectors.tables.assembly import Assembled, Tables, Words, assemble, require
from directory.errors import SourceUnavailable, UsersyncError
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS, Completeness, SourceSnapshot

__all__ = ["SqlSource"]

T = TypeVar("T")

_GRACE_SECONDS: Final = 10.0
"""How long a query may take to end after it was told to."""


class SqlSource:
    """Reads `SqlSettings`; holds no connection between two reads."""

    def __init__(
        self,
        settings: SqlSettings,
        *,
        waits: Sequence[float] = (2.0, 10.0),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`waits`: seconds before each further try where the database is not to be had."""
        self._settings = settings
        self._waits = tuple(waits)
        self._sleep = sleep

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Run every query in one read-only transaction.

        Raises `SourceUnavailable`, `SourceUnreadable`, `CredentialsRefused`, or `ConfigurationError` for a missing
        driver or password. Findings: rows without an id, ids in several rows that differ, memberships of people or
        groups that the other queries do not give.
        """
        for wait in (*self._waits, None):
            try:
                return await self._read(progress)
            except SourceUnavailable as error:
                if wait is None or isinstance(error, TooSlow):
                    raise
                await self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    async def check(self) -> list[CheckFinding]:
        """Whether the database may be read and cannot be written, what each query gives and how it is run, and every
        finding that a read would have."""
        found: list[CheckFinding] = []
        try:
            await self._in_thread(lambda database: found.extend(self._checked(database)))
        except UsersyncError as error:
            found.append(CheckFinding.of(error))
        return found

    async def close(self) -> None:
        """Nothing is held open."""

    async def _read(self, progress: Progress | None) -> SourceSnapshot:
        read_at = datetime.now(UTC)
        loop = asyncio.get_running_loop()

        def tell(what: str, count: int) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, what, count)

        def work(database: Database) -> Assembled:
            with database.transaction():
                frames = self._frames(database, tell)
            return self._assembled(frames)

        found = await self._in_thread(work)
        if progress is not None:
            progress("people", found.people.height)
        return SourceSnapshot(
            completeness=Completeness(found.findings),
            read_at=read_at,
            requests=0,
            people=found.people,
            groups=found.groups,
            memberships=found.memberships,
        )

    async def _in_thread(self, work: Callable[[Database], T]) -> T:
        """Drivers block. Who cancels this interrupts the query, and waits a little for it to end."""
        database = Database(self._settings)
        running = asyncio.ensure_future(asyncio.to_thread(work, database))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.to_thread(database.interrupt))
            # Whatever it ends with is nobody's business any more, and must not be logged as an error nobody looked at.
            running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            await asyncio.wait({running}, timeout=_GRACE_SECONDS)
            raise

    def _frames(self, database: Database, tell: Progress) -> dict[str, pl.DataFrame]:
        frames = {}
        for name, query in self._settings.queries.items():
            for columns in database.batches(name, query):
                if not columns.height:
                    self._require(name, columns.names)
                tell(name, columns.height)
            frames[name] = columns.frame()
        return frames

    def _require(self, name: str, columns: Sequence[str]) -> None:
        wanted = {
            "people": list(PEOPLE),
            "groups": list(SOURCE_GROUPS),
            "memberships": [key for key in MEMBERSHIPS if self._settings.nested or key != "member_is_group"],
        }
        require(columns, wanted[name], _origin(name), "name the columns with AS; what there is none of is NULL AS name")

    def _assembled(self, frames: dict[str, pl.DataFrame]) -> Assembled:
        settings = self._settings
        memberships = frames["memberships"]
        return assemble(
            Tables(
                people=frames["people"],
                memberships=memberships if settings.nested else memberships.select("group_id", "member_id"),
                groups=frames.get("groups"),
                origins=(_origin("people"), _origin("memberships"), _origin("groups")),
                active=Words(settings.active_values, settings.inactive_values),
            )
        )

    def _checked(self, database: Database) -> Iterator[CheckFinding]:
        with database.transaction():
            read_only = database.read_only()
            yield CheckFinding("ok", f"{database.where} answers")
            if read_only:
                yield CheckFinding("ok", "the database itself refuses writes in what usersync begins")
            elif read_only is None:
                what = f"usersync does not know how to make {database.backend} refuse writes"
                yield CheckFinding("note", what, "connect as a user that may do nothing but select")
            else:
                yield CheckFinding("problem", "the database would let usersync write", "connect as another user")
            frames = self._frames(database, lambda _what, _count: None)
            for name, frame in frames.items():
                columns = ", ".join(frame.columns)
                yield CheckFinding("ok", f"{_origin(name)} gives {frame.height} rows; columns {columns}")
                plan = database.explained(name, self._settings.queries[name])
                if plan:
                    yield CheckFinding("ok", f"{_origin(name)} is run as: {plan}")
        yield from self._judged(frames)

    def _judged(self, frames: dict[str, pl.DataFrame]) -> Iterator[CheckFinding]:
        if not self._settings.nested and "member_is_group" in frames["memberships"].columns:
            yield CheckFinding("note", "the column 'member_is_group' is not read, because `nested` is not set")
        if "groups" not in frames:
            what = "a group without members is not in sight, since there is no query `groups`"
            yield CheckFinding("note", what)
        step = "correct the queries or the rows; until then nothing is removed"
        for finding in self._assembled(frames).findings:
            yield CheckFinding("problem", finding, step)


def _origin(name: str) -> str:
    return f"the query `{name}`"
