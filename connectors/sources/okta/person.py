"""One user of an Okta organisation with their groups, and groups by name.

2 requests for one who is there: the user (by id from the database, which does not lag) and their groups; 1 more with a
narrower `search` or with `groups_search`. Whoever is not found is asked for again by a filter, since only a list that
comes and is empty is a proof.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from connectors.sources.okta.api import Group, OktaApi, User
from connectors.sources.okta.settings import OktaSettings
from directory.errors import NotFound

__all__ = ["find_groups", "find_users", "groups_of_user"]

_NAMES_A_SEARCH: Final = 20
"""Keeps an address below 4,000 characters."""


async def find_users(api: OktaApi, settings: OktaSettings, name: str, *, by_id: bool) -> list[User]:
    """Users with that id, or that login or e-mail address, as far as the search of the settings finds them."""
    found = await _by_id(api, name) if by_id else await _by_name(api, name)
    if settings.reads_everybody or not found:
        return found
    within = await api.found_by_search([user.id for user in found])
    return [user for user in found if user.id in within]


async def groups_of_user(api: OktaApi, settings: OktaSettings, user_id: str) -> dict[str, Group]:
    """The groups of one user that a full read shows, by id. Raises `NotFound` for a user who is gone meanwhile."""
    theirs = {group.id: group for group in await api.groups_of(user_id)}
    return await _in_sight(api, settings, theirs)


async def find_groups(api: OktaApi, settings: OktaSettings, names: Collection[str]) -> dict[str, Group]:
    """Groups of these names that a full read shows, by id. The index behind the search lags by seconds: a group that
    was just made may be missing, and nobody loses anything because of it.
    """
    wanted = {name.casefold() for name in names}
    found: dict[str, Group] = {}
    ordered = sorted(names)
    for start in range(0, len(ordered), _NAMES_A_SEARCH):
        among = _any_of("profile.name", ordered[start : start + _NAMES_A_SEARCH])
        async for page in api.groups_like(among):
            found.update((group.id, group) for group in page if group.name.casefold() in wanted)
    return await _in_sight(api, settings, found)


async def _by_id(api: OktaApi, user_id: str) -> list[User]:
    try:
        user = await api.user(user_id)
    except NotFound:
        return await api.users_where(_any_of("id", [user_id]))
    # Okta also takes a login here, and what stands before the @ of one.
    return [user] if user.id == user_id else []


async def _by_name(api: OktaApi, name: str) -> list[User]:
    try:
        user = await api.user(name)
    except NotFound:
        user = None
    if user is not None and name.casefold() in {user.id.casefold(), str(user.profile.get("login")).casefold()}:
        return [user]
    return await api.users_where(f"{_any_of('profile.login', [name])} or {_any_of('profile.email', [name])}")


async def _in_sight(api: OktaApi, settings: OktaSettings, groups: dict[str, Group]) -> dict[str, Group]:
    if not settings.include_builtin:
        groups = {key: group for key, group in groups.items() if group.type != "BUILT_IN"}
    if settings.group_prefix is not None:
        prefix = settings.group_prefix.casefold()
        return {key: group for key, group in groups.items() if group.name.casefold().startswith(prefix)}
    if settings.groups_search is None or not groups:
        return groups
    within: set[str] = set()
    ids = sorted(groups)
    for start in range(0, len(ids), _NAMES_A_SEARCH):
        among = _any_of("id", ids[start : start + _NAMES_A_SEARCH])
        async for page in api.groups_like(f"({settings.groups_search}) and ({among})"):
            within.update(group.id for group in page)
    return {key: group for key, group in groups.items() if key in within}


def _any_of(attribute: str, values: Iterable[str]) -> str:
    return " or ".join(f"{attribute} eq {_quoted(value)}" for value in values)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
