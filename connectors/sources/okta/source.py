"""A source that is an Okta organisation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from connectors.contract import CheckFinding, Progress
from connectors.http.retry import RetryPolicy
from connectors.sources.okta.api import OktaApi
from connectors.sources.okta.checking import check
from connectors.sources.okta.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.okta.reading import Reading
from connectors.sources.okta.settings import OktaSettings
from directory.errors import ConfigurationError
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["OktaSource"]


class OktaSource:
    """Reads `OktaSettings`. About 5,600 requests for 100,000 users and 5,000 groups: users come 200 a page, and each
    group is asked for its members 1,000 a page; empty ones are not asked, and Everyone is derived from the users.
    """

    def __init__(
        self,
        settings: OktaSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._retry = retry
        self._sleep = sleep
        self._api: OktaApi | None = None

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read users, groups and members.

        Raises `SourceUnavailable`, `SourceUnreadable`, `CredentialsRefused`, or `ConfigurationError` for a secret that
        cannot be had. Findings: a group that vanished or has fewer members than Okta counts, users missing from the
        list.
        """
        read_at = datetime.now(UTC)
        api = self._opened()
        before = api.client.requests
        reading = Reading(api, self._settings, progress)
        await reading.run()
        return SourceSnapshot(
            completeness=Completeness(tuple(reading.findings)),
            read_at=read_at,
            requests=api.client.requests - before,
            people=people_frame(list(reading.users.values()), self._settings),
            groups=groups_frame(list(reading.groups.values())),
            memberships=memberships_frame(reading.members),
        )

    async def check(self) -> list[CheckFinding]:
        """Whether the credentials work and for what, how many users there are, and the rate limits seen."""
        try:
            api = self._opened()
        except ConfigurationError as error:
            return [CheckFinding.of(error)]
        return await check(api, self._settings)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.client.aclose()
            self._api = None

    def _opened(self) -> OktaApi:
        if self._api is None:
            self._api = OktaApi(self._settings, retry=self._retry, sleep=self._sleep)
        return self._api
