"""What `usersync check` says about an Okta organisation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from connectors.contract import CheckFinding
from connectors.http.answer import Answer
from connectors.http.exchange import Params
from connectors.sources.okta.api import OktaApi
from connectors.sources.okta.settings import OktaSettings
from directory.errors import CredentialsRefused, UsersyncError

__all__ = ["check"]

_SLOW: Final = 300
"""Requests a minute below which a large organisation takes long to read."""

Probe = Callable[[], Coroutine[Any, Any, list[CheckFinding]]]


async def check(api: OktaApi, settings: OktaSettings) -> list[CheckFinding]:
    """One probe a permission. After a refusal of the credentials themselves nothing more is asked."""
    return [finding async for finding in _findings(api, settings)]


async def _findings(api: OktaApi, settings: OktaSettings) -> AsyncIterator[CheckFinding]:
    probes: tuple[Probe, ...] = (
        lambda: _users(api, settings),
        lambda: _groups(api, settings),
        lambda: _attributes(api, settings),
    )
    for probe in probes:
        try:
            for finding in await probe():
                yield finding
        except UsersyncError as error:
            yield CheckFinding(
                "problem", f"{error.subject}: {error.what}" if error.subject else error.what, error.next_step
            )
            if not isinstance(error, CredentialsRefused) or api.client.is_refused:
                return


async def _users(api: OktaApi, settings: OktaSettings) -> list[CheckFinding]:
    params: Params = {"search": settings.search, "limit": 1}
    answer = await api.client.get("/api/v1/users", params, decode=list[dict[str, Any]])
    how = "the API token" if settings.token is not None else f"the service app {settings.client_id}"
    if not answer.value:
        step = "check `search` in the sync file" if not settings.reads_everybody else "give it an administrator role"
        return [CheckFinding("problem", f"{how} is accepted, but sees no users", step), *_limit("users", answer)]
    return [CheckFinding("ok", f"{how} is accepted and may read users"), *_limit("users", answer)]


async def _groups(api: OktaApi, settings: OktaSettings) -> list[CheckFinding]:
    params: Params = {"search": settings.group_query, "limit": 1}
    answer = await api.client.get("/api/v1/groups", params, decode=list[dict[str, Any]])
    if not answer.value:
        where = "group_prefix or groups_search" if settings.group_query else "the administrator role"
        return [CheckFinding("problem", "no group is in sight", f"check {where}"), *_limit("groups", answer)]
    found = [CheckFinding("ok", "groups may be read"), *_limit("groups", answer)]
    everyone = await api.everyone()
    if everyone is None:
        what = "the group Everyone is not in sight, so Okta gives no count to prove the list of users by"
        found.append(CheckFinding("note", what, "use a role that sees all groups, such as read-only administrator"))
    elif everyone.promised is not None:
        found.append(CheckFinding("ok", f"Okta counts {everyone.promised} users who are not deactivated"))
    return found


async def _attributes(api: OktaApi, settings: OktaSettings) -> list[CheckFinding]:
    may_ask = settings.token is not None or "okta.schemas.read" in settings.scopes
    if "attributes" not in settings.model_fields_set or settings.attributes == "all" or not may_ask:
        return []
    try:
        known = await api.attribute_names()
    except CredentialsRefused:
        if api.client.is_refused:
            raise
        return [CheckFinding("note", "the names of attributes were not verified: schemas may not be read")]
    unknown = sorted(set(settings.columns.values()) - known)
    if not unknown:
        return [CheckFinding("ok", "every attribute of the sync file is known to Okta")]
    step = "compare with Directory, Profile Editor in Okta; names there are case-sensitive variable names"
    return [CheckFinding("problem", f"Okta's default user profile has no attribute {', '.join(unknown)}", step)]


def _limit(what: str, answer: Answer) -> list[CheckFinding]:
    text = answer.headers.get("x-rate-limit-limit", "")
    if not text.isdecimal():
        return []
    limit = int(text)
    seen = f"Okta allows {limit} requests a minute for lists of {what}"
    if limit >= _SLOW:
        return [CheckFinding("ok", seen)]
    return [CheckFinding("note", seen, "raise the share of this token or app in Okta's rate-limit settings")]
