"""One user of a tenant with their groups and all that contain those, and groups by name.

2 requests for a user (3 where an attribute is the manager of somebody, which no filter is asked together with), and one
for each twenty groups on every level above theirs; with `groups_filter` also the list of the groups that it finds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Final

from connectors.http.paging import pages
from connectors.sources.entra.api import EVENTUAL, PAGE, VERSION, GraphApi
from connectors.sources.entra.batch import Job
from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.wire import DirectoryObject, Group, NextLink, User

__all__ = ["Belonging", "find_groups", "find_users"]

_NAMES_A_FILTER: Final = 15
"""Clauses that Graph takes in one filter."""
_ID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


async def find_users(api: GraphApi, settings: EntraSettings, name: str, *, by_id: bool) -> list[User]:
    """Users with that id, or that user principal name or address. A list that is empty is the proof of nobody."""
    conditions = [f"id eq {_quoted(name)}"] if _ID.fullmatch(name) else []
    if not by_id:
        conditions += [f"userPrincipalName eq {_quoted(name)}", f"mail eq {_quoted(name)}"]
    if not conditions:
        return []
    query = api.users_query(**{"$filter": " or ".join(conditions)})
    told: NextLink[dict[str, Any]] = NextLink(dict[str, Any])
    rows = [row async for page in pages(api.client, f"{VERSION}/users", told, query) for row in page]
    excludes = settings.guests == "exclude"
    return [user for user in api.as_users(rows) if not (excludes and user.is_guest)]


class Belonging:
    """Collects the `names` of groups, and who is directly `within` them: group id to ids of groups. `of` has for each
    user and group that was asked about the groups right above.
    """

    def __init__(self, api: GraphApi, settings: EntraSettings) -> None:
        self._api = api
        self._settings = settings
        self.names: dict[str, str] = {}
        self.of: dict[str, set[str]] = {}
        self.findings: list[str] = []

    async def of_users(self, user_ids: Iterable[str]) -> None:
        """Read the groups of users, and level by level all that are above."""
        await self._api.batched([self._job("users", user_id) for user_id in user_ids])
        await self._leave_out_what_is_not_wanted()

    async def of_groups(self, groups: dict[str, str]) -> None:
        """Read what is above these groups (id to name), where that tells whether they are wanted."""
        self.names.update(groups)
        if self._settings.groups_filter is not None:
            await self._api.batched([self._job("groups", group_id) for group_id in groups])
        await self._leave_out_what_is_not_wanted()

    def members(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Group id to those of `ids` that are directly in it."""
        found: dict[str, list[str]] = {}
        for each in ids:
            for group_id in self.of.get(each, set()) & self.names.keys():
                found.setdefault(group_id, []).append(each)
        return found

    def _job(self, kind: str, each: str) -> Job:
        above = self.of[each] = set()

        def rows(page: list[DirectoryObject]) -> Iterable[Job]:
            for row in page:
                if not row.is_group:
                    continue
                above.add(row.id)
                self.names[row.id] = row.name or row.id
                if row.id not in self.of:
                    yield self._job("groups", row.id)

        def end(count: int | None) -> None:
            if count == -1:
                self.findings.append(f"{self.names.get(each, each)} was deleted while its groups were read")

        return self._api.list_of_objects(f"/{kind}/{each}/memberOf?$select=id,displayName&$top={PAGE}", rows, end)

    async def _leave_out_what_is_not_wanted(self) -> None:
        """With `groups_filter` a full read knows the groups that it finds, and those within them."""
        if self._settings.groups_filter is None or not self.names:
            return
        told: NextLink[Group] = NextLink(Group)
        found = {group.id async for page in self._api.groups(told) for group in page}
        wanted: set[str] = set()
        more = self.names.keys() & found
        while more:
            wanted |= more
            more = {each for each in self.names if each not in wanted and self.of.get(each, set()) & wanted}
        self.names = {key: name for key, name in self.names.items() if key in wanted}


async def find_groups(api: GraphApi, names: Collection[str]) -> dict[str, str]:
    """Groups of these names: id to name."""
    ordered, wanted = sorted(names), {name.casefold() for name in names}
    found: dict[str, str] = {}
    for start in range(0, len(ordered), _NAMES_A_FILTER):
        among = " or ".join(f"displayName eq {_quoted(name)}" for name in ordered[start : start + _NAMES_A_FILTER])
        query = {"$select": "id,displayName", "$filter": among, "$count": "true", "$top": str(PAGE)}
        told: NextLink[Group] = NextLink(Group)
        async for page in pages(api.client, f"{VERSION}/groups", told, query, EVENTUAL):
            found.update((group.id, group.name) for group in page if group.name and group.name.casefold() in wanted)
    return found


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
