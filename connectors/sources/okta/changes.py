"""What changed in an Okta organisation since an earlier reading, and a snapshot brought up to date by it.

Users come by a filter on `lastUpdated`, which reads the database and knows deactivated users. The list of groups is
read as a full read does, with its search and its counts: that finds groups which are new, renamed, gone, or in scope no
longer, and `lastMembershipUpdated` tells whose members are to be read again. Each read goes back further than the last
one by the overlap of the settings, because the search index and that time lag behind (API reference, List all users,
List all groups: `search` is eventually consistent).

Who was deleted is told by the System Log alone. The count of the group Everyone tells that somebody is gone, though not
who. Where anything stays in doubt, everything is read.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from connectors import watermark
from connectors.contract import Progress
from connectors.sources.okta.api import Group, OktaApi, User, is_everyone
from connectors.sources.okta.frames import groups_frame, joined, memberships_frame, people_frame
from connectors.sources.okta.members import Members
from connectors.sources.okta.reading import LOOKED_UP_AT_MOST, is_new, look_up
from connectors.sources.okta.settings import OktaSettings
from directory.errors import CredentialsRefused, NotFound
from directory.snapshot import SourceSnapshot

__all__ = ["Update", "Watermark"]

_KEPT: Final = timedelta(days=30)
"""Okta keeps its log for longer (90 days, System Log API); nobody goes a month without reading everything."""
_ASKED_FOR_AT_MOST: Final = 200
"""Users whose groups are asked for one by one; where there are more, reading everything is the better choice."""
_DEACTIVATED: Final = "DEPROVISIONED"


class Watermark(watermark.Watermark):
    """When the last read began, by Okta's clock, and which settings its snapshot was read with."""

    began: datetime
    settings: str

    @classmethod
    def at(cls, began: datetime | None, settings: OktaSettings) -> Watermark | None:
        """None where Okta did not tell its time. With `attributes: all` too: the columns of everybody's attributes are
        known only where everybody is read.
        """
        return None if began is None or settings.attributes == "all" else cls(began, fingerprint(settings))

    @classmethod
    def read(cls, text: str | None, settings: OktaSettings) -> Watermark | None:
        """None where there is none, or it belongs to other settings."""
        mark = cls.decoded(text)
        return mark if mark is not None and mark.settings == fingerprint(settings) else None


def fingerprint(settings: OktaSettings) -> str:
    """Changes with every setting that changes what a snapshot holds."""
    seen_by = (settings.url, settings.client_id, settings.token)
    wanted = (settings.search, settings.group_query, settings.include_builtin, sorted(settings.columns.items()))
    return watermark.fingerprint(repr((seen_by, wanted)))


