"""The part of Microsoft Graph that is read: its addresses, its client."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from connectors.http.answer import Answer
from connectors.http.auth import ClientCredential, ClientSecret, SendForm, TokenProvider
from connectors.http.client import HttpClient
from connectors.http.paging import MOST_PAGES, pages
from connectors.http.ratelimit import Limits
from connectors.http.retry import RetryPolicy
from connectors.secret import resolve_secret
from connectors.sources.entra.batch import Batches, Job
from connectors.sources.entra.certificate import CertificateCredential
from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.wire import DirectoryObject, Group, NextLink, Page, Refusal, User

__all__ = ["EVENTUAL", "GraphApi"]

Row = TypeVar("Row")

VERSION: Final = "/v1.0"
PAGE: Final = 999
"""The most that Graph gives (API reference, List users; List groups; List group members)."""

EVENTUAL: Final = {"ConsistencyLevel": "eventual"}
"""With `$count=true`: an advanced query, which counts, and allows `ne`, `not` and `endsWith` in filters."""

_FORGOTTEN: Final = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})

_ADVICE: Final = {
    "invalid_client": (
        "AADSTS7000215: give the secret's value, not its id; AADSTS7000222: the secret has expired, make a new one; "
        "AADSTS700027: upload this certificate to the app registration"
    ),
    "unauthorized_client": "check client_id (Application id of the app registration) and that tenant_id is its tenant",
    "invalid_request": "check tenant_id (Directory id) and, in a national cloud, login_url",
    "invalid_scope": "check graph_url; in a national cloud it differs from https://graph.microsoft.com",
}


class _ReadableToken:
    """A token provider that also says which application roles its token carries, for `check`."""

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider
        self.roles: frozenset[str] | None = None
        """None before the first token, and where it cannot be read."""

    def secrets(self) -> tuple[str, ...]:
        return self._provider.secrets()

    async def headers(self, send: SendForm) -> Mapping[str, str]:
        headers = await self._provider.headers(send)
        self.roles = _roles(headers.get("Authorization", ""))
        return headers

    def renew(self, headers: Mapping[str, str]) -> bool:
        return self._provider.renew(headers)


class GraphApi:
    """Raises `ConfigurationError` where a secret cannot be had."""

    def __init__(
        self,
        settings: EntraSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._token = _ReadableToken(_provider(settings))
        self.client = HttpClient(
            settings.graph_url,
            name="Microsoft Graph",
            side="source",
            auth=self._token,
            retry=retry,
            limits=Limits(settings.concurrency),
            ca_file=settings.ca_file,
            sleep=sleep,
        )
        # One connection is left to the list of users, which would otherwise queue behind the batches at each page.
        self._batches = Batches(self.client, sleep, max(1, settings.concurrency - 1))

    @property
    def roles(self) -> frozenset[str] | None:
        return self._token.roles

    def users_query(self, **more: str) -> dict[str, str]:
        query = {"$select": ",".join(self._settings.properties), **more}
        if self._settings.wants_manager:
            query["$expand"] = "manager($select=id,userPrincipalName)"
        return query

    def groups_query(self, **more: str) -> dict[str, str]:
        query = {"$select": "id,displayName", **more}
        if self._settings.groups_filter is not None:
            query["$filter"] = self._settings.groups_filter
        return query

    async def users(self, told: NextLink[dict[str, Any]]) -> AsyncIterator[list[User]]:
        """Counted in passing where Graph can: not together with `$expand`."""
        query = self.users_query(**{"$top": str(PAGE)})
        counted = self._settings.verify_counts and not self._settings.wants_manager
        headers = EVENTUAL if counted else None
        if counted:
            query["$count"] = "true"
        async for rows in pages(self.client, f"{VERSION}/users", told, query, headers):
            yield [self._user(row) for row in rows]

    def groups(self, told: NextLink[Group]) -> AsyncIterator[list[Group]]:
        query = self.groups_query(**{"$top": str(PAGE)})
        advanced = self._settings.verify_counts or self._settings.groups_filter is not None
        if advanced:
            query["$count"] = "true"
        return pages(self.client, f"{VERSION}/groups", told, query, EVENTUAL if advanced else None)

    async def count(self, what: str) -> int:
        """Of `users` or `groups`, from the index that lags by seconds to minutes."""
        answer = await self.client.get(
            f"{VERSION}/{what}/$count", decode=None, headers={**EVENTUAL, "Accept": "text/plain"}
        )
        text = answer.content.decode("utf-8-sig", "replace").strip()
        if not text.isdecimal():
            raise self.client.failures.unreadable(f"GET {answer.url}", "a count is no number")
        return int(text)

    async def batched(self, jobs: Iterable[Job]) -> None:
        await self._batches.run(jobs)

    def list_of_objects(
        self, url: str, each: Callable[[list[DirectoryObject]], Iterable[Job]], end: Callable[[int | None], None]
    ) -> Job:
        """A job that follows a list of directory objects to its end. `end` gets the count, -1 where all is gone."""
        counted: list[int | None] = [None]

        def then(page: Page[DirectoryObject] | None) -> Iterable[Job]:
            if page is None:
                end(-1)
                return
            counted[0] = page.count if counted[0] is None else counted[0]
            yield from each(page.value)
            if page.next_link is None:
                end(counted[0])
            else:
                yield Job(self._relative(page.next_link), Page[DirectoryObject], then, headers)

        headers = dict(EVENTUAL) if "$count=true" in url else {}
        return Job(url, Page[DirectoryObject], then, headers)

    def user_job(self, user_id: str, found: Callable[[User | None], None]) -> Job:
        """One user by id, or None where there is none."""

        def then(row: dict[str, Any] | None) -> Iterable[Job]:
            found(None if row is None else self._user(row))
            return ()

        query = "&".join(f"{name}={value}" for name, value in self.users_query().items())
        return Job(f"/users/{user_id}?{query}", dict[str, Any], then)

    async def delta(self, link: str, row: Any) -> tuple[list[Any], str] | None:
        """All rows from a link on, and the link for the next time; None where Graph has forgotten the link."""
        rows: list[Any] = []
        asked: set[str] = set()
        while True:
            if link in asked or len(asked) > MOST_PAGES:
                raise self.client.failures.unreadable("GET delta", "the list does not end")
            asked.add(link)
            page = await self._delta_page(link, Page[row])
            if page is None:
                return None
            rows += page.value
            if page.next_link is None:
                return rows, self._proven(page.delta_link)
            link = page.next_link

    async def _delta_page(self, link: str, body: Any) -> Page[Any] | None:
        reason = ""
        for _ in range(self.client.retry.malformed_attempts):
            answer = await self.client.request("GET", link)
            said = self.client.redact(answer.excerpt(500))
            if answer.status == 403:
                raise self.client.failures.forbidden("GET delta", said)
            if not answer.is_success:
                if _is_forgotten(answer):
                    return None
                raise self.client.failures.unreadable("GET delta", f"HTTP {answer.status}: {said}")
            try:
                page: Page[Any] = answer.json(body)
            except msgspec.ValidationError as error:
                raise self.client.failures.unreadable("GET delta", str(error)) from None
            except msgspec.DecodeError as error:
                reason = f"no whole JSON ({error})"
            else:
                return page
        raise self.client.failures.unreadable("GET delta", reason)

    def _proven(self, delta_link: str | None) -> str:
        if delta_link is None:
            raise self.client.failures.unreadable("GET delta", "the last page has no @odata.deltaLink")
        return delta_link

    def _user(self, row: dict[str, Any]) -> User:
        user_id = row.get("id")
        if not isinstance(user_id, str):
            raise self.client.failures.unreadable("GET users", "a user has no id")
        return User(user_id, row, "@removed" in row)

    def as_users(self, rows: Iterable[dict[str, Any]]) -> list[User]:
        return [self._user(row) for row in rows]

    def _relative(self, link: str) -> str:
        base = f"{self._settings.graph_url}{VERSION}"
        if not link.startswith(f"{base}/"):
            raise self.client.failures.unreadable("POST $batch", "a link leads to another host")
        return link.removeprefix(base)


def _provider(settings: EntraSettings) -> TokenProvider:
    credential: ClientCredential
    if settings.certificate is not None:
        pem = resolve_secret(settings.certificate)
        credential = CertificateCredential(settings.client_id, pem, settings.thumbprint)
    elif settings.client_secret is not None:
        credential = ClientSecret(settings.client_id, resolve_secret(settings.client_secret), in_body=True)
    else:
        raise AssertionError("the settings allow no third way")
    url = f"{settings.login_url}/{settings.tenant_id}/oauth2/v2.0/token"
    return TokenProvider(url, credential, scope=f"{settings.graph_url}/.default", advice=_ADVICE)


class _Claims(msgspec.Struct):
    roles: list[str] = []


def _roles(authorization: str) -> frozenset[str] | None:
    """Read, never trusted: a token is meant for Graph, and only shown to the administrator."""
    parts = authorization.rpartition(" ")[2].split(".")
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return frozenset(msgspec.json.decode(claims, type=_Claims).roles)
    except (IndexError, binascii.Error, ValueError):
        return None


def _is_forgotten(answer: Answer) -> bool:
    """Graph, "Use delta query to track changes": 410 with a Location, or 40x with `syncStateNotFound`."""
    try:
        code = answer.json(Refusal).error.code
    except msgspec.DecodeError:
        code = ""
    return answer.status == 410 or (400 <= answer.status < 500 and code.lower() in _FORGOTTEN)
