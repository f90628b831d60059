"""A source that is a OneLogin account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime

from connectors.contract import CheckFinding, Progress, Reading
from connectors.http.retry import RetryPolicy
from connectors.sources.onelogin.api import OneLoginApi
from connectors.sources.onelogin.changes import Update, Watermark
from connectors.sources.onelogin.checking import check
from connectors.sources.onelogin.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.onelogin.person import Alone
from connectors.sources.onelogin.reading import FullRead
from connectors.sources.onelogin.settings import OneLoginSettings
from directory.errors import ConfigurationError, SourceUnavailable
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["OneLoginSource"]


class OneLoginSource:
    """Reads `OneLoginSettings`. About 1,000 requests for 100,000 users, whatever they are in: users come 100 a page and
    bring their memberships; a request or two for all roles.
    """

    def __init__(
        self,
        settings: OneLoginSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._retry = retry
        self._sleep = sleep
        self._api: OneLoginApi | None = None

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read users and groups.

        Raises `SourceUnavailable` (also where too few API calls are left in the hour), `SourceUnreadable`,
        `CredentialsRefused`, or `ConfigurationError` for a secret that cannot be had. Findings: lists that are shorter
        than OneLogin counts or that changed while they were read, roles that are not listed.
        """
        return (await self.read_all(progress)).snapshot

    @property
    def blind_to(self) -> tuple[str, ...]:
        """What can neither be asked for nor be noticed by a count."""
        if self._settings.groups_from != "roles":
            return ()
        not_promised = (
            "that every change of a user counts as an update, or that its roles name everybody who is in them"
        )
        return (f"OneLogin does not promise {not_promised}",)

    async def read_all(self, progress: Progress | None = None) -> Reading:
        """As `read`. No watermark where the read is not complete, or `groups_from` is not `roles`."""
        read_at = datetime.now(UTC)
        api = self._opened()
        before = api.client.requests
        await self._require_calls(api)
        reading = FullRead(api, self._settings, progress)
        await reading.run()
        users = list(reading.users.values())
        documents = [reading.documents[user.id] for user in users]
        people = await asyncio.to_thread(people_frame, users, documents, self._settings)
        snapshot = SourceSnapshot(
            completeness=Completeness(tuple(reading.findings)),
            read_at=read_at,
            requests=api.client.requests - before,
            people=people,
            groups=groups_frame(reading.groups),
            memberships=memberships_frame(reading.groups_of),
        )
        mark = None if reading.findings else Watermark.at(reading.began, self._settings)
        return Reading(snapshot, None if mark is None else mark.written())

    async def read_changes(self, last: Reading, progress: Progress | None = None) -> Reading | None:
        """Three requests where nothing changed, besides one for a token: who was updated, how many there are, and the
        roles. None as well where somebody was deleted.
        """
        mark = Watermark.read(last.watermark, self._settings)
        if mark is None:
            return None
        read_at = datetime.now(UTC)
        api = self._opened()
        before = api.client.requests
        await self._require_calls(api)
        update = Update(api, self._settings, last.snapshot)
        frames = await update.run(mark.since)
        if frames is None:
            return None
        following = Watermark.at(update.began, self._settings)
        people, groups, memberships = frames
        if progress is not None:
            progress("people", people.height)
            progress("groups", groups.height)
            progress("memberships", memberships.height)
        snapshot = SourceSnapshot(
            completeness=Completeness(),
            read_at=read_at,
            requests=api.client.requests - before,
            people=people,
            groups=groups,
            memberships=memberships,
        )
        return Reading(snapshot, None if following is None else following.written())

    async def read_person(self, name: str, *, by_id: bool = False) -> SourceSnapshot:
        """2 requests by id, 3 or 4 by name; see `connectors.sources.onelogin.person`."""
        read_at, api = datetime.now(UTC), self._opened()
        before = api.client.requests
        reading = Alone(api, self._settings)
        await reading.of(name, by_id=by_id)
        return self._snapshot(reading, read_at, api.client.requests - before)

    async def find_groups(self, names: Collection[str]) -> SourceSnapshot:
        """As many requests as the list of roles, or of groups, takes."""
        read_at, api = datetime.now(UTC), self._opened()
        before = api.client.requests
        reading = Alone(api, self._settings)
        await reading.called(names)
        return self._snapshot(reading, read_at, api.client.requests - before)

    def _snapshot(self, reading: Alone, read_at: datetime, requests: int) -> SourceSnapshot:
        users = list(reading.users.values())
        return SourceSnapshot(
            completeness=Completeness(tuple(reading.findings)),
            read_at=read_at,
            requests=requests,
            people=people_frame(users, [reading.documents[user.id] for user in users], self._settings),
            groups=groups_frame(reading.groups),
            memberships=memberships_frame(reading.groups_of),
        )

    async def check(self) -> list[CheckFinding]:
        """Whether the credentials work and for what, how many users and roles there are, and the calls left."""
        try:
            api = self._opened()
        except ConfigurationError as error:
            return [CheckFinding.of(error)]
        return await check(api, self._settings)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.client.aclose()
            self._api = None

    async def _require_calls(self, api: OneLoginApi) -> None:
        least = self._settings.minimum_calls_left
        if not least:
            return
        left = await api.calls_left()
        if left.remaining < least:
            raise SourceUnavailable(
                f"{left.remaining} of {left.limit} API calls are left in this hour, and the sync file wants {least}",
                subject=self._settings.url,
                not_done="the read did not start",
                next_step=f"run again in {-(-left.reset // 60)} minutes, when the hour is over",
            )

    def _opened(self) -> OneLoginApi:
        if self._api is None:
            self._api = OneLoginApi(self._settings, retry=self._retry, sleep=self._sleep)
        return self._api
