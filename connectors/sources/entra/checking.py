"""What `usersync check` says about a tenant of Entra ID."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import msgspec

from connectors.contract import CheckFinding
from connectors.sources.entra.api import EVENTUAL, VERSION, GraphApi
from connectors.sources.entra.refusals import explained
from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.wire import Group, Page
from directory.errors import UsersyncError

__all__ = ["check"]

_SHOWN: Final = 5
_WRITES: Final = ("ReadWrite", "Write.All", "AccessAsUser", "RoleManagement")
_GROUPS: Final = frozenset({"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"})
_USERS: Final = frozenset({"User.Read.All", "Directory.Read.All"})

Probe = Callable[[], Coroutine[Any, Any, list[CheckFinding]]]


async def check(api: GraphApi, settings: EntraSettings) -> list[CheckFinding]:
    """One probe a permission. After a refusal of the credentials themselves nothing more is asked."""
    return [finding async for finding in _findings(api, settings)]


async def _findings(api: GraphApi, settings: EntraSettings) -> AsyncIterator[CheckFinding]:
    probes: tuple[Probe, ...] = (lambda: _users(api, settings), lambda: _groups(api, settings))
    for number, probe in enumerate(probes):
        try:
            for finding in await probe():
                yield finding
        except UsersyncError as error:
            yield CheckFinding.of(error, "see what Graph says and run again")
            return
        if number == 0:
            for finding in _roles(api.roles):
                yield finding
    if settings.client_secret is not None:
        what = "when the client secret expires cannot be seen with these permissions"
        yield CheckFinding("note", what, "write its date down, or use a certificate")


async def _users(api: GraphApi, settings: EntraSettings) -> list[CheckFinding]:
    answer = await api.client.request("GET", f"{VERSION}/users", params=api.users_query(**{"$top": "1"}))
    if not answer.is_success:
        what, step = explained(answer)
        return [CheckFinding("problem", f"users cannot be read: {api.client.redact(what)}", step)]
    if not msgspec.json.decode(answer.content, type=Page[dict[str, Any]]).value:
        return [CheckFinding("note", f"the app {settings.client_id} is accepted, but the tenant has no users")]
    found = [CheckFinding("ok", f"the app {settings.client_id} is accepted and may read users")]
    if settings.columns:
        found.append(CheckFinding("ok", "Graph knows every attribute of the sync file"))
    extensions = [name for name in settings.columns.values() if name.startswith("extension_")]
    if extensions:
        what = f"Graph does not say whether directory extensions exist: {', '.join(extensions)}"
        found.append(CheckFinding("note", what, "see in a plan whether they have values"))
    return found


async def _groups(api: GraphApi, settings: EntraSettings) -> list[CheckFinding]:
    query = api.groups_query(**{"$top": str(_SHOWN), "$count": "true"})
    answer = await api.client.request("GET", f"{VERSION}/groups", params=query, headers=dict(EVENTUAL))
    if not answer.is_success:
        what, step = explained(answer)
        return [CheckFinding("problem", f"groups cannot be read: {api.client.redact(what)}", step)]
    page = msgspec.json.decode(answer.content, type=Page[Group])
    which = "groups_filter finds" if settings.groups_filter is not None else "the tenant has"
    if not page.value:
        where = "correct `groups_filter`" if settings.groups_filter is not None else "make groups in Entra"
        return [CheckFinding("problem", f"{which} no group", where)]
    shown = ", ".join(sorted(group.name or group.id for group in page.value))
    many = page.count if page.count is not None else "some"
    return [CheckFinding("ok", f"groups may be read; {which} {many}, such as {shown}")]


def _roles(roles: frozenset[str] | None) -> list[CheckFinding]:
    if roles is None:
        return [CheckFinding("note", "the token does not show which permissions it carries")]
    found = [CheckFinding("ok", f"the token carries {', '.join(sorted(roles)) or 'no permissions'}")]
    missing = [
        name for name, any_of in (("User.Read.All", _USERS), ("GroupMember.Read.All", _GROUPS)) if not roles & any_of
    ]
    if missing:
        step = "add it as an application permission, and grant admin consent"
        found.append(CheckFinding("problem", f"the token lacks {' and '.join(missing)}", step))
    surplus = sorted(role for role in roles if any(part in role for part in _WRITES))
    if surplus:
        step = "take them away from the app registration; usersync only reads"
        found.append(CheckFinding("note", f"the token may do more than read: {', '.join(surplus)}", step))
    return found
