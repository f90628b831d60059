"""A source that is an Okta organisation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime

import polars as pl

from connectors.contract import CheckFinding, Progress, Reading
from connectors.failures import one_plain_failure
from connectors.http.retry import RetryPolicy
from connectors.sources.okta.api import Group, OktaApi
from connectors.sources.okta.changes import Update, Watermark
from connectors.sources.okta.checking import check
from connectors.sources.okta.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.okta.person import find_groups, find_users, groups_of_user
from connectors.sources.okta.reading import FullRead
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
        self._may_read_log = settings.may_ask_for_log

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read users, groups and members.

        Raises `SourceUnavailable`, `SourceUnreadable`, `CredentialsRefused`, or `ConfigurationError` for a secret that
        cannot be had. Findings: a group that vanished or has fewer members than Okta counts, users missing from the
        list.
        """
        return (await self.read_all(progress)).snapshot

    @property
    def blind_to(self) -> tuple[str, ...]:
        """What Okta does not report as a change."""
        told = ["Okta does not promise that a password which expires counts as an update of its user"]
        if not self._may_read_log:
            counted = self._settings.verify_counts and self._settings.reads_everybody
            who = "users who were deactivated before they were deleted" if counted else "deleted users"
            told.append(f"Okta reports {who} in its System Log alone, which these credentials may not read")
        return tuple(told)

    async def read_all(self, progress: Progress | None = None) -> Reading:
        """As `read`. No watermark where the read is not complete, or `attributes` is `all`."""
        read_at = datetime.now(UTC)
        api = self._opened()
        before = api.client.requests
        reading = FullRead(api, self._settings, progress)
        with one_plain_failure():
            await reading.run()
        frames = (
            people_frame(list(reading.users.values()), self._settings),
            groups_frame(list(reading.groups.values())),
            memberships_frame(reading.members.of),
        )
        requests = api.client.requests - before
        return self._reading(frames, reading.findings, reading.began, read_at, requests)

    async def read_changes(self, last: Reading, progress: Progress | None = None) -> Reading | None:
        """Besides one for a token: a request for each 200 users who changed, each page of groups, and each page of
        members of a group whose members changed; one for the System Log; one for each user who was deactivated or has
        come back; and with a narrower search two for each 50 who changed, one for each who came into it.
        """
        mark = Watermark.read(last.watermark, self._settings)
        if mark is None:
            return None
        read_at = datetime.now(UTC)
        api = self._opened()
        before = api.client.requests
        update = Update(api, self._settings, last.snapshot, may_read_log=self._may_read_log, progress=progress)
        with one_plain_failure():
            frames = await update.run(mark.began)
        self._may_read_log = update.may_read_log
        if frames is None:
            return None
        if progress is not None:
            for what, frame in zip(("people", "groups", "memberships"), frames, strict=True):
                progress(what, frame.height)
        requests = api.client.requests - before
        return self._reading(frames, update.findings, update.began, read_at, requests)

    def _reading(
        self,
        frames: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
        findings: list[str],
        began: datetime | None,
        read_at: datetime,
        requests: int,
    ) -> Reading:
        people, groups, memberships = frames
        snapshot = SourceSnapshot(
            completeness=Completeness(tuple(findings)),
            read_at=read_at,
            requests=requests,
            people=people,
            groups=groups,
            memberships=memberships,
        )
        mark = None if findings else Watermark.at(began, self._settings)
        return Reading(snapshot, None if mark is None else mark.written())

    async def read_person(self, name: str, *, by_id: bool = False) -> SourceSnapshot:
        """2 requests for a user who is there; see `connectors.sources.okta.person`."""
        read_at, api = datetime.now(UTC), self._opened()
        before = api.client.requests
        groups: dict[str, Group] = {}
        members: dict[str, list[str]] = {}
        users = await find_users(api, self._settings, name, by_id=by_id)
        for user in users:
            theirs = await groups_of_user(api, self._settings, user.id)
            groups |= theirs
            for group_id in theirs:
                members.setdefault(group_id, []).append(user.id)
        people = people_frame(users, self._settings)
        requests = api.client.requests - before
        return self._snapshot(people, groups, members, read_at, requests)

    async def find_groups(self, names: Collection[str]) -> SourceSnapshot:
        """A request for each 20 names, and one more with `groups_search`."""
        read_at, api = datetime.now(UTC), self._opened()
        before = api.client.requests
        groups = await find_groups(api, self._settings, names)
        requests = api.client.requests - before
        return self._snapshot(people_frame([], self._settings), groups, {}, read_at, requests)

    @staticmethod
    def _snapshot(
        people: pl.DataFrame, groups: dict[str, Group], members: dict[str, list[str]], read_at: datetime, requests: int
    ) -> SourceSnapshot:
        return SourceSnapshot(
            completeness=Completeness(),
            read_at=read_at,
            requests=requests,
            people=people,
            groups=groups_frame(list(groups.values())),
            memberships=memberships_frame(members),
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
