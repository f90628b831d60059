"""The part of Okta's management API that is read: its documents, its addresses, its client."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from connectors.http.answer import Answer
from connectors.http.auth import Authentication, ClientAssertion, TokenProvider, ssws
from connectors.http.client import HttpClient
from connectors.http.exchange import Params
from connectors.http.paging import LinkHeader, Where, pages
from connectors.http.ratelimit import HeaderBudget, Limits
from connectors.http.retry import RetryPolicy
from connectors.secret import resolve_secret
from connectors.sources.okta.settings import OktaSettings

__all__ = ["EVERYONE", "Group", "OktaApi", "User", "is_everyone"]

Row = TypeVar("Row")

USERS_PAGE: Final = 200
"""The most that Okta gives (API reference, List all users)."""
_LOG_PAGE: Final = 1000
_IDS_A_SEARCH: Final = 50
"""Keeps an address below 4,000 characters."""

EVERYONE: Final = "Everyone"
"""The built-in group that holds every user who is not deactivated."""

_LESS: Final = "application/json; okta-response=omitCredentials,omitCredentialsLinks,omitTransitioningToStatus"
_MAPPED: Final = ("login", "email", "displayName", "firstName", "lastName")
_DELETED: Final = "user.lifecycle.delete.completed"
_NO_DPOP: Final = (
    "this service app demands DPoP, which usersync does not speak: in Okta's admin console open the app, General, "
    "and clear 'Require Demonstrating Proof of Possession (DPoP) header in token requests'"
)
_ADVICE: Final = {
    "use_dpop_nonce": _NO_DPOP,
    "invalid_dpop_proof": _NO_DPOP,
    "invalid_scope": "grant the scopes of the sync file to the app (Okta API Scopes), or name others under `scopes`",
    "invalid_client": "check client_id, key_id, and that the app holds the public half of private_key",
}


class User(msgspec.Struct):
    id: str
    status: str
    profile: dict[str, Any]
    created: str | None = None


class _Profile(msgspec.Struct):
    name: str


class _Stats(msgspec.Struct, rename={"users_count": "usersCount"}):
    users_count: int | None = None


class _Embedded(msgspec.Struct):
    stats: _Stats | None = None


class Group(msgspec.Struct, rename={"embedded": "_embedded", "members_changed": "lastMembershipUpdated"}):
    id: str
    type: str
    profile: _Profile
    embedded: _Embedded | None = None
    members_changed: datetime | None = None

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def promised(self) -> int | None:
        """How many members Okta says there are, None where it was not asked."""
        return self.embedded.stats.users_count if self.embedded and self.embedded.stats else None


class _Member(msgspec.Struct):
    id: str


class _Target(msgspec.Struct):
    id: str
    type: str


class _Outcome(msgspec.Struct):
    result: str


class _Event(msgspec.Struct):
    target: list[_Target] | None = None
    outcome: _Outcome | None = None


class OktaApi:
    """Raises `ConfigurationError` where a secret cannot be had."""

    def __init__(
        self,
        settings: OktaSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self.client = HttpClient(
            settings.url,
            name="Okta",
            side="source",
            auth=_authentication(settings),
            retry=retry,
            limits=Limits(settings.concurrency, budget=HeaderBudget(settings.budget_share, _counted_as)),
            ca_file=settings.ca_file,
            sleep=sleep,
        )
        self._ahead: float | None = None

    def time_at(self, monotonic: float) -> datetime | None:
        """What Okta's clock said at that moment of `time.monotonic`, up to a second and an answer's way too early; None
        where no list has told its time.
        """
        return None if self._ahead is None else datetime.fromtimestamp(monotonic + self._ahead, UTC)

    def users(self) -> AsyncIterator[list[User]]:
        return self._users({"search": self._settings.search})

    def users_changed(self, since: datetime) -> AsyncIterator[list[User]]:
        """Whoever was updated since, deactivated users included. A filter reads the database: it does not lag."""
        return self._users({"filter": f'lastUpdated gt "{_timestamp(since)}"'})

    async def found_by_search(self, user_ids: Sequence[str]) -> set[str]:
        """Which of them the search of the settings finds."""
        found: set[str] = set()
        for start in range(0, len(user_ids), _IDS_A_SEARCH):
            among = " or ".join(f'id eq "{user_id}"' for user_id in user_ids[start : start + _IDS_A_SEARCH])
            async for page in self._users({"search": f"({self._settings.search}) and ({among})"}):
                found.update(user.id for user in page)
        return found

    async def users_deleted(self, since: datetime) -> set[str]:
        """From the System Log, as it was stored since ("System Log query", polling requests). Raises
        `CredentialsRefused` where the log may not be read.
        """
        params: Params = {
            "since": _timestamp(since),
            "filter": f'eventType eq "{_DELETED}"',
            "sortOrder": "ASCENDING",
            "limit": _LOG_PAGE,
        }
        return {
            target.id
            async for events in pages(self.client, "/api/v1/logs", _Polled(self._hear), params)
            for event in events
            if event.outcome is None or event.outcome.result == "SUCCESS"
            for target in event.target or ()
            if target.type == "User"
        }

    async def user(self, user_id: str) -> User:
        """One user, by id or login. Okta reads its database; a search reads an index that lags. Raises `NotFound`."""
        return await self.client.get_json(f"/api/v1/users/{quote(user_id, safe='')}", decode=User)

    async def users_where(self, condition: str) -> list[User]:
        """Whom a filter finds, in the database, deactivated users included."""
        return [user async for page in self._users({"filter": condition}) for user in page]

    async def groups_of(self, user_id: str) -> list[Group]:
        """The user's groups. Raises `NotFound`."""
        path = f"/api/v1/users/{quote(user_id, safe='')}/groups"
        return [row async for rows in pages(self.client, path, self._list(Group)) for row in rows]

    def groups_like(self, search: str) -> AsyncIterator[list[Group]]:
        """Groups that a search finds, without their counts."""
        return pages(self.client, "/api/v1/groups", self._list(Group), {"search": search})

    def groups(self) -> AsyncIterator[list[Group]]:
        return self._groups({"search": self._settings.group_query, "limit": self._settings.groups_page})

    async def group(self, group_id: str) -> Group | None:
        """One group with its count, from the database."""
        found = [row async for rows in self._groups({"filter": f'id eq "{group_id}"'}) for row in rows]
        return found[0] if found else None

    async def everyone(self) -> Group | None:
        """The group of everybody with its count; None where these credentials do not see it."""
        builtin = [row async for rows in self._groups({"filter": 'type eq "BUILT_IN"'}) for row in rows]
        return next((group for group in builtin if is_everyone(group)), None)

    async def members(self, group_id: str) -> list[str]:
        """Ids of users. Raises `NotFound` where the group is gone."""
        path = f"/api/v1/groups/{group_id}/users"
        params = {"limit": self._settings.members_page}
        return [row.id async for rows in pages(self.client, path, self._list(_Member), params) for row in rows]

    async def attribute_names(self) -> frozenset[str]:
        """Of the default user type. Raises `CredentialsRefused` without the permission to read schemas."""
        schema = await self.client.get_json("/api/v1/meta/schemas/user/default", decode=_Schema)
        return frozenset(schema.definitions.base.properties) | frozenset(schema.definitions.custom.properties)

    def _users(self, which: Params) -> AsyncIterator[list[User]]:
        settings = self._settings
        params = {**which, "limit": USERS_PAGE}
        if settings.projection and settings.attributes != "all":
            wanted = dict.fromkeys([*_MAPPED, *settings.columns.values()])
            params["fields"] = f"id,status,profile:({','.join(wanted)})"
        return pages(self.client, "/api/v1/users", self._list(User), params, {"Content-Type": _LESS})

    def _groups(self, params: Params) -> AsyncIterator[list[Group]]:
        expand = "stats" if self._settings.verify_counts else None
        return pages(self.client, "/api/v1/groups", self._list(Group), {**params, "expand": expand})

    def _list(self, row: type[Row]) -> _Dated[Row]:
        return _Dated(row, self._hear)

    def _hear(self, answer: Answer) -> None:
        if "date" in answer.headers:
            self._ahead = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.monotonic()


