"""A source that is a set of files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from connectors.contract import CheckFinding, Progress
from connectors.sources.file.joining import joined
from connectors.sources.file.reading import Stamp, read_table, stamp
from connectors.sources.file.settings import FileSettings
from connectors.sources.file.table import Table, Wanted
from directory.errors import UsersyncError
from directory.snapshot import Completeness, SourceSnapshot

__all__ = ["FileSource"]

_SPELLED_OUT: Final = 20


class _Read(NamedTuple):
    snapshot: SourceSnapshot
    tables: dict[str, Table]
    stamps: dict[Path, Stamp]
    stale: list[str]
    """The findings about age."""


class FileSource:
    """Reads `FileSettings`; holds nothing between two reads, so what it says is what the files say now."""

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read every file whole. Raises `SourceUnreadable`.

        A row that cannot be used is left out, and so is a membership of somebody unknown; each is a finding.
        """
        return (await self._read(progress)).snapshot

    async def check(self) -> list[CheckFinding]:
        """Say what each file holds and how old it is, and every finding that a read would have."""
        try:
            read = await self._read(None)
        except UsersyncError as error:
            return [CheckFinding.of(error)]
        found = [
            CheckFinding("ok", _described(table, read.stamps[table.path], read.snapshot.read_at))
            for table in read.tables.values()
        ]
        found += [CheckFinding("note", note) for note in _notes(read.tables, self._settings)]
        for finding in read.snapshot.completeness.findings:
            if finding in read.stale:
                found.append(CheckFinding("note", finding, "see whether the export still runs"))
            else:
                found.append(CheckFinding("problem", finding, "mend the export; until then nothing is removed"))
        return found

    async def close(self) -> None:
        """Nothing is held open."""

    async def _read(self, progress: Progress | None) -> _Read:
        settings = self._settings
        read_at = datetime.now(UTC)
        stamps = {path: stamp(path) for path in settings.paths}
        stale = list(_too_old(settings, stamps, read_at))
        tables: dict[str, Table] = {}
        for what, path, wanted in _files(settings):
            tables[what] = await asyncio.to_thread(read_table, path, settings, wanted)
            if progress is not None:
                progress(what, tables[what].frame.height)
        frames = await asyncio.to_thread(joined, tables, settings)
        findings = [*_changed(stamps), *stale, *frames.findings]
        snapshot = SourceSnapshot(
            completeness=Completeness(_capped(findings)),
            read_at=read_at,
            requests=0,
            people=frames.people,
            groups=frames.groups,
            memberships=frames.memberships,
        )
        return _Read(snapshot, tables, stamps, stale)


def _files(settings: FileSettings) -> Iterator[tuple[str, Path, Wanted]]:
    columns = settings.columns
    texts = (columns.external_id, columns.username, columns.email, columns.display_name)
    yield (
        "people",
        settings.people,
        Wanted(
            text=frozenset(name for name in texts if name is not None),
            flags=frozenset() if columns.active is None else frozenset({columns.active}),
            lists=frozenset() if settings.groups_column is None else frozenset({settings.groups_column}),
        ),
    )
    if settings.groups is not None:
        groups = settings.group_columns
        yield "groups", settings.groups, Wanted(text=frozenset({groups.group_id, groups.name}))
    if settings.memberships is not None:
        named = settings.membership_columns
        text = frozenset({named.group, named.member})
        if settings.nested:
            wanted = Wanted(text=text | {named.member_group}, flags=frozenset({named.member_is_group}))
        else:
            wanted = Wanted(text=text)
        yield "memberships", settings.memberships, wanted


def _changed(before: dict[Path, Stamp]) -> Iterator[str]:
    for path, then in before.items():
        if stamp(path) != then:
            yield f"{path} was written to while it was read, so what was read may be half of it"


def _too_old(settings: FileSettings, before: dict[Path, Stamp], now: datetime) -> Iterator[str]:
    if settings.max_age_hours is None:
        return
    for path, found in before.items():
        age = now - found.modified
        if age > timedelta(hours=settings.max_age_hours):
            yield f"{path} was written {_ago(age)}, and max_age_hours is {settings.max_age_hours:g}"


def _ago(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "less than a minute ago"


def _capped(findings: list[str]) -> tuple[str, ...]:
    further = len(findings) - _SPELLED_OUT
    return (*findings[:_SPELLED_OUT], f"... and {further} more") if further > 0 else tuple(findings)


def _described(table: Table, found: Stamp, now: datetime) -> str:
    rows = table.frame.height + len(table.broken)
    columns = "no column is named" if table.columns is None else f"columns {', '.join(table.columns)}"
    written = f"written {_ago(now - found.modified)} ({found.modified:%Y-%m-%d %H:%M} UTC)"
    return f"{table.path}: {rows} row{'' if rows == 1 else 's'}; {columns}; {written}"


def _notes(tables: dict[str, Table], settings: FileSettings) -> Iterator[str]:
    """What nobody would notice otherwise: a column that looks as if it were read and is not."""
    people = tables["people"]
    mapped = {column for _, column in settings.columns if column is not None}
    for name, column in settings.columns:
        if name != "groups" and name in (people.columns or ()) and name not in mapped:
            yield f"{people.path}: the column {name!r} is not read, because columns.{name} is {column!r}"
    groups = settings.columns.groups
    if settings.groups_column is None and groups is not None and groups in (people.columns or ()):
        why = "columns.groups is not set beside memberships"
        yield f"{people.path}: the column {groups!r} is not read as groups, because {why}"
    if settings.groups_column is None and settings.memberships is None:
        yield "nobody is in a group: there is no memberships file, and columns.groups is null"
    members = tables.get("memberships")
    for name in (settings.membership_columns.member_group, settings.membership_columns.member_is_group):
        if members is not None and not settings.nested and name in (members.columns or ()):
            yield f"{members.path}: the column {name!r} is not read, because `nested` is not set"
