"""A source that is not asked but was told: what an identity provider pushed is kept in the ledger."""

from __future__ import annotations

import asyncio
import json
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
_KINDS: Final = (("User", "people", "users"), ("Group", "groups", "groups"))


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
        return SourceSnapshot(
            completeness=Completeness((*self._doubts(pushed, read_at), *found.findings)),
            read_at=read_at,
            requests=0,
            people=found.people,
            groups=found.groups,
            memberships=found.memberships,
        )

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
        doubts = (*self._doubts(pushed, datetime.now(UTC)), *found.findings)
        step = "have the identity provider provision everybody again; until then nothing is removed"
        return [*findings, *(CheckFinding("problem", each, step) for each in doubts)]

    async def close(self) -> None:
        """Nothing is held open; the store belongs to whoever gave it."""

    async def _pushed(self, progress: Progress | None) -> Pushed:
        store, connector = self._store, self._settings.connector
        if store is None:
            raise ConfigurationError(
                "what was pushed is kept in the ledger, and no ledger was given",
                subject=f"connector {connector}",
                not_done="nothing was read",
                next_step="run the sync by usersync, which gives the ledger that it opens",
            )
        loop = asyncio.get_running_loop()

        def tell(what: str, count: int) -> None:
            if progress is not None:
                loop.call_soon_threadsafe(progress, what, count)

        try:
            found = await asyncio.to_thread(store.pushed_to, connector, tell)
        except UnknownRecord as error:
            raise SourceUnreadable(
                error.what,
                subject=f"connector {connector}",
                not_done="nothing was read, so nothing is changed",
                next_step=error.next_step,
            ) from None
        if progress is not None:
            progress("people", len(found.people))
        return found

    def _doubts(self, pushed: Pushed, now: datetime) -> list[str]:
        """Why what is there may be less than what the identity provider has."""
        found = []
        if not pushed.people and not pushed.groups:
            found.append(f"connector {self._settings.connector}: nothing was pushed yet")
        for kind, name, plural in _KINDS:
            promised, there = pushed.promised.get(kind, 0), len(getattr(pushed, name))
            if promised != there:
                found.append(f"the receiver counted {promised} {plural}, and {there} are there")
        hours = self._settings.expect_contact_hours
        if hours is not None and (pushed.last_contact is None or now - pushed.last_contact > timedelta(hours=hours)):
            last = "never" if pushed.last_contact is None else f"last at {pushed.last_contact:%Y-%m-%d %H:%M} UTC"
            found.append(f"the identity provider came {last}, and is expected every {hours:g} hours")
        return found

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