class _Dated(LinkHeader[Row]):
    """Tells of each answer, so that Okta's clock is known."""

    def __init__(self, row: type[Row], hear: Callable[[Answer], None]) -> None:
        super().__init__(row)
        self._hear = hear

    def following(self, here: Where, answer: Answer) -> Where | None:
        self._hear(answer)
        return super().following(here, answer)


class _Polled(_Dated[_Event]):
    """A poll of the log names a next page even where nothing more has happened; it ends at a page that is not full."""

    def __init__(self, hear: Callable[[Answer], None]) -> None:
        super().__init__(_Event, hear)

    def following(self, here: Where, answer: Answer) -> Where | None:
        following = super().following(here, answer)
        return following if len(answer.value) >= _LOG_PAGE else None


class _Definition(msgspec.Struct):
    properties: dict[str, msgspec.Raw] = {}


class _Definitions(msgspec.Struct):
    base: _Definition = msgspec.field(default_factory=_Definition)
    custom: _Definition = msgspec.field(default_factory=_Definition)


class _Schema(msgspec.Struct):
    definitions: _Definitions


def is_everyone(group: Group) -> bool:
    return group.type == "BUILT_IN" and group.name == EVERYONE


def _authentication(settings: OktaSettings) -> Authentication:
    if settings.token is not None:
        return ssws(resolve_secret(settings.token))
    if settings.client_id is None or settings.private_key is None:
        raise AssertionError("the settings allow no third way")
    key = ClientAssertion(settings.client_id, resolve_secret(settings.private_key), key_id=settings.key_id)
    return TokenProvider(f"{settings.url}/oauth2/v1/token", key, scope=" ".join(settings.scopes), advice=_ADVICE)


def _timestamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


_ID_IN_PATH: Final = re.compile(r"^/api/v1/(users|groups)/[^/]+")


def _counted_as(path: str) -> str:
    """Okta counts kinds of endpoints, not addresses; which kind members belong to is not documented, so they are
    counted apart."""
    return _ID_IN_PATH.sub(r"/api/v1/\1/{id}", path)
