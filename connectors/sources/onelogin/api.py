"""The part of OneLogin's API that is read: its documents, its addresses, its client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import unquote

import msgspec

from connectors.http.answer import Answer
from connectors.http.auth import ClientSecret, TokenProvider
from connectors.http.client import HttpClient
from connectors.http.exchange import Params
from connectors.http.paging import Where, pages
from connectors.http.ratelimit import Limits
from connectors.http.retry import RetryPolicy
from connectors.secret import resolve_secret
from connectors.sources.onelogin.settings import OneLoginSettings

__all__ = ["CallsLeft", "Listing", "NamedGroup", "OneLoginApi", "RoleMembers", "User"]

Row = TypeVar("Row")
Role = TypeVar("Role", "NamedGroup", "RoleMembers")

_ROLES_PAGE: Final = 650
"""The most that OneLogin gives (API reference, List Roles)."""
_NAMED_AT_ONCE: Final = 100
"""Users who are asked for by their ids in one request, so that the address stays short."""
_ADVICE: Final = "check client_id and client_secret, and that the credentials have the scope Read All"


class User(msgspec.Struct):
    id: int
    email: str | None = None
    username: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    status: int | None = None
    state: int | None = None
    role_ids: list[int] | msgspec.UnsetType | None = msgspec.UNSET
    group_id: int | msgspec.UnsetType | None = msgspec.UNSET
    member_of: str | msgspec.UnsetType | None = msgspec.UNSET


class NamedGroup(msgspec.Struct):
    """A role or a group."""

    id: int
    name: str


class RoleMembers(msgspec.Struct):
    """A role with `fields=users`. Whether the name then comes as well, or the list is cut short, is not documented."""

    id: int
    name: str | None = None
    users: list[int] | None = None


class CallsLeft(
    msgspec.Struct,
    rename={"limit": "X-RateLimit-Limit", "remaining": "X-RateLimit-Remaining", "reset": "X-RateLimit-Reset"},
):
    """Of the hour; `reset` is in seconds from now."""

    limit: int
    remaining: int
    reset: int


class _RateLimit(msgspec.Struct):
    data: CallsLeft


class _Pagination(msgspec.Struct):
    after_cursor: str | None = None


class _Envelope(msgspec.Struct):
    """A list of version 1."""

    data: list[NamedGroup] | None = None
    pagination: _Pagination | None = None


@dataclass
class Listing(Generic[Row]):
    """One list as it came. Pages are counted off, so rows shift while somebody is created or deleted."""

    rows: dict[int, Row] = field(default_factory=dict)
    totals: list[int] = field(default_factory=list)
    """What each page says that there are in all."""
    is_sorted: bool = True
    """Whether ids only grew, so that whoever came meanwhile stands at the end."""
    began: datetime | None = None
    """OneLogin's time at the first page."""

    @property
    def is_whole(self) -> bool:
        """As many came as the last page counts, and nobody left while the pages were read."""
        steady = len(set(self.totals)) <= 1 or (self.is_sorted and self.totals == sorted(self.totals))
        return steady and (not self.totals or len(self.rows) == self.totals[-1])


class _Pages(Generic[Row]):
    """The next page is named by the header After-Cursor, URL-encoded; a cursor is sent alone, since together with
    `limit` or `page` it is refused. Where `numbered`, the page's number grows instead. The body is a list of rows.
    """

    def __init__(self, row: Any, listing: Listing[Row], *, numbered: bool) -> None:
        self.body = list[row]
        self._listing = listing
        self._numbered = numbered

    def first(self, url: str, params: Params) -> Where:
        return Where(url, {**params, "page": 1} if self._numbered else params)

    def rows(self, body: list[Row]) -> list[Row]:
        return body

    def following(self, here: Where, answer: Answer) -> Where | None:
        if self._listing.began is None:
            self._listing.began = _time_of(answer)
        total = answer.headers.get("total-count", "")
        if total.isdecimal():
            self._listing.totals.append(int(total))
        cursor = unquote(answer.headers.get("after-cursor", ""))
        if not cursor:
            return None
        page = here.params.get("page")
        if self._numbered and isinstance(page, int):
            return Where(here.url, {**here.params, "page": page + 1})
        return Where(here.url, {"cursor": cursor})


