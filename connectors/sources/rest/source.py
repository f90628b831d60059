"""A source that is a JSON API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from connectors.contract import CheckFinding, Progress
from connectors.http.auth import (
    Authentication,
    ClientSecret,
    NoAuthentication,
    StaticHeader,
    TokenProvider,
    basic,
    bearer,
)
from connectors.http.client import HttpClient
from connectors.http.ratelimit import Limits, TokenBucket
from connectors.http.retry import RetryPolicy
from connectors.secret import resolve_secret
from connectors.sources.rest.listing import Listing
from connectors.sources.rest.reading import Lists, Reading
from connectors.sources.rest.settings import GROUP_ID, Auth, RestSettings
from directory.errors import UsersyncError
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["RestSource"]


class RestSource:
    """Reads `RestSettings`. With {group_id} in the path of memberships it takes a request or more a group."""

    def __init__(
        self,
        settings: RestSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._retry = retry
        self._sleep = sleep
        self._client: HttpClient | None = None

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read every list to its end.

        Raises `SourceUnavailable`, `SourceUnreadable`, `CredentialsRefused`, or `ConfigurationError` for a secret that
        cannot be had. Findings: fewer rows than the API counts, rows that came twice where it does not count, groups
        that vanished, and what `connectors.tables.assembly` leaves out.
        """
        read_at = datetime.now(UTC)
        client = self._opened()
        before = client.requests
        found = await Reading(client, self._settings, progress).run()
        return SourceSnapshot(
            completeness=Completeness(found.findings),
            read_at=read_at,
            requests=client.requests - before,
            people=found.people,
            groups=found.groups,
            memberships=found.memberships,
        )

    async def check(self) -> list[CheckFinding]:
        """What the first page of each list holds, whether another follows, and whether the API counts its rows."""
        found = []
        try:
            async for finding in self._probed(Lists(self._opened(), self._settings)):
                found.append(finding)  # noqa: PERF401 what was found before an error is worth showing
        except UsersyncError as error:
            found.append(CheckFinding.of(error, "correct the `source` of the sync file"))
        return found

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _probed(self, lists: Lists) -> AsyncIterator[CheckFinding]:
        group_id: str | None = None
        for name, listing in lists.named().items():
            path = listing.path
            if GROUP_ID in path:
                if group_id is None:
                    yield CheckFinding("note", "there is no group whose members could be asked for")
                    continue
                path = path.replace(GROUP_ID, quote(group_id, safe=""))
            page = await listing.first_page(path)
            counted = "" if page.total is None else f" of {page.total}"
            further = "no further page" if page.is_last else "a further page follows"
            yield CheckFinding("ok", f"`{name}`: {len(page.rows)}{counted} rows at {path}; {further}")
            if page.problem:
                yield CheckFinding(
                    "problem", f"`{name}`: {page.problem}", "compare `paging` and `total` with an answer"
                )
            for finding in _doubts(name, listing):
                yield finding
            if name == "groups" and page.rows:
                group_id = str(page.rows[0][listing.columns.index("group_id")])

    def _opened(self) -> HttpClient:
        if self._client is None:
            settings, rate = self._settings, self._settings.requests_per_second
            self._client = HttpClient(
                settings.url,
                name=f"the API at {urlsplit(settings.url).netloc}",
                side="source",
                auth=_authentication(settings.auth),
                retry=self._retry,
                limits=Limits(settings.concurrency, bucket=None if rate is None else TokenBucket(max(2.0, rate), rate)),
                headers=settings.headers,
                ca_file=settings.ca_file,
                sleep=self._sleep,
            )
        return self._client


def _doubts(name: str, listing: Listing) -> list[CheckFinding]:
    doubts = []
    if not listing.is_counted:
        what = f"`{name}`: the API is not asked how many rows there are, so a list that ends early cannot be noticed"
        doubts.append(CheckFinding("note", what, "give `total` or `total_header` if it tells the number"))
    absent = [column for column in listing.columns if column not in listing.present]
    if listing.seen and absent:
        what = f"`{name}`: no row of the first page has what is declared for {', '.join(absent)}"
        doubts.append(CheckFinding("note", what, "compare the places in the sync file with an answer"))
    return doubts


def _authentication(auth: Auth) -> Authentication:
    """Raises `ConfigurationError` where a secret cannot be had."""
    if auth.username is not None and auth.password is not None:
        return basic(auth.username, resolve_secret(auth.password))
    if auth.token is not None:
        return bearer(resolve_secret(auth.token))
    if auth.header is not None and auth.value is not None:
        return StaticHeader(auth.header, resolve_secret(auth.value))
    if auth.token_url is not None and auth.client_id is not None and auth.client_secret is not None:
        secret = ClientSecret(auth.client_id, resolve_secret(auth.client_secret), in_body=auth.secret_in_body)
        return TokenProvider(auth.token_url, secret, scope=auth.scope)
    return NoAuthentication()
