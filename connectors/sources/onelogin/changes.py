"""What changed in a OneLogin account since an earlier reading, and a snapshot brought up to date by it.

List Users (API reference, v2) gives those who were updated since an instant, and recommends that for a sync. It leaves
two things open, and each is closed by what a request or two of another list say:

- Somebody who was deleted is in no list. OneLogin's count of all users is then smaller than ours. Reading all ids to
  see who it was costs as many requests as reading everybody, so everybody is read.
- Whether a role that somebody gains or loses counts as an update of theirs. The list of roles can name each role's
  users; whoever is in another role by it than by what we know is asked for by id, and their own document decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from connectors import watermark
from connectors.sources.onelogin.api import OneLoginApi, RoleMembers, User
from connectors.sources.onelogin.frames import groups_frame, memberships_frame, people_frame
from connectors.sources.onelogin.settings import OneLoginSettings
from directory.snapshot import SourceSnapshot

__all__ = ["Update", "Watermark"]

_OVERLAP: Final = timedelta(minutes=5)
"""What was written a moment before a list was read may not have been in it; who comes again does no harm."""
_ASKED_FOR_AT_MOST: Final = 500
"""Users whose roles differ; where there are more, reading everybody is the better choice."""


class Watermark(watermark.Watermark):
    """From when on updates are asked for, by OneLogin's clock, and which settings the snapshot was read with."""

    since: datetime
    settings: str

    @classmethod
    def at(cls, began: datetime | None, settings: OneLoginSettings) -> Watermark | None:
        """None where OneLogin did not tell its time, or what counts as groups is not reported."""
        if began is None or settings.groups_from != "roles":
            return None
        return cls(began.astimezone(UTC) - _OVERLAP, fingerprint(settings))

    @classmethod
    def read(cls, text: str | None, settings: OneLoginSettings) -> Watermark | None:
        """None where there is none, or it belongs to other settings."""
        mark = cls.decoded(text)
        return mark if mark is not None and mark.settings == fingerprint(settings) else None


def fingerprint(settings: OneLoginSettings) -> str:
    """Changes with every setting that changes what a snapshot holds."""
    parts = (
        settings.url,
        settings.groups_from,
        sorted(settings.active_statuses),
        sorted(settings.approved_states),
        sorted(settings.columns.items()),
    )
    return watermark.fingerprint(repr(parts))


class Update:
    """Brings a snapshot up to date. `run` gives None where anything is in doubt, so that everything is read."""

    def __init__(self, api: OneLoginApi, settings: OneLoginSettings, before: SourceSnapshot) -> None:
        self._api = api
        self._settings = settings
        self._before = before
        self._users: dict[int, User] = {}
        self._documents: dict[int, dict[str, Any]] = {}
        self._roles: dict[str, str] = {}
        self.began: datetime | None = None

    async def run(self, since: datetime) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None:
        """People, groups and memberships."""
        only = {"updated_since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        listing, self._documents = await self._api.users(lambda _count: None, only=only)
        self.began, self._users = listing.began, dict(listing.rows)
        if not listing.is_whole or not await self._nobody_is_gone():
            return None
        roles = await self._read_roles()
        if roles is None or not await self._ask_whose_roles_differ(roles):
            return None
        ids_of = {user.id: [str(role) for role in user.role_ids or ()] for user in self._users.values()}
        if any(role not in self._roles for ids in ids_of.values() for role in ids):
            return None
        return self._people(), groups_frame(self._roles), self._memberships(ids_of)

    async def _nobody_is_gone(self) -> bool:
        """Whoever came is in the list of the updated, so a count that is ours says that nobody went."""
        known = set(self._before.people["external_id"]) | set(map(str, self._users))
        return await self._api.count_users() == len(known)

    async def _read_roles(self) -> Sequence[RoleMembers] | None:
        listing = await self._api.roles_with_members()
        if not listing.totals or not listing.is_whole:
            return None
        roles = list(listing.rows.values())
        if all(role.name is not None for role in roles):
            self._roles = {str(role.id): role.name or "" for role in roles}
            return roles
        named = await self._api.roles()
        self._roles = {str(role.id): role.name for role in named.rows.values()}
        return roles if named.is_whole and named.rows.keys() == listing.rows.keys() else None

    async def _ask_whose_roles_differ(self, roles: Iterable[RoleMembers]) -> bool:
        """Whether all of them could be asked for, and are there."""
        known = self._known_members()
        differing: set[int] = set()
        for role in roles:
            if role.users is not None:
                differing |= known.get(str(role.id), set()) ^ set(role.users)
        differing -= self._users.keys()
        if len(differing) > _ASKED_FOR_AT_MOST:
            return False
        users, documents = await self._api.users_called(sorted(differing))
        self._users |= users
        self._documents |= documents
        return users.keys() == differing

    def _known_members(self) -> Mapping[str, set[int]]:
        found: dict[str, set[int]] = defaultdict(set)
        for group_id, member_id in self._before.memberships.select("group_id", "member_id").iter_rows():
            found[group_id].add(int(member_id))
        return found

    def _people(self) -> pl.DataFrame:
        users = list(self._users.values())
        changed = people_frame(users, [self._documents[user.id] for user in users], self._settings)
        kept = self._before.people.join(changed.select("external_id"), on="external_id", how="anti")
        return pl.concat([kept, changed]).sort("external_id")

    def _memberships(self, ids_of: Mapping[int, Sequence[str]]) -> pl.DataFrame:
        told = pl.DataFrame({"member_id": [str(user_id) for user_id in ids_of]}, schema={"member_id": pl.String()})
        listed = pl.DataFrame({"group_id": list(self._roles)}, schema={"group_id": pl.String()})
        kept = self._before.memberships.join(told, on="member_id", how="anti").join(listed, on="group_id", how="semi")
        changed = memberships_frame({str(user_id): ids for user_id, ids in ids_of.items()})
        return pl.concat([kept, changed]).sort("group_id", "member_id")
