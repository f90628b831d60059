"""A source that is a tenant of Microsoft Entra ID."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from connectors.contract import CheckFinding, Picture, Progress, Reading
from connectors.failures import one_plain_failure
from connectors.http.retry import RetryPolicy
from connectors.sources.entra.api import GraphApi
from connectors.sources.entra.changes import Frames, Update, Watermark, drained
from connectors.sources.entra.checking import check
from connectors.sources.entra.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.entra.person import Belonging, find_groups, find_users
from connectors.sources.entra.pictures import photos
from connectors.sources.entra.reading import FullRead, short_of_counts
from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.wire import User
from directory.errors import ConfigurationError, SourceUnreadable
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["EntraSource"]

_REFUSED: Final = re.compile(r"HTTP (400|501)")
"""A filter or an attribute that Graph does not accept; the address is right."""


class EntraSource:
    """Reads `EntraSettings`. 362 requests, and one for a token, for 100,000 users and 5,000 groups: users and groups
    come 999 a page, and twenty groups are asked for their members at once.
    """

    def __init__(
        self,
        settings: EntraSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._retry = retry
        self._sleep = sleep
        self._api: GraphApi | None = None

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read users, groups and direct members; groups within groups are memberships of their own.

        Raises `SourceUnavailable`, `SourceUnreadable`, `CredentialsRefused`, or `ConfigurationError` for a secret that
        cannot be had. Findings: lists shorter than Graph's counts, a group that vanished, members who are not listed.
        """
        read_at = datetime.now(UTC)
        api = self._opened()
        before = api.client.requests
        reading = FullRead(api, self._settings, progress)
        with _one_plain_failure():
            await reading.run()
        excludes = self._settings.guests == "exclude"
        users = {key: user for key, user in reading.users.items() if not (excludes and user.is_guest)}
        people = {key: sorted(ids & users.keys()) for key, ids in reading.members.people.items()}
        within = {key: sorted(ids) for key, ids in reading.members.within.items()}
        return SourceSnapshot(
            completeness=Completeness(tuple(reading.findings)),
            read_at=read_at,
            requests=api.client.requests - before,
            people=people_frame(users.values(), self._settings),
            groups=groups_frame(reading.members.names),
            memberships=memberships_frame(people, within),
        )

    @property
    def blind_to(self) -> tuple[str, ...]:
        """What Graph's deltas do not report."""
        kept_apart = [name for name in self._settings.columns.values() if "_" in name or "." in name]
        if not kept_apart:
            return ()
        return (f"Graph does not promise to report changes of {', '.join(kept_apart)}",)

    async def read_all(self, progress: Progress | None = None) -> Reading:
        """Everything, by a first call of both deltas, so that state and watermark are of one moment.

        Delta has no filter and does not report managers: with `groups_filter` or `manager` this is `read`, and there is
        no watermark.
        """
        if not self._is_incremental:
            return Reading(await self.read(progress), None)
        whole = await self._from(Watermark.first(self._settings), Frames.empty(self._settings), None, progress)
        if whole is None:
            raise self._opened().client.failures.unreadable("GET delta", "it refuses to begin")
        return whole

    async def read_changes(self, last: Reading, progress: Progress | None = None) -> Reading | None:
        """Three requests where nothing changed, besides one for a token. Deltas are kept for seven days."""
        mark = Watermark.read(last.watermark, self._settings) if self._is_incremental else None
        if mark is None:
            return None
        snapshot = last.snapshot
        before = Frames(snapshot.people, snapshot.groups, snapshot.memberships)
        return await self._from(mark, before, last, progress)

    @property
    def _is_incremental(self) -> bool:
        return self._settings.groups_filter is None and not self._settings.wants_manager

    async def _from(
        self, mark: Watermark, before: Frames, last: Reading | None, progress: Progress | None
    ) -> Reading | None:
        read_at = datetime.now(UTC)
        api = self._opened()
        sent = api.client.requests
        with _one_plain_failure():
            told = await drained(api, mark, self._settings)
        if told is None:
            return None
        difference, following = told
        update = Update(api, self._settings, difference, before)
        with _one_plain_failure():
            frames = await update.run(is_first=last is None)
            if last is None and self._settings.verify_counts:
                update.findings += await short_of_counts(
                    api, len(difference.users.keys() | difference.gone), frames.groups.height
                )
        if progress is not None:
            progress("people", frames.people.height)
            progress("groups", frames.groups.height)
            progress("memberships", frames.memberships.height)
        snapshot = SourceSnapshot(
            completeness=Completeness(tuple(update.findings)),
            read_at=read_at,
            requests=api.client.requests - sent,
            people=frames.people,
            groups=frames.groups,
            memberships=frames.memberships,
        )
        return Reading(snapshot, None if update.findings else following.written())

    async def read_person(self, name: str, *, by_id: bool = False) -> SourceSnapshot:
        """See `connectors.sources.entra.person`."""
        read_at, api = datetime.now(UTC), self._opened()
        before = api.client.requests
        belonging = Belonging(api, self._settings)
        with _one_plain_failure():
            users = await find_users(api, self._settings, name, by_id=by_id)
            await belonging.of_users([user.id for user in users])
        return self._alone(users, belonging, read_at, api.client.requests - before)

    async def find_groups(self, names: Collection[str]) -> SourceSnapshot:
        """A request for each 15 names; with `groups_filter` also what is above the groups, and the list of them."""
        read_at, api = datetime.now(UTC), self._opened()
        before = api.client.requests
        belonging = Belonging(api, self._settings)
        with _one_plain_failure():
            found = await find_groups(api, names)
            await belonging.of_groups(found)
        belonging.names = {key: name for key, name in belonging.names.items() if key in found}
        return self._alone([], belonging, read_at, api.client.requests - before)

    def _alone(self, users: list[User], belonging: Belonging, read_at: datetime, requests: int) -> SourceSnapshot:
        return SourceSnapshot(
            completeness=Completeness(tuple(belonging.findings)),
            read_at=read_at,
            requests=requests,
            people=people_frame(users, self._settings),
            groups=groups_frame(belonging.names),
            memberships=memberships_frame(
                belonging.members(user.id for user in users), belonging.members(list(belonging.names))
            ),
        )

    async def pictures(
        self, external_ids: Sequence[str], size: int, progress: Progress | None = None
    ) -> AsyncIterator[tuple[str, Picture]]:
        """Profile photos, twenty people a request; User.Read.All lets them be read."""
        with _one_plain_failure():
            async for found in photos(self._opened(), external_ids, size, progress):
                yield found

    async def check(self) -> list[CheckFinding]:
        """Whether the credentials work and for what, what the filter of groups finds, and what cannot be seen."""
        try:
            api = self._opened()
        except ConfigurationError as error:
            return [CheckFinding.of(error)]
        return await check(api, self._settings)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.client.aclose()
            self._api = None

    def _opened(self) -> GraphApi:
        if self._api is None:
            self._api = GraphApi(self._settings, retry=self._retry, sleep=self._sleep)
        return self._api


@contextmanager
def _one_plain_failure() -> Iterator[None]:
    """As `connectors.failures.one_plain_failure`; where Graph refuses a request it leads to who explains it."""
    try:
        with one_plain_failure():
            yield
    except SourceUnreadable as failure:
        if _REFUSED.search(failure.what):
            failure.next_step = (
                "run `usersync check`, which says in plain words what Graph refuses and how to correct it"
            )
        raise
