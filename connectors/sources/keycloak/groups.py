"""The tree of groups, level by level, and who was put into each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.http.client import HttpClient
from connectors.sources.keycloak.listing import Listing, read_list, together
from connectors.sources.keycloak.settings import KeycloakSettings
from connectors.sources.keycloak.wire import GroupCount, GroupRow, MemberRow
from directory.errors import NotFound

__all__ = ["Members", "Tree", "is_within", "read_members", "read_tree"]

_BRIEF = {"briefRepresentation": True}


@dataclass
class Tree:
    """The groups that are wanted, and which is below which."""

    groups: dict[str, GroupRow] = field(default_factory=dict)
    nested: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of parent and child, both wanted."""
    problems: list[str] = field(default_factory=list)

    def remove(self, group_id: str) -> None:
        del self.groups[group_id]
        self.nested = [pair for pair in self.nested if group_id not in pair]


@dataclass(frozen=True)
class Members:
    """Pairs of group id and person id, service accounts included."""

    group_ids: list[str]
    member_ids: list[str]
    problems: list[str]


async def read_tree(client: HttpClient, settings: KeycloakSettings) -> Tree:
    """Read the tree, and once more if it changed meanwhile; what still does not add up is a problem.

    Where all groups are wanted, as many must come as the realm counts.
    """
    tree = await _read_tree(client, settings)
    if tree.problems:
        tree = await _read_tree(client, settings)
    for path in settings.groups or ():
        if not any(group.path == path for group in tree.groups.values()):
            tree.problems.append(f"the realm has no group {path}, which the sync file names")
    return tree


async def _read_tree(client: HttpClient, settings: KeycloakSettings) -> Tree:
    tree = Tree()
    top = await read_list(client, "groups", GroupRow, settings.member_page_size, params=_BRIEF)
    if not top.linked:
        tree.problems.append("the groups at the top changed while they were read")
    level = _keep(tree, settings, None, top)
    while level:
        below = await together(_children(client, settings, parent) for parent in level)
        next_level: list[GroupRow] = []
        for parent, children in zip(level, below, strict=True):
            if not children.linked or len(children.rows) != parent.sub_group_count:
                tree.problems.append(
                    f"{parent.path} counts {parent.sub_group_count} groups below it, and {len(children.rows)} came"
                )
            next_level += _keep(tree, settings, parent, children)
        level = next_level
    if settings.groups is None:
        counted = (await client.get_json("groups/count", decode=GroupCount)).count
        if counted != len(tree.groups):
            tree.problems.append(f"the realm counts {counted} groups, and {len(tree.groups)} came")
    return tree


async def _children(client: HttpClient, settings: KeycloakSettings, parent: GroupRow) -> Listing[GroupRow]:
    try:
        url = f"groups/{parent.id}/children"
        return await read_list(client, url, GroupRow, settings.member_page_size, params=_BRIEF)
    except NotFound:
        return Listing({}, linked=False)


def _keep(tree: Tree, settings: KeycloakSettings, parent: GroupRow | None, found: Listing[GroupRow]) -> list[GroupRow]:
    """Take the wanted ones in, and say which ones to look below."""
    look_below = []
    for group in found.rows.values():
        wanted = settings.groups is None or any(is_within(group.path, path) for path in settings.groups)
        leads_to_wanted = wanted or any(is_within(path, group.path) for path in settings.groups or ())
        if group.sub_group_count and leads_to_wanted and group.id not in tree.groups:
            look_below.append(group)
        if wanted:
            tree.groups[group.id] = group
            if parent is not None and parent.id in tree.groups:
                tree.nested.append((parent.id, group.id))
    return look_below


def is_within(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/")


async def read_members(
    client: HttpClient, settings: KeycloakSettings, tree: Tree, tell: Callable[[int], None]
) -> Members:
    """Direct members of every group of the tree. A group that changed while its pages were read is read once more.

    A group that is no longer there is taken out of the tree.
    """
    groups = list(tree.groups.values())
    listings = await together(_members(client, settings, group, tell) for group in groups)
    group_ids: list[str] = []
    member_ids: list[str] = []
    problems: list[str] = []
    for group, listing in zip(groups, listings, strict=True):
        if listing is None:
            problems.append(f"the group {group.path} vanished before its members were read")
            tree.remove(group.id)
            continue
        if not listing.linked:
            problems.append(f"the members of {group.path} changed twice while they were read")
        group_ids += [group.id] * len(listing.rows)
        member_ids += listing.rows
    return Members(group_ids, member_ids, problems)


async def _members(
    client: HttpClient, settings: KeycloakSettings, group: GroupRow, tell: Callable[[int], None]
) -> Listing[MemberRow] | None:
    async def read() -> Listing[MemberRow]:
        url = f"groups/{group.id}/members"
        return await read_list(client, url, MemberRow, settings.member_page_size, params=_BRIEF)

    try:
        listing = await read()
        if not listing.linked:
            listing = await read()
    except NotFound:
        return None
    tell(len(listing.rows))
    return listing
