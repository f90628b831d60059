"""A source that is a Google Workspace account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from connectors.contract import CheckFinding, Picture, Progress
from connectors.http.retry import RetryPolicy
from connectors.sources.google.api import GoogleApi
from connectors.sources.google.checking import check
from connectors.sources.google.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.google.reading import Reading
from connectors.sources.google.refusals import in_plain_words
from connectors.sources.google.settings import GoogleSettings
from directory.errors import ConfigurationError, CredentialsRefused, UsersyncError
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["GoogleSource"]

_SIDE_BY_SIDE: Final = 200
_PATIENT: Final = RetryPolicy(longest_delay=32.0)
"""Google names no time to wait; a minute's quota comes back within the minute."""


class GoogleSource:
    """Reads `GoogleSettings`. About 5,700 requests for 100,000 users and 5,000 groups: users come 500 a page, groups
    and members 200. Groups that hold groups are given as such, and flattened by whoever reads the snapshot.
    """

    def __init__(
        self,
        settings: GoogleSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._retry = retry or _PATIENT
        self._sleep = sleep
        self._api: GoogleApi | None = None

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read users, groups and members.

        Raises `SourceUnavailable`, `SourceUnreadable`, `CredentialsRefused`, or `ConfigurationError` for a key that
        cannot be had or is none. Findings: a group that vanished or has fewer members than Google counts, users or
        groups missing from their list.
        """
        read_at = datetime.now(UTC)
        api = self._opened()
        before = api.client.requests
        reading = Reading(api, self._settings, progress)
        with in_plain_words(self._settings):
            await reading.run()
        users = list(reading.users.values())
        documents = [reading.documents[user.id] for user in users]
        people = await asyncio.to_thread(people_frame, users, documents, self._settings)
        return SourceSnapshot(
            completeness=Completeness(tuple(reading.findings)),
            read_at=read_at,
            requests=api.client.requests - before,
            people=people,
            groups=groups_frame(reading.groups, self._settings),
            memberships=memberships_frame(reading.people_of, reading.groups_of, reading.everybody_in, people),
        )

    async def pictures(
        self,
        external_ids: Sequence[str],
        size: int,  # noqa: ARG002 - the contract asks for one
        progress: Progress | None = None,
    ) -> AsyncIterator[tuple[str, Picture]]:
        """One request a person. Google has one size alone, 96 pixels, whatever `size` says."""
        api = self._opened()
        with in_plain_words(self._settings):
            for start in range(0, len(external_ids), _SIDE_BY_SIDE):
                chunk = external_ids[start : start + _SIDE_BY_SIDE]
                for user_id, found in zip(
                    chunk, await asyncio.gather(*(_picture(api, each) for each in chunk)), strict=True
                ):
                    yield user_id, found
                if progress is not None:
                    progress("pictures", start + len(chunk))

    async def check(self) -> list[CheckFinding]:
        """Whether the service account may act for the administrator, and what that one may read."""
        try:
            api = self._opened()
        except ConfigurationError as error:
            return [CheckFinding.of(error)]
        return await check(api, self._settings)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.client.aclose()
            self._api = None

    def _opened(self) -> GoogleApi:
        if self._api is None:
            self._api = GoogleApi(self._settings, retry=self._retry, sleep=self._sleep)
        return self._api


async def _picture(api: GoogleApi, user_id: str) -> Picture:
    try:
        return await api.thumbnail(user_id)
    except CredentialsRefused:
        raise
    except UsersyncError as error:
        return error
