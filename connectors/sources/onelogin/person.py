"""One user of a OneLogin account with their groups, and groups by name.

Users bring their memberships with them, so it takes a request or two for the user, and the list of roles, or of groups,
to know which are still there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from connectors.sources.onelogin.api import OneLoginApi, User
from connectors.sources.onelogin.reading import FullRead
from connectors.sources.onelogin.settings import OneLoginSettings

__all__ = ["Alone"]


class Alone(FullRead):
    """As `FullRead`, of whom the answers to a few questions name."""

    def __init__(self, api: OneLoginApi, settings: OneLoginSettings) -> None:
        super().__init__(api, settings, None)
        self._found: tuple[dict[int, User], dict[int, dict[str, Any]]] = {}, {}

    async def of(self, name: str, *, by_id: bool) -> None:
        """Users with that id, or that username or e-mail address, and their groups."""
        self._found = await self._find(name, by_id=by_id)
        await self.run()
        theirs = {group_id for groups in self.groups_of.values() for group_id in groups}
        self.groups = {key: group for key, group in self.groups.items() if key in theirs}

    async def called(self, names: Collection[str]) -> None:
        """Groups of these names. Directory groups are known only by their members, so that of those nothing is said."""
        if self._settings.groups_from == "member_of":
            self.findings.append("which directory groups there are is known only by a read of everybody (groups_from)")
            return
        await self._read_groups()
        wanted = {name.casefold() for name in names}
        self.groups = {key: group for key, group in self.groups.items() if group.casefold() in wanted}

    async def _read_users(self) -> None:
        self.users, self.documents = self._found

    async def _find(self, name: str, *, by_id: bool) -> tuple[dict[int, User], dict[int, dict[str, Any]]]:
        users: dict[int, User] = {}
        documents: dict[int, dict[str, Any]] = {}
        filters = [] if by_id else [{"username": name}, {"email": name}]
        if name.isascii() and name.isdecimal():
            filters.append({"user_ids": name})
        for only in filters:
            listing, raw = await self._api.users(lambda _count: None, only=only)
            self._judge("users of that name", listing)
            # A server that does not know the filter would give everybody.
            users |= {key: one for key, one in listing.rows.items() if _is_called(one, name, by_id=by_id)}
            documents |= raw
        return users, documents


def _is_called(user: User, name: str, *, by_id: bool) -> bool:
    names = {str(user.id)} if by_id else {str(user.id), (user.username or "").casefold(), (user.email or "").casefold()}
    return name.casefold() in names