class OneLoginApi:
    """Raises `ConfigurationError` where the secret cannot be had."""

    def __init__(
        self,
        settings: OneLoginSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        credential = ClientSecret(settings.client_id, resolve_secret(settings.client_secret), in_body=True)
        self.client = HttpClient(
            settings.url,
            name="OneLogin",
            side="source",
            auth=TokenProvider(f"{settings.url}/auth/oauth2/v2/token", credential, advice={"": _ADVICE}),
            retry=retry,
            limits=Limits(concurrency=2),
            ca_file=settings.ca_file,
            sleep=sleep,
        )

    async def users(
        self, tell: Callable[[int], None], *, at_most: int | None = None, only: Params | None = None
    ) -> tuple[Listing[User], dict[int, dict[str, Any]]]:
        """All users, those whom `only` filters, or the first `at_most`; and what each was given as, which attributes
        are looked up in.
        """
        raw: Listing[dict[str, Any]] = Listing()
        size = at_most or self._settings.page_size
        params: Params = {"limit": size, "fields": ",".join(self._fields()), **(only or {})}
        # A cursor that forgets a filter would lead to other users.
        numbered = only is not None or self._settings.paging == "page"
        strategy = _Pages(dict[str, Any], raw, numbered=numbered)
        users: dict[int, User] = {}
        async for rows in pages(self.client, "/api/2/users", strategy, params):
            for row in rows:
                user = self._user(row)
                raw.is_sorted = raw.is_sorted and (not users or user.id >= next(reversed(users)))
                users[user.id] = user
                raw.rows[user.id] = row
            tell(len(users))
            if at_most is not None:
                break
        return Listing(users, raw.totals, raw.is_sorted, raw.began), raw.rows

    async def users_called(self, ids: Sequence[int]) -> tuple[dict[int, User], dict[int, dict[str, Any]]]:
        """Those of these ids who are still there."""
        users: dict[int, User] = {}
        documents: dict[int, dict[str, Any]] = {}
        for start in range(0, len(ids), _NAMED_AT_ONCE):
            only: Params = {"user_ids": ",".join(map(str, ids[start : start + _NAMED_AT_ONCE]))}
            listing, raw = await self.users(lambda _count: None, only=only)
            users |= listing.rows
            documents |= raw
        return users, documents

    async def count_users(self) -> int | None:
        """As OneLogin counts them; None where it gives no count."""
        listing: Listing[dict[str, Any]] = Listing()
        strategy = _Pages(dict[str, Any], listing, numbered=True)
        async for _ in pages(self.client, "/api/2/users", strategy, {"limit": 1, "fields": "id"}):
            break
        return listing.totals[0] if listing.totals else None

    async def roles(self) -> Listing[NamedGroup]:
        return await self._roles(NamedGroup, {})

    async def roles_with_members(self) -> Listing[RoleMembers]:
        return await self._roles(RoleMembers, {"fields": "users"})

    async def _roles(self, kind: type[Role], fields: Params) -> Listing[Role]:
        listing: Listing[Role] = Listing()
        strategy: _Pages[Role] = _Pages(kind, listing, numbered=self._settings.paging == "page")
        async for rows in pages(self.client, "/api/2/roles", strategy, {"limit": _ROLES_PAGE, **fields}):
            for row in rows:
                listing.is_sorted = listing.is_sorted and (not listing.rows or row.id >= next(reversed(listing.rows)))
                listing.rows[row.id] = row
        return listing

    async def groups(self) -> list[NamedGroup]:
        """OneLogin's own groups; version 1 has them, with no count."""
        found: list[NamedGroup] = []
        cursor: str | None = None
        seen: set[str | None] = set()
        while cursor not in seen:
            seen.add(cursor)
            answer = await self.client.get_json("/api/1/groups", {"after_cursor": cursor}, decode=_Envelope)
            found += answer.data or []
            cursor = answer.pagination.after_cursor if answer.pagination else None
            if cursor is None:
                return found
        raise self.client.failures.unreadable("GET /api/1/groups", "the next page is one that was read already")

    async def calls_left(self) -> CallsLeft:
        return (await self.client.get_json("/auth/rate_limit", decode=_RateLimit)).data

    def _user(self, row: dict[str, Any]) -> User:
        try:
            user = msgspec.convert(row, User)
        except msgspec.ValidationError as error:
            raise self.client.failures.unreadable("GET /api/2/users", f"a user has another shape: {error}") from None
        name = self._settings.membership_field
        if getattr(user, name) is msgspec.UNSET:
            # To take it for nobody's membership would take everybody out of everything.
            reason = f"a page of users came without {name}; set `paging: page` in the sync file"
            raise self.client.failures.unreadable("GET /api/2/users", reason)
        return user

    def _fields(self) -> list[str]:
        own = ["id", "username", "email", "firstname", "lastname", "status", "state", self._settings.membership_field]
        roots = [path.partition(".")[0] for path in self._settings.columns.values()]
        return list(dict.fromkeys([*own, *roots]))


def _time_of(answer: Answer) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
