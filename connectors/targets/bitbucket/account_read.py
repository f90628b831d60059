"""What a Bitbucket says of one account, with the fewest requests.

For somebody with an account: 1 for the account, 1 for its groups, 1 for its grant, 1 for the groups' grants, and 1 for
groups that they are to be in and are not (2 for two of them; the pages of all groups for more). A new name and an
e-mail address by which an account may be adopted cost 1 each, unless what finds one finds the other; the seats 1, where
the account takes none yet.

`filter` finds a substring without regard to case, in usernames, display names and e-mail addresses, so each answer
holds more than was asked for, and never less.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import polars as pl

from connectors.contract import AccountScope
from connectors.failures import one_plain_failure
from connectors.targets.bitbucket.api import BitbucketApi
from connectors.targets.bitbucket.frames import MemberRows, accounts_of, accounts_page, groups_of
from connectors.targets.bitbucket.reads import read_group_grants, read_seats
from connectors.targets.bitbucket.refusals import Deed
from connectors.targets.bitbucket.wire import AccountRow, GroupRow, UserGrant
from directory.snapshot import Completeness, Licence, TargetSnapshot

__all__ = ["read_account", "search_texts"]

_SHORTEST: Final = 3
"""Characters of a text that may stand for longer ones; a shorter one would find half the accounts."""
_FILTERED_AT_MOST: Final = 2
"""Groups that are looked up one by one; for more the list is turned, a thousand a page."""


async def read_account(api: BitbucketApi, scope: AccountScope, *, principal: str) -> TargetSnapshot | None:
    """See `connectors.contract.PersonTarget`."""
    before, read_at = api.requests, datetime.now(UTC)
    reading = _Looking(api, scope)
    with one_plain_failure():
        if not await reading.run():
            return None
    names = list(dict.fromkeys([*reading.held, *reading.group_grants, *reading.others]))
    accounts = accounts_of([accounts_page(list(reading.rows.values()))], reading.grants)
    return TargetSnapshot(
        completeness=Completeness(),
        read_at=read_at,
        requests=api.requests - before,
        accounts=accounts,
        groups=groups_of(names, reading.group_grants, set()),
        memberships=_memberships(reading.groups_of, accounts),
        principal=principal,
        licence=reading.licence,
    )


def search_texts(scope: AccountScope) -> list[str]:
    """What to search for, so that every account which matters is found: few texts, and none of them short."""
    wanted = [] if scope.username is None else [scope.username]
    wanted += [_distinctive(wish) for wish in sorted(scope.wishes)]
    wanted += sorted(scope.emails)
    texts: list[str] = []
    for text in sorted(wanted, key=len):
        if not any(shorter.casefold() in text.casefold() for shorter in texts if len(shorter) >= _SHORTEST):
            texts.append(text)
    return texts


@dataclass
class _Looking:
    api: BitbucketApi
    scope: AccountScope
    rows: dict[int, AccountRow] = field(default_factory=dict)
    grants: dict[int, str] = field(default_factory=dict)
    groups_of: dict[int, list[str]] = field(default_factory=dict)
    group_grants: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    """Groups of the scope that exist, and that nobody of the accounts is in."""
    licence: Licence = field(default_factory=Licence)

    @property
    def held(self) -> list[str]:
        return [name for names in self.groups_of.values() for name in names]

    async def run(self) -> bool:
        """False where the account of the scope is not found."""
        known = self.scope.username if self.scope.account_id is not None else None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_group_grants())
            for text in search_texts(self.scope):
                tasks.create_task(self._search(text))
            # Most accounts are called what they were called last, so nothing waits for their being found.
            early = None if known is None else tasks.create_task(self._belongings(known))
        if self.scope.account_id is not None and not self._is_found():
            return False
        async with asyncio.TaskGroup() as tasks:
            for row in self._candidates():
                if early is not None and known is not None and row.name.casefold() == known.casefold():
                    self._note(row, early.result())
                else:
                    tasks.create_task(self._look_at(row))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._find_groups())
            if self.scope.wishes and not self._has_access():
                tasks.create_task(self._read_seats())
        return True

    def _is_found(self) -> bool:
        return any(str(row.id) == self.scope.account_id for row in self.rows.values())

    def _candidates(self) -> list[AccountRow]:
        """The account that is theirs, or those that may become theirs."""
        names = {name.casefold() for name in (*self.scope.wishes, self.scope.username or "")}
        emails = {email.casefold() for email in self.scope.emails}
        if self.scope.account_id is not None:
            return [row for row in self.rows.values() if str(row.id) == self.scope.account_id]
        return [
            row
            for row in self.rows.values()
            if row.name.casefold() in names or (row.email_address or "").casefold() in emails
        ]

    async def _search(self, text: str) -> None:
        deed = Deed(f"accounts like {text}", "they were not looked up")
        async with aclosing(self.api.pages("/admin/users", AccountRow, deed, {"filter": text})) as pages:
            async for rows in pages:
                self.rows.update((row.id, row) for row in rows)

    async def _look_at(self, row: AccountRow) -> None:
        self._note(row, await self._belongings(row.name))

    def _note(self, row: AccountRow, belongings: tuple[list[str], str | None]) -> None:
        self.groups_of[row.id], grant = belongings
        if grant is not None:
            self.grants[row.id] = grant

    async def _belongings(self, username: str) -> tuple[list[str], str | None]:
        """The groups and the direct grant of an account; neither for one that does not exist."""
        async with asyncio.TaskGroup() as tasks:
            groups = tasks.create_task(self._groups(username))
            grant = tasks.create_task(self._grant(username))
        return groups.result(), grant.result()

    async def _groups(self, username: str) -> list[str]:
        # The description says that this lists users; servers and every client know that it lists the groups of one.
        deed = Deed(f"account {username}", "its groups were not read")
        pages = self.api.pages("/admin/users/more-members", GroupRow, deed, {"context": username})
        return [row.name async for rows in pages for row in rows]

    async def _grant(self, username: str) -> str | None:
        deed = Deed(f"account {username}", "its global permissions were not read")
        pages = self.api.pages("/admin/permissions/users", UserGrant, deed, {"filter": username})
        found = {row.user.name.casefold(): row.permission async for rows in pages for row in rows}
        return found.get(username.casefold())

    async def _read_group_grants(self) -> None:
        self.group_grants = await read_group_grants(self.api)

    async def _read_seats(self) -> None:
        self.licence = await read_seats(self.api)

    def _has_access(self) -> bool:
        return bool(self.grants) or any(name in self.group_grants for name in self.held)

    async def _find_groups(self) -> None:
        known = {name.casefold() for name in (*self.held, *self.group_grants)}
        missing = {name.casefold(): name for name in self.scope.groups if name.casefold() not in known}
        if not missing:
            return
        filters = list(missing.values()) if len(missing) <= _FILTERED_AT_MOST else [None]
        async with asyncio.TaskGroup() as tasks:
            found = [tasks.create_task(self._group_names(text)) for text in filters]
        self.others = [name for task in found for name in task.result() if name.casefold() in missing]

    async def _group_names(self, text: str | None) -> list[str]:
        pages = self.api.pages("/admin/groups", GroupRow, Deed("groups", "they were not looked up"), {"filter": text})
        return [row.name async for rows in pages for row in rows]


def _memberships(groups_of: dict[int, list[str]], accounts: pl.DataFrame) -> pl.DataFrame:
    members = MemberRows()
    for account, names in groups_of.items():
        for name in names:
            members.add(name, [account])
    return members.frame(accounts)


def _distinctive(username: str) -> str:
    """The longest piece that every username of the same address has in common with this one: Bitbucket makes `_` of `@`
    there. What follows the last `@` is most often a domain, which everybody has."""
    before = username.rpartition("@")[0] or username
    return max(re.split("[@_]", before), key=len) or max(_pieces(username), key=len) or username


def _pieces(username: str) -> Iterable[str]:
    return re.split("[@_]", username)
