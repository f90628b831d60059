"""One person of a realm with their groups, and groups by name.

2 requests for one whose id is known, 4 by name, and 1 for each group above theirs, level by level. Groups by name take
a request each, and so do those that the sync file names by their path; where many are asked for, the tree is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from connectors.http.client import HttpClient
from connectors.sources.keycloak.groups import Members, Tree, is_within, read_tree
from connectors.sources.keycloak.listing import Listing, read_list, together
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.wire import GroupRow, PersonRow
from directory.errors import NotFound

__all__ = ["Found", "find_groups", "find_people", "groups_of_people"]

_BRIEF: Final = {"briefRepresentation": True}
_FULL: Final = {"briefRepresentation": False}
_ONE_BY_ONE_AT_MOST: Final = 20
_AS_ID: Final = re.compile(r"[^\s@]+")


class BelowRow(msgspec.Struct, rename="camel", frozen=True):
    """GroupRepresentation with the group that it is below."""

    id: str
    name: str
    path: str
    sub_group_count: int = 0
    parent_id: str | None = None


class _FoundRow(msgspec.Struct, rename="camel", frozen=True):
    """GroupRepresentation as a search gives it: below each of its ancestors."""

    id: str
    name: str
    path: str
    sub_groups: list[_FoundRow] = []


@dataclass(frozen=True)
class Found:
    """Groups as a tree, and who is directly in them."""

    tree: Tree
    members: Members


async def find_people(client: HttpClient, name: str, *, by_id: bool) -> list[PersonRow]:
    """People with that id, or that username or e-mail address. A list that is empty is the proof of nobody."""
    asked: list[dict[str, str]] = [] if by_id else [{"username": name}, {"email": name}]
    searches = [client.get_json("users", {**_FULL, **one, "exact": True}, decode=list[PersonRow]) for one in asked]
    if _AS_ID.fullmatch(name):
        searches.append(client.get_json("users", {**_FULL, "search": f"id:{name}"}, decode=list[PersonRow]))
    found = await together(searches)
    rows = {row.id: row for rows in found for row in rows}
    if by_id:
        rows = {key: row for key, row in rows.items() if key == name}
    # A search for an id finds service accounts, which are no people and which no list of people has.
    return [row for row in rows.values() if not (row.username or "").startswith("service-account-")]


async def groups_of_people(client: HttpClient, settings: KeycloakSettings, people: Iterable[PersonRow]) -> Found:
    """The wanted groups that they are in, and all above those."""
    tree, members = Tree(), Members([], [], [])
    rows: dict[str, BelowRow] = {}
    for person in people:
        listing = await _groups_of(client, settings, person.id)
        if not listing.linked:
            members.problems.append(f"the groups of {person.username} ({person.id}) changed twice while they were read")
        rows |= listing.rows
        members.group_ids.extend(key for key, row in listing.rows.items() if _is_wanted(row.path, settings))
        members.member_ids.extend([person.id] * (len(members.group_ids) - len(members.member_ids)))
    if settings.inherit_subgroups:
        await _add_what_is_above(client, settings, rows)
    for row in rows.values():
        if _is_wanted(row.path, settings):
            tree.groups[row.id] = GroupRow(row.id, row.name, row.path, row.sub_group_count)
    tree.nested.extend(
        (row.parent_id, row.id)
        for row in rows.values()
        if row.parent_id is not None and row.parent_id in tree.groups and row.id in tree.groups
    )
    return Found(tree, members)


async def find_groups(client: HttpClient, settings: KeycloakSettings, names: Collection[str]) -> Found:
    """The wanted groups of these names. A group that the sync file names by its path and that is gone is a problem."""
    nobody = Members([], [], [])
    wanted = {name.casefold() for name in names}
    paths = settings.groups or ()
    searched = list(dict.fromkeys([*names, *(path.rpartition("/")[2] for path in paths)]))
    if len(searched) > _ONE_BY_ONE_AT_MOST:
        tree = await read_tree(client, settings)
        groups = {key: group for key, group in tree.groups.items() if group.name.casefold() in wanted}
        return Found(Tree(groups, [], tree.problems), nobody)
    size = settings.member_page_size
    listings = await together(
        read_list(client, "groups", _FoundRow, size, params={**_BRIEF, "search": name, "exact": True})
        for name in searched
    )
    tree, seen = Tree(), set()
    for name, listing in zip(searched, listings, strict=True):
        if not listing.linked:
            tree.problems.append(f"the groups called {name} changed while they were read")
        for row in _flat(listing.rows.values()):
            seen.add(row.path)
            if row.name.casefold() in wanted and _is_wanted(row.path, settings):
                tree.groups[row.id] = GroupRow(row.id, row.name, row.path, 0)
    tree.problems += [f"the realm has no group {path}, which the sync file names" for path in paths if path not in seen]
    return Found(tree, nobody)


async def _groups_of(client: HttpClient, settings: KeycloakSettings, person: str) -> Listing[BelowRow]:
    try:
        for _ in range(2):
            url, size = f"users/{person}/groups", settings.member_page_size
            listing = await read_list(client, url, BelowRow, size, params=_BRIEF)
            if listing.linked:
                break
    except NotFound:
        # Deleted since they were found: whoever is in no group is not let in, and the next run knows.
        return Listing({}, linked=False)
    return listing


async def _add_what_is_above(client: HttpClient, settings: KeycloakSettings, rows: dict[str, BelowRow]) -> None:
    missing = _unknown_parents(rows.values(), rows, settings)
    while missing:
        above = await together(client.get_json(f"groups/{key}", decode=BelowRow) for key in sorted(missing))
        rows.update((row.id, row) for row in above)
        missing = _unknown_parents(above, rows, settings)


def _unknown_parents(below: Iterable[BelowRow], known: dict[str, BelowRow], settings: KeycloakSettings) -> set[str]:
    """Ids of the groups right above, where those could be wanted."""
    return {
        row.parent_id
        for row in below
        if row.parent_id is not None and row.parent_id not in known and _is_wanted(row.path, settings)
    }


def _is_wanted(path: str, settings: KeycloakSettings) -> bool:
    return settings.groups is None or any(is_within(path, wanted) for wanted in settings.groups)


def _flat(rows: Iterable[_FoundRow]) -> Iterable[_FoundRow]:
    for row in rows:
        yield row
        yield from _flat(row.sub_groups)
