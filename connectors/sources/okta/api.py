"""The part of Okta's management API that is read: its documents, its addresses, its client."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec

from connectors.http.auth import Authentication, ClientAssertion, TokenProvider, ssws
from connectors.http.client import HttpClient
from connectors.http.exchange import Params
from connectors.http.paging import LinkHeader, pages
from connectors.http.ratelimit import HeaderBudget, Limits
from connectors.http.retry import RetryPolicy
from connectors.secret import resolve_secret
from connectors.sources.okta.settings import OktaSettings

__all__ = ["EVERYONE", "Group", "OktaApi", "User", "is_everyone"]

USERS_PAGE: Final = 200
"""The most that Okta gives (API reference, List all users)."""

EVERYONE: Final = "Everyone"
"""The built-in group that holds every user who is not deactivated."""

_LESS: Final = "application/json; okta-response=omitCredentials,omitCredentialsLinks,omitTransitioningToStatus"
_MAPPED: Final = ("login", "email", "displayName", "firstName", "lastName")
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


class Group(msgspec.Struct, rename={"embedded": "_embedded"}):
    id: str
    type: str
    profile: _Profile
    embedded: _Embedded | None = None

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def promised(self) -> int | None:
        """How many members Okta says there are, None where it was not asked."""
        return self.embedded.stats.users_count if self.embedded and self.embedded.stats else None


class _Member(msgspec.Struct):
    id: str


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

    def users(self) -> AsyncIterator[list[User]]:
        settings = self._settings
        params: dict[str, str | int | None] = {"search": settings.search, "limit": USERS_PAGE}
        if settings.projection and settings.attributes != "all":
            wanted = dict.fromkeys([*_MAPPED, *settings.columns.values()])
            params["fields"] = f"id,status,profile:({','.join(wanted)})"
        return pages(self.client, "/api/v1/users", LinkHeader(User), params, {"Content-Type": _LESS})

    async def user(self, user_id: str) -> tuple[User, str | None]:
        """One user, and Okta's time (an HTTP date). By id Okta reads its database; a search reads an index that lags.
        Raises `NotFound`.
        """
        answer = await self.client.get(f"/api/v1/users/{user_id}", decode=User)
        return answer.value, answer.headers.get("date")

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
        strategy, params = LinkHeader(_Member), {"limit": self._settings.members_page}
        return [row.id async for rows in pages(self.client, path, strategy, params) for row in rows]

    async def attribute_names(self) -> frozenset[str]:
        """Of the default user type. Raises `CredentialsRefused` without the permission to read schemas."""
        schema = await self.client.get_json("/api/v1/meta/schemas/user/default", decode=_Schema)
        return frozenset(schema.definitions.base.properties) | frozenset(schema.definitions.custom.properties)

    def _groups(self, params: Params) -> AsyncIterator[list[Group]]:
        expand = "stats" if self._settings.verify_counts else None
        return pages(self.client, "/api/v1/groups", LinkHeader(Group), {**params, "expand": expand})


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


_ID_IN_PATH: Final = re.compile(r"^/api/v1/(users|groups)/[^/]+")


def _counted_as(path: str) -> str:
    """Okta counts kinds of endpoints, not addresses; which kind members belong to is not documented, so they are
    counted apart."""
    return _ID_IN_PATH.sub(r"/api/v1/\1/{id}", path)
