"""A source that is not asked but was told: what an identity provider pushed is kept in the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from connectors.contract import CheckFinding, Progress, Pushed, PushStore
from connectors.sources.scim.frames import people_table
from connectors.sources.scim.settings import ScimSettings
from connectors.tables.assembly import Assembled, Tables, Words, assemble
from directory.errors import ConfigurationError, SourceUnreadable, UnknownRecord, UsersyncError
from directory.snapshot import MEMBERSHIPS, SOURCE_GROUPS, Completeness, SourceSnapshot

__all__ = ["ScimSource"]

_ORIGINS: Final = ("the users that were pushed", "the memberships that were pushed", "the groups that were pushed")


class ScimSource:
    """Reads `ScimSettings` once it was given a store."""

    def __init__(self, settings: ScimSettings) -> None:
        self._settings = settings
        self._store: PushStore | None = None

    def feed(self, store: PushStore) -> None:
        """Where the receiver keeps what is pushed."""
        self._store = store

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read everything that the connector was pushed, at one instant.

        Raises `SourceUnreadable` where there is no such connector, or none of its users can be used. Findings: nothing
        was pushed yet, other numbers than the receiver counted, nobody came for longer than is expected, and with
        `identify_by: externalId` people without one, or with one that another has.
        """
        read_at = datetime.now(UTC)
        pushed = await self._pushed(progress)
        found = await asyncio.to_thread(self._assembled, pushed)
        doubts = (*self._short(pushed), *self._silent(pushed, read_at))
        return _snapshot(found, read_at, (*doubts, *found.findings))

    async def read_person(self, name: str, *, by_id: bool = False) -> SourceSnapshot:
        """As `PersonSource`. Only what is pushed of them is looked up. Raises as `read` does."""
        read_at = datetime.now(UTC)
        pushed = await self._asked(lambda store: store.pushed_of(self._settings.connector, [name], by_id=by_id))
        found = await asyncio.to_thread(self._assembled, pushed)
        wanted = name.casefold()
        means = pl.col("external_id") == name
        if not by_id:
            for column in ("username", "email"):
                means |= pl.col(column).str.to_lowercase() == wanted
        people = found.people.filter(means)
        groups, memberships = _around(people, found)
        alone = Assembled(people, groups, memberships, found.findings)
        return _snapshot(alone, read_at, (*self._silent(pushed, read_at), *found.findings))

    async def find_groups(self, names: Collection[str]) -> SourceSnapshot:
        """As `PersonSource`. Raises as `read` does."""
        read_at = datetime.now(UTC)
        pushed = await self._asked(lambda store: store.pushed_groups(self._settings.connector, names))
        found = await asyncio.to_thread(self._assembled, pushed)
        return _snapshot(found, read_at, (*self._silent(pushed, read_at), *found.findings))

    async def check(self) -> list[CheckFinding]:
        """How much was pushed, when somebody came last, and every finding that a read would have."""
        try:
            pushed = await self._pushed(None)
            found = await asyncio.to_thread(self._assembled, pushed)
        except UsersyncError as error:
            return [CheckFinding.of(error)]
        counts = f"{len(pushed.people)} users, {len(pushed.groups)} groups and {len(pushed.memberships)} memberships"
        findings = [CheckFinding("ok", f"connector {self._settings.connector}: {counts} were pushed")]
        if pushed.last_contact is None:
            step = "give the identity provider the address and a token: `usersync scim token`"
            findings.append(CheckFinding("note", "no token of the connector was used yet", step))
        else:
            findings.append(CheckFinding("ok", f"a token was last used at {pushed.last_contact:%Y-%m-%d %H:%M} UTC"))
        doubts = (*self._short(pushed), *self._silent(pushed, datetime.now(UTC)), *found.findings)
        step = "have the identity provider provision everybody again; until then nothing is removed"
        return [*findings, *(CheckFinding("problem", each, step) for each in doubts)]

    async def close(self) -> None:
        """Nothing is held open; the store belongs to whoever gave it."""

    async def _pushed(self, progress: Progress | None) -> Pushed:
        loop = asyncio.get_running_loop()

        def tell(what: str, count: int) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, what, count)

        found = await self._asked(lambda store: store.pushed_to(self._settings.connector, tell))
        if progress is not None:
            progress("people", len(found.people))
        return found

    async def _asked(self, ask: Callable[[PushStore], Pushed]) -> Pushed:
        store, subject = self._store, f"connector {self._settings.connector}"
        if store is None:
            raise ConfigurationError(
                "what was pushed is kept in the ledger, and no ledger was given",
                subject=subject,
                not_done="nothing was read",
                next_step="run the sync by usersync, which gives the ledger that it opens",
            )
        try:
            return await asyncio.to_thread(ask, store)
        except UnknownRecord as error:
            raise SourceUnreadable(
                error.what,
                subject=subject,
                not_done="nothing was read, so nothing is changed",
                next_step=error.next_step,
            ) from None

    def _short(self, pushed: Pushed) -> list[str]:
        """Why what is there may be less than what the identity provider has."""
        found = []
        if not pushed.people and not pushed.groups:
            found.append(f"connector {self._settings.connector}: nothing was pushed yet")
        for kind, there, plural in (("User", pushed.people, "users"), ("Group", pushed.groups, "groups")):
            promised = pushed.promised.get(kind, 0)
            if promised != len(there):
                found.append(f"the receiver counted {promised} {plural}, and {len(there)} are there")
        return found

    def _silent(self, pushed: Pushed, now: datetime) -> list[str]:
        """Where nobody came for longer than is expected."""
        hours = self._settings.expect_contact_hours
        if hours is None or (pushed.last_contact is not None and now - pushed.last_contact <= timedelta(hours=hours)):
            return []
        last = "never" if pushed.last_contact is None else f"last at {pushed.last_contact:%Y-%m-%d %H:%M} UTC"
        return [f"the identity provider came {last}, and is expected every {hours:g} hours"]

    def _assembled(self, pushed: Pushed) -> Assembled:
        by_external_id = self._settings.identify_by == "externalId"
        people = people_table(pushed.people, by_external_id=by_external_id)
        groups = [(each, json.loads(document).get("displayName")) for each, document in pushed.groups]
        memberships = pl.DataFrame(pushed.memberships, schema=dict(MEMBERSHIPS), orient="row")
        if by_external_id:
            # Members without an external id are left out as the people are, who are a finding already.
            ids = people.select(pl.col("scim_id").alias("member_id"), "external_id").drop_nulls()
            named = memberships.filter(~pl.col("member_is_group")).join(ids, on="member_id", maintain_order="left")
            named = named.select("group_id", pl.col("external_id").alias("member_id"), "member_is_group")
            memberships = pl.concat([named, memberships.filter("member_is_group")])
        return assemble(
            Tables(
                people=people,
                memberships=memberships,
                groups=pl.DataFrame(groups, schema=dict(SOURCE_GROUPS), orient="row"),
                origins=_ORIGINS,
                active=Words(),
            )
        )


def _around(people: pl.DataFrame, found: Assembled) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The groups and memberships of these people alone, where more people than these were looked up."""
    if people.height == found.people.height:
        return found.groups, found.memberships
    ids, groups = set(people["external_id"]), set[str]()
    edges = found.memberships.rows()
    while True:
        above = {group for group, member, is_group in edges if member in (groups if is_group else ids)}
        if above <= groups:
            break
        groups |= above
    mine = [member in (groups if is_group else ids) for _, member, is_group in edges]
    named = found.groups.filter(pl.col("group_id").is_in(list(groups)))
    return named, found.memberships.filter(pl.Series(mine, dtype=pl.Boolean()))


def _snapshot(found: Assembled, read_at: datetime, findings: tuple[str, ...]) -> SourceSnapshot:
    return SourceSnapshot(
        completeness=Completeness(findings),
        read_at=read_at,
        requests=0,
        people=found.people,
        groups=found.groups,
        memberships=found.memberships,
    )