class Update:
    """Brings a snapshot up to date. `run` gives None where anything is in doubt, so that everything is read."""

    def __init__(
        self,
        api: OktaApi,
        settings: OktaSettings,
        before: SourceSnapshot,
        *,
        may_read_log: bool,
        progress: Progress | None,
    ) -> None:
        self._api = api
        self._settings = settings
        self._before = before
        self._started = time.monotonic()
        self._statuses = dict(zip(before.people["external_id"], before.people["status"], strict=True))
        self._users: dict[str, User] = {}
        self._gone: set[str] = set()
        self._groups: dict[str, Group] = {}
        self._everyone: Group | None = None
        self._groups_of: dict[str, set[str]] = {}
        self._members = Members(
            api,
            at_a_time=settings.concurrency,
            progress=lambda count: None if progress is None else progress("memberships", count),
        )
        self.may_read_log = may_read_log

    @property
    def began(self) -> datetime | None:
        return self._api.time_at(self._started)

    @property
    def findings(self) -> list[str]:
        return self._members.findings

    async def run(self, last_began: datetime) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None:
        """People, groups and memberships."""
        since = last_began - timedelta(minutes=self._settings.overlap_minutes)
        async for page in self._api.users_changed(since):
            self._users.update((user.id, user) for user in page)
        now = self.began
        if now is None or now - last_began > _KEPT:
            return None
        if not self._settings.reads_everybody:
            await self._leave_out_who_is_not_found()
        await self._read_groups()
        with_the_deleted = self._count_employed()
        deleted = await self._deleted(since)
        self._forget(deleted or set())
        if not await self._agrees_with_count(with_the_deleted, knows_deleted=deleted is not None):
            return None
        if not await self._ask_for_groups_of_some():
            return None
        await self._members.read(self._to_read_again(since))
        for group_id in self._members.vanished:
            del self._groups[group_id]
        if not await self._knows_every_member():
            return None
        people = self._people()
        return people, groups_frame(list(self._groups.values())), self._memberships(people)

    async def _leave_out_who_is_not_found(self) -> None:
        found = await self._api.found_by_search(sorted(self._users))
        self._forget(self._users.keys() - found)

    async def _read_groups(self) -> None:
        async for page in self._api.groups():
            self._groups.update((group.id, group) for group in page)
        self._everyone = next((group for group in self._groups.values() if is_everyone(group)), None)
        if not self._settings.include_builtin:
            self._groups = {key: group for key, group in self._groups.items() if group.type != "BUILT_IN"}

    async def _deleted(self, since: datetime) -> set[str] | None:
        """None where the log may not be read."""
        if not self.may_read_log:
            return None
        try:
            return await self._api.users_deleted(since)
        except CredentialsRefused:
            if self._api.client.is_refused:
                raise
            self.may_read_log = False
            return None

    def _forget(self, user_ids: Iterable[str]) -> None:
        for user_id in user_ids:
            self._users.pop(user_id, None)
            self._gone.add(user_id)

    def _count_employed(self) -> int:
        unchanged = (
            status for key, status in self._statuses.items() if key not in self._users and key not in self._gone
        )
        statuses = [*unchanged, *(user.status for user in self._users.values())]
        return sum(1 for status in statuses if status != _DEACTIVATED)

    async def _agrees_with_count(self, with_the_deleted: int, *, knows_deleted: bool) -> bool:
        """More by Okta's count than we know: somebody is missing. Fewer: somebody was deleted, and only the log says
        who. `with_the_deleted` counts those as well who may have been deleted only after Okta counted.
        """
        if not self._settings.verify_counts or not self._settings.reads_everybody:
            return True
        everyone = self._everyone if self._settings.group_query is None else await self._api.everyone()
        if everyone is None or everyone.promised is None:
            return True
        return everyone.promised == with_the_deleted or (knows_deleted and everyone.promised < with_the_deleted)

    async def _ask_for_groups_of_some(self) -> bool:
        """Of whom no group need speak: who has come into the search, and who was deactivated or has come back, since
        Okta does not say whether that changes groups. False where they are too many.
        """
        narrow = not self._settings.reads_everybody
        some = [
            user.id
            for user in self._users.values()
            if (narrow if user.id not in self._statuses else self._has_turned(user))
        ]
        if len(some) > _ASKED_FOR_AT_MOST:
            return False
        for user_id in sorted(some):
            try:
                self._groups_of[user_id] = {group.id for group in await self._api.groups_of(user_id)}
            except NotFound:
                self._forget([user_id])
        return True

    def _has_turned(self, user: User) -> bool:
        was_deactivated: bool = self._statuses[user.id] == _DEACTIVATED
        return was_deactivated != (user.status == _DEACTIVATED)

    def _to_read_again(self, since: datetime) -> list[Group]:
        known = set(self._before.groups["group_id"])
        counts: Mapping[str, int] = dict(self._before.memberships["group_id"].value_counts().iter_rows())

        def may_have_changed(group: Group) -> bool:
            changed = group.members_changed
            if group.id not in known or changed is None or changed > since:
                return True
            # Out of a narrower search the members of a group are fewer than Okta counts.
            has_more = (group.promised or 0) > counts.get(group.id, 0)
            return has_more and self._settings.reads_everybody

        return [group for group in self._groups.values() if not is_everyone(group) and may_have_changed(group)]

    async def _knows_every_member(self) -> bool:
        """Members are known people, or came after the users were read; else something is missing."""
        unknown = self._members.everybody() - (self._statuses.keys() | self._users.keys()) - self._gone
        if not self._settings.reads_everybody:
            return True
        if len(unknown) > LOOKED_UP_AT_MOST:
            return False
        found = await look_up(self._api, unknown)
        self._users |= found
        return all(is_new(user, self.began) for user in found.values())

    def _people(self) -> pl.DataFrame:
        kept = _without(self._before.people, "external_id", self._users.keys() | self._gone)
        return joined(kept, people_frame(list(self._users.values()), self._settings))

    def _memberships(self, people: pl.DataFrame) -> pl.DataFrame:
        told: dict[str, list[str]] = {key: list(ids) for key, ids in self._members.of.items()}
        everyone = None if self._everyone is None else self._everyone.id
        if everyone in self._groups and everyone is not None:
            told[everyone] = list(people.filter(pl.col("status") != _DEACTIVATED)["external_id"])
        kept = _without(self._before.memberships, "group_id", told)
        kept = _without(kept, "member_id", self._groups_of)
        asked: dict[str, list[str]] = {}
        for user_id, group_ids in self._groups_of.items():
            for group_id in group_ids - told.keys():
                asked.setdefault(group_id, []).append(user_id)
        whole = pl.concat([kept, memberships_frame(told), memberships_frame(asked)])
        ids = people.select(member_id="external_id")
        groups = pl.DataFrame({"group_id": list(self._groups)}, schema={"group_id": pl.String()})
        known = whole.join(ids, on="member_id", how="semi").join(groups, on="group_id", how="semi")
        return known.sort("group_id", "member_id")


def _without(frame: pl.DataFrame, column: str, ids: Collection[str]) -> pl.DataFrame:
    return frame.join(pl.DataFrame({column: list(ids)}, schema={column: pl.String()}), on=column, how="anti")
