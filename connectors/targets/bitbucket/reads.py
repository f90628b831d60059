"""The whole of a Bitbucket as one snapshot.

Requests: ceil(accounts / page) + ceil(groups / page) + the pages of members of each group in scope (one for a group of
up to a page, empty ones too) + a constant handful: users' grants, groups' grants, the licence, and, where a group came
back empty or filled more than a page, the list of groups once more. "page" is the lower of `page_size` and the cap of
the server.

Pages are cut out of a list that may move: an account that is deleted while the list of accounts is turned can push
another one out of sight. It turns up again as a member of a group; one that is in no group read is missing, and the
worst that comes of it is a creation that Bitbucket refuses, since it exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import polars as pl

from connectors.contract import Progress, ReadScope
from connectors.http.answer import decode_json
from connectors.http.paging import Paged
from connectors.targets.bitbucket.api import BitbucketApi
from connectors.targets.bitbucket.frames import MemberRows, accounts_of, accounts_page, groups_of
from connectors.targets.bitbucket.refusals import Deed, PermissionMissing
from connectors.targets.bitbucket.wire import AccountRow, GroupGrant, GroupRow, LicenceRow, MemberRow, UserGrant
from directory.errors import TargetUnreadable
from directory.snapshot import Completeness, Licence, TargetSnapshot

__all__ = ["READS", "read_accounts", "read_group_grants", "read_licence", "read_seats", "read_target"]

READS: Final = 3
"""How often a read is begun while groups vanish under it."""


async def read_target(
    api: BitbucketApi, scope: ReadScope, *, principal: str, concurrency: int, progress: Progress | None = None
) -> TargetSnapshot:
    """Read everything, from the start again where a group vanished meanwhile.

    Bitbucket answers the question for the members of an unknown group with an empty page, so a group that is deleted
    between its listing and its members would look as if everybody had left it.
    """
    before = api.requests
    gone: set[str] = set()
    for _ in range(READS):
        reading = _Reading(api, concurrency, progress or _nobody)
        read_at = datetime.now(UTC)
        await reading.run(scope)
        gone = await reading.vanished()
        if not gone:
            return TargetSnapshot(
                completeness=Completeness(),
                read_at=read_at,
                requests=api.requests - before,
                accounts=reading.accounts,
                groups=groups_of(reading.groups, reading.group_grants, set(reading.in_scope)),
                memberships=reading.members.frame(reading.accounts),
                principal=principal,
                licence=reading.licence,
            )
    raise TargetUnreadable(
        f"groups kept vanishing while their members were read, {len(gone)} in the last of {READS} reads: "
        + ", ".join(sorted(gone)[:5]),
        not_done="nothing was planned and nothing was written",
        next_step="see what else deletes groups in Bitbucket right now, and run again when it is done",
    )


@dataclass
class _Reading:
    """One pass over a Bitbucket."""

    api: BitbucketApi
    concurrency: int
    progress: Progress
    accounts: pl.DataFrame = field(default_factory=lambda: accounts_of([], {}))
    groups: list[str] = field(default_factory=list)
    group_grants: dict[str, str] = field(default_factory=dict)
    in_scope: list[str] = field(default_factory=list)
    members: MemberRows = field(default_factory=MemberRows)
    licence: Licence = field(default_factory=Licence)
    doubtful: set[str] = field(default_factory=set)
    """Groups whose members could be cut short: empty, or of several pages."""

    async def run(self, scope: ReadScope) -> None:
        # Grants come before accounts and accounts before members: whoever is created in between is then found as a
        # member, with all details, and nobody holds a grant without being listed, unless deleted since.
        # The grants also need ADMIN, so a login that lacks it costs one request.
        user_grants = await self._user_grants()
        self.group_grants = await read_group_grants(self.api)
        self.licence = await read_seats(self.api)
        self.groups = await self._group_names()
        wanted = None if scope.groups is None else {name.casefold() for name in scope.groups}
        self.in_scope = [
            name for name in self.groups if wanted is None or name.casefold() in wanted or name in self.group_grants
        ]
        pages = await read_accounts(self.api, self.progress)
        known = set(pl.concat(pages)["account_id"].to_list()) if pages else set()
        pages.extend(await self._all_members(known))
        self.accounts = accounts_of(pages, user_grants)

    async def vanished(self) -> set[str]:
        """The doubtful groups that are no longer there."""
        if not self.doubtful:
            return set()
        return self.doubtful - set(await self._group_names())

    async def _user_grants(self) -> dict[int, str]:
        deed = Deed("users' global permissions", "they were not read")
        pages = self.api.pages("/admin/permissions/users", UserGrant, deed)
        return {row.user.id: row.permission async for rows in pages for row in rows}

    async def _group_names(self) -> list[str]:
        pages = self.api.pages("/admin/groups", GroupRow, Deed("groups", "they were not read"))
        names = [row.name async for rows in pages for row in rows]
        self.progress("groups", len(names))
        return list(dict.fromkeys(names))

    async def _all_members(self, known: set[int]) -> list[pl.DataFrame]:
        """Fill `members`, several groups at a time; the accounts among them that are not known yet."""
        newcomers: list[pl.DataFrame] = []
        waiting = iter(self.in_scope)

        async def work(groups: Iterator[str]) -> None:
            for group in groups:
                newcomers.extend(await self._members(group, known))

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self.concurrency):
                    tasks.create_task(work(waiting))
        except ExceptionGroup as failed:
            # The first that failed stopped the others; callers handle errors, not groups of them.
            first = failed.exceptions[0]
            raise first from first.__cause__
        return newcomers

    async def _members(self, group: str, known: set[int]) -> list[pl.DataFrame]:
        newcomers: list[pl.DataFrame] = []
        ids: list[int] = []
        turned = self.api.turning(MemberRow)
        deed = Deed(f"group {group}", "its members were not read")
        async for rows in self.api.pages("/admin/groups/more-members", turned, deed, {"context": group}):
            found = [row.id for row in rows]
            ids.extend(found)
            if not known.issuperset(found):
                # Created since the accounts were read (or a SERVICE account); this same answer holds all its details.
                full = decode_json(turned.content, Paged[AccountRow]).values
                newcomers.append(accounts_page([row for row in full if row.id not in known]))
        self.members.add(group, ids)
        if not ids or turned.count > 1:
            self.doubtful.add(group)
        self.progress("memberships", len(self.members))
        return newcomers


async def read_accounts(api: BitbucketApi, progress: Progress | None = None) -> list[pl.DataFrame]:
    """All accounts but SERVICE ones, a frame a page."""
    pages: list[pl.DataFrame] = []
    count = 0
    async for rows in api.pages("/admin/users", AccountRow, Deed("accounts", "they were not read")):
        pages.append(accounts_page(rows))
        count += len(rows)
        (progress or _nobody)("accounts", count)
    return pages


async def read_licence(api: BitbucketApi) -> LicenceRow | None:
    """None where none is installed. Raises `PermissionMissing` for whoever is no ADMIN."""
    deed = Deed("licence", "it was not read")
    return await api.get_or_none("/admin/license", LicenceRow, deed)


async def read_group_grants(api: BitbucketApi) -> dict[str, str]:
    """The global permission that each group gives, by the group's name."""
    deed = Deed("groups' global permissions", "they were not read")
    pages = api.pages("/admin/permissions/groups", GroupGrant, deed)
    return {row.group.name: row.permission async for rows in pages for row in rows}


async def read_seats(api: BitbucketApi) -> Licence:
    """Nothing is known where the licence may not be read, or there is none."""
    try:
        row = await read_licence(api)
    except PermissionMissing:
        return Licence()
    if row is None:
        return Licence()
    return Licence(
        maximum=None if row.unlimited_number_of_users else row.maximum_number_of_users,
        used=row.status.current_number_of_users if row.status else None,
    )


def _nobody(_what: str, _count: int) -> None:
    """Nobody wants to know."""
