"""One read of a JSON API: groups, members, and people last, so that whoever is a member by then is listed as well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import polars as pl

from connectors.contract import Progress
from connectors.failures import first_of
from connectors.http.client import HttpClient
from connectors.sources.rest.listing import Listing
from connectors.sources.rest.settings import GROUP_ID, RestSettings
from connectors.tables.assembly import NOTHING_READ, Assembled, Tables, Words, as_text, assemble
from connectors.tables.values import Columns
from directory.errors import NotFound, SourceUnreadable
from directory.snapshot import PEOPLE

__all__ = ["Lists", "Reading"]


class Lists:
    """The lists that the settings declare."""

    def __init__(self, client: HttpClient, settings: RestSettings) -> None:
        people, groups, memberships = settings.people, settings.groups, settings.memberships
        self.people = Listing(client, people, {**_given(people.fields.model_dump()), **people.attributes})
        self.groups = None if groups is None else Listing(client, groups, groups.fields.model_dump())
        self.memberships = Listing(client, memberships, _given(memberships.fields.model_dump()))

    def named(self) -> dict[str, Listing]:
        found = {"people": self.people, "groups": self.groups, "memberships": self.memberships}
        return {name: listing for name, listing in found.items() if listing is not None}


class Reading:
    def __init__(self, client: HttpClient, settings: RestSettings, progress: Progress | None) -> None:
        self._settings = settings
        self._lists = Lists(client, settings)
        self._progress = progress or (lambda _what, _count: None)
        self._findings: list[str] = []
        """Of the lists themselves; the assembly has its own."""

    async def run(self) -> Assembled:
        """Raises `SourceUnavailable`, `SourceUnreadable` or `CredentialsRefused`."""
        lists, settings = self._lists, self._settings
        groups = None if lists.groups is None else (await self._whole("groups", lists.groups)).frame()
        if groups is None or not settings.memberships.per_group:
            memberships = await self._whole("memberships", lists.memberships)
        else:
            groups, memberships = await self._members(groups)
        people = await self._whole("people", lists.people)
        self._require_fields()
        listed = settings.people.fields.active is None
        tables = Tables(
            people=_with_all_columns(people.frame()),
            memberships=self._told_apart(memberships.frame()),
            groups=groups,
            origins=(_origin("people"), _origin("memberships"), _origin("groups")),
            active=Words() if listed else Words(settings.active_values, settings.inactive_values),
        )
        found = await asyncio.to_thread(assemble, tables)
        self._progress("people", found.people.height)
        return found._replace(findings=(*self._findings, *found.findings))

    async def _whole(self, what: str, listing: Listing) -> Columns:
        columns = Columns(listing.columns)
        try:
            await self._fill(columns, what, listing)
        except NotFound as error:
            next_step = f"correct `{what}.path` in the sync file"
            raise SourceUnreadable(
                error.what, subject=error.subject, not_done=NOTHING_READ, next_step=next_step
            ) from None
        return columns

    async def _members(self, groups: pl.DataFrame) -> tuple[pl.DataFrame, Columns]:
        """The groups without those that vanished meanwhile, and the members of each."""
        groups = groups.with_columns(as_text(groups, "group_id", _origin("groups")))
        members = Columns(("group_id", *self._lists.memberships.columns))
        gone: list[str] = []
        waiting = iter(groups["group_id"].drop_nulls().unique(maintain_order=True).to_list())
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._settings.concurrency):
                    tasks.create_task(self._members_of_each(waiting, members, gone))
        except BaseExceptionGroup as failures:
            raise first_of(failures) from None
        self._findings += [f"the group {group_id} vanished before its members were read" for group_id in gone]
        return groups.filter(pl.col("group_id").is_null() | ~pl.col("group_id").is_in(gone)), members

    async def _members_of_each(self, waiting: Iterator[str], members: Columns, gone: list[str]) -> None:
        listing = self._lists.memberships
        for group_id in waiting:
            path = listing.path.replace(GROUP_ID, quote(group_id, safe=""))
            try:
                await self._fill(members, "memberships", listing, path=path, group_id=(group_id,))
            except NotFound:
                gone.append(group_id)

    async def _fill(
        self,
        columns: Columns,
        what: str,
        listing: Listing,
        *,
        path: str | None = None,
        group_id: tuple[str, ...] = (),
    ) -> None:
        """Add all rows, each behind the group's id where there is one.

        A finding tells where there are fewer than the API counts, or, where it does not count, one came twice.
        """
        identifying = [number for number, name in enumerate(listing.columns) if name in _IDENTIFYING[what]]
        distinct: set[tuple[str, ...]] = set()
        came, total = 0, None
        async for rows, strategy in listing.pages(path):
            columns.add([(*group_id, *row) for row in rows])
            distinct.update(tuple(str(row[number]) for number in identifying) for row in rows)
            came, total = came + len(rows), strategy.total
            self._progress(what, columns.height)
        where = path or listing.path
        if total is not None and len(distinct) < total:
            self._findings.append(f"{_origin(what)}: the API counts {total} at {where}, and {len(distinct)} came")
        elif total is None and len(distinct) < came:
            twice = came - len(distinct)
            self._findings.append(f"{_origin(what)}: at {where} {twice} rows came twice, so others may be missing")

    def _require_fields(self) -> None:
        """A field that no row has is misspelt, or would be blanked for everybody."""
        may_be_absent = {*self._settings.people.attributes, "member_is_group"}
        for name, listing in self._lists.named().items():
            absent = [column for column in listing.columns if column not in listing.present | may_be_absent]
            if listing.seen and absent:
                raise SourceUnreadable(
                    f"not one of {listing.seen} rows has what `fields` says of {', '.join(absent)}",
                    subject=f"{_origin(name)} (GET {listing.path})",
                    not_done=NOTHING_READ,
                    next_step="compare `fields` in the sync file with an answer; leave out what the API does not have",
                )

    def _told_apart(self, memberships: pl.DataFrame) -> pl.DataFrame:
        if "member_is_group" not in memberships.columns:
            return memberships.select("group_id", "member_id")
        words = [word.lower() for word in self._settings.memberships.group_values]
        written = pl.col("member_is_group").cast(pl.String).str.to_lowercase()
        return memberships.with_columns(written.is_in(words).fill_null(value=False).alias("member_is_group"))


_IDENTIFYING: Mapping[str, tuple[str, ...]] = {
    "people": ("external_id",),
    "groups": ("group_id",),
    "memberships": ("group_id", "member_id", "member_is_group"),
}


def _with_all_columns(people: pl.DataFrame) -> pl.DataFrame:
    """Of what the settings leave out nothing is known, but that whoever is listed is active."""
    absent = {name: dtype for name, dtype in PEOPLE.items() if name not in people.columns}
    return people.with_columns(
        pl.lit(value=True if name == "active" else None, dtype=dtype).alias(name) for name, dtype in absent.items()
    )


def _given(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: place for name, place in fields.items() if place is not None}


def _origin(what: str) -> str:
    return f"the list `{what}`"
