"""One read of a OneLogin account, and the proof that it is whole.

Users bring their memberships with them, and both lists are counted, so a missing row is noticed. What cannot be:
somebody who is deleted while somebody else is created between two pages, so that the count stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from connectors.contract import Progress
from connectors.sources.onelogin.api import Listing, OneLoginApi, User
from connectors.sources.onelogin.frames import directory_groups
from connectors.sources.onelogin.settings import OneLoginSettings

__all__ = ["FullRead"]

_NAMED: Final = 5


class FullRead:
    """Collects users, groups (id to name), the groups of each person, and findings."""

    def __init__(self, api: OneLoginApi, settings: OneLoginSettings, progress: Progress | None) -> None:
        self._api = api
        self._settings = settings
        self._progress = progress or (lambda _what, _count: None)
        self.users: dict[int, User] = {}
        self.documents: dict[int, dict[str, Any]] = {}
        self.groups: dict[str, str] = {}
        self.groups_of: dict[str, list[str]] = {}
        self.findings: list[str] = []
        self.began: datetime | None = None
        """OneLogin's time before the first user came; None where it does not tell."""

    async def run(self) -> None:
        """Groups are read after the users, so that a new one that somebody is in already is among them."""
        await self._read_users()
        if self._settings.groups_from == "member_of":
            named = {user.id: directory_groups(_given(user.member_of)) for user in self.users.values()}
            self.groups = {key: name for groups in named.values() for key, name in groups.items()}
            self.groups_of = {str(user_id): list(groups) for user_id, groups in named.items()}
        else:
            await self._read_groups()
            self._assign()
        self._progress("groups", len(self.groups))
        self._progress("memberships", sum(map(len, self.groups_of.values())))

    async def _read_users(self) -> None:
        def tell(count: int) -> None:
            self._progress("people", count)

        listing, documents = await self._api.users(tell)
        self.began = listing.began
        if not listing.is_whole:
            listing, documents = await self._api.users(lambda _count: None)
        self._judge("users", listing)
        self.users, self.documents = listing.rows, documents

    async def _read_groups(self) -> None:
        if self._settings.groups_from == "group":
            self.groups = {str(group.id): group.name for group in await self._api.groups()}
            return
        listing = await self._api.roles()
        if not listing.is_whole:
            listing = await self._api.roles()
        self._judge("roles", listing)
        self.groups = {str(role.id): role.name for role in listing.rows.values()}

    def _judge(self, what: str, listing: Listing[Any]) -> None:
        if not listing.totals:
            self.findings.append(f"OneLogin gave no count of {what}, so nothing proves that all of them came")
        elif not listing.is_whole:
            self.findings.append(
                f"OneLogin counts {listing.totals[-1]} {what} and {len(listing.rows)} came, or they changed while they "
                "were read, also at a second read"
            )

    def _assign(self) -> None:
        unknown: set[str] = set()
        for user in self.users.values():
            ids = [str(group_id) for group_id in self._group_ids(user)]
            unknown.update(group_id for group_id in ids if group_id not in self.groups)
            self.groups_of[str(user.id)] = [group_id for group_id in ids if group_id in self.groups]
        if unknown:
            kind = "role" if self._settings.groups_from == "roles" else "group"
            named = ", ".join(sorted(unknown)[:_NAMED])
            self.findings.append(
                f"users are in {len(unknown)} {kind}s that are not listed, or were deleted meanwhile: {named}"
            )

    def _group_ids(self, user: User) -> Sequence[int]:
        if self._settings.groups_from == "roles":
            return _given(user.role_ids) or []
        group_id = _given(user.group_id)
        return [] if group_id is None else [group_id]


def _given(value: Any) -> Any:
    return None if value is msgspec.UNSET else value
