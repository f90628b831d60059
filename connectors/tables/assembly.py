"""From declared tables to the three frames of a snapshot: ids are unique, and who a membership names must be there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, NamedTuple

import polars as pl

from directory.errors import SourceUnreadable
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS, conform

__all__ = ["NOTHING_READ", "Assembled", "Tables", "Words", "as_text", "assemble", "require"]

NOTHING_READ: Final = "nothing was read, so nothing is changed"

_NAMED: Final = 5


class Words(NamedTuple):
    """What stands for yes and for no in a column of flags, in any case."""

    yes: tuple[str, ...] = ("true", "yes", "1", "t", "y")
    no: tuple[str, ...] = ("false", "no", "0", "f", "n")


@dataclass(frozen=True)
class Tables:
    """What was read, under our column names, and what an administrator calls the places it came from."""

    people: pl.DataFrame
    memberships: pl.DataFrame
    groups: pl.DataFrame | None
    """None where a group is known by its memberships alone; then its name is its id."""
    origins: tuple[str, str, str]
    """Of people, memberships and groups, such as ``the query `people` ``."""
    active: Words


class Assembled(NamedTuple):
    people: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame
    findings: tuple[str, ...]


def require(columns: Sequence[str], wanted: Collection[str], origin: str, next_step: str) -> None:
    """Raises `SourceUnreadable` that names each missing column and the nearest one there is."""
    folded = {name.lower(): name for name in reversed(columns)}
    missing = []
    for name in wanted:
        if name not in columns:
            near = get_close_matches(name, folded, n=1)
            missing.append(f"{name!r} (the nearest is {folded[near[0]]!r})" if near else repr(name))
    if missing:
        what = f"it gives no column {' and no column '.join(missing)}; there are {', '.join(map(repr, columns))}"
        raise SourceUnreadable(what, subject=origin, not_done=NOTHING_READ, next_step=next_step)


def assemble(tables: Tables) -> Assembled:
    """Leave out what cannot be used, each kind of it a finding.

    Raises `SourceUnreadable` where a table has rows and not one of them can be used.
    """
    of_people, of_memberships, of_groups = tables.origins
    people, findings = _people(tables.people, of_people, tables.active)
    memberships, more = _memberships(tables.memberships, of_memberships)
    findings += more
    if tables.groups is None:
        groups = _named_in(memberships)
    else:
        groups, more = _groups(tables.groups, of_groups)
        findings += more
        memberships, more = _of_known_groups(memberships, groups, of_memberships, of_groups)
        findings += more
    memberships, more = _of_known_members(memberships, people, groups, (of_memberships, of_people, of_groups))
    return Assembled(
        people=conform(people, PEOPLE),
        groups=conform(groups, SOURCE_GROUPS),
        memberships=conform(memberships, MEMBERSHIPS),
        findings=(*findings, *more),
    )


def _people(table: pl.DataFrame, origin: str, active: Words) -> tuple[pl.DataFrame, list[str]]:
    rows = table.with_columns(
        *(as_text(table, name, origin) for name in ("external_id", "username", "email", "display_name")),
        _flag("active", active).alias("active"),
        _written("active").alias("\x00written"),
    )
    findings = []
    nobody = rows["external_id"].null_count()
    if nobody:
        findings.append(f"{origin}: {nobody} of {rows.height} rows have no external_id and were left out")
    rows = rows.drop_nulls("external_id")
    unclear = rows.filter(pl.col("active").is_null())
    if unclear.height:
        values = ", ".join(map(repr, unclear["\x00written"].unique(maintain_order=True)[:_NAMED]))
        findings.append(
            f"{origin}: {_were(unclear.height, 'person', 'people')} left out, since `active` is {values}, which is "
            f"neither in active_values nor in inactive_values; such as {_some(unclear['external_id'])}"
        )
    rows, twice = _first_of_each(rows.drop_nulls("active").drop("\x00written"), "external_id", origin)
    _refuse_unusable(table, rows, origin, findings)
    return rows, findings + twice


def _groups(table: pl.DataFrame, origin: str) -> tuple[pl.DataFrame, list[str]]:
    rows = table.select(as_text(table, "group_id", origin), as_text(table, "name", origin))
    nameless = rows.height - rows.drop_nulls().height
    findings = [f"{origin}: {nameless} of {rows.height} rows have no id or no name and were left out"]
    rows, twice = _first_of_each(rows.drop_nulls(), "group_id", origin)
    _refuse_unusable(table, rows, origin, findings)
    return rows, [*(findings if nameless else []), *twice]


def _memberships(table: pl.DataFrame, origin: str) -> tuple[pl.DataFrame, list[str]]:
    nested = "member_is_group" in table.columns
    rows = table.select(
        as_text(table, "group_id", origin),
        as_text(table, "member_id", origin),
        (_flag("member_is_group", Words()) if nested else pl.lit(value=False)).alias("member_is_group"),
    )
    sound = rows.drop_nulls()
    lacking = f"{origin}: {rows.height - sound.height} of {rows.height} rows were left out, since they lack a group, "
    findings = [lacking + "a member, or a clear `member_is_group`"]
    _refuse_unusable(table, sound, origin, findings)
    return sound.unique(maintain_order=True), findings if sound.height < rows.height else []


def _named_in(memberships: pl.DataFrame) -> pl.DataFrame:
    inner = memberships.filter("member_is_group").select(pl.col("member_id").alias("group_id"))
    named = pl.concat([memberships.select("group_id"), inner]).unique().sort("group_id")
    return named.with_columns(pl.col("group_id").alias("name"))


def _of_known_groups(
    memberships: pl.DataFrame, groups: pl.DataFrame, origin: str, of_groups: str
) -> tuple[pl.DataFrame, list[str]]:
    lost = memberships.join(groups, on="group_id", how="anti")
    if not lost.height:
        return memberships, []
    what = (
        f"{origin}: {_were(lost.height, 'membership')} left out, since {of_groups} does not give the group, such as "
        f"{_some(lost['group_id'].unique(maintain_order=True))}"
    )
    return memberships.join(groups, on="group_id", how="semi", maintain_order="left"), [what]


def _of_known_members(
    memberships: pl.DataFrame, people: pl.DataFrame, groups: pl.DataFrame, origins: tuple[str, str, str]
) -> tuple[pl.DataFrame, list[str]]:
    origin, of_people, of_groups = origins
    kept, findings = [], []
    for is_group, known, key, where in (
        (False, people, "external_id", of_people),
        (True, groups, "group_id", of_groups),
    ):
        rows = memberships.filter(pl.col("member_is_group") == is_group)
        sound = rows.join(known.select(key), left_on="member_id", right_on=key, how="semi", maintain_order="left")
        kept.append(sound)
        if sound.height < rows.height:
            lost = rows.join(known.select(key), left_on="member_id", right_on=key, how="anti", maintain_order="left")
            findings.append(
                f"{origin}: {_were(lost.height, 'membership')} left out, since {where} does not give the member, such "
                f"as {_some(lost['member_id'].unique(maintain_order=True))}"
            )
    return pl.concat(kept), findings


def _first_of_each(rows: pl.DataFrame, key: str, origin: str) -> tuple[pl.DataFrame, list[str]]:
    """Rows that repeat another entirely say nothing new; of those that differ the first counts."""
    distinct = rows.unique(maintain_order=True)
    first = distinct.unique(key, keep="first", maintain_order=True)
    if first.height == distinct.height:
        return first, []
    twice = distinct.filter(pl.col(key).is_duplicated())[key].unique(maintain_order=True)
    what = f"{origin}: rows that differ share an id, and only the first of each id was taken"
    return first, [f"{what}; ids: {_some(twice)}" + (", ..." if twice.len() > _NAMED else "")]


def _refuse_unusable(table: pl.DataFrame, rows: pl.DataFrame, origin: str, findings: Sequence[str]) -> None:
    if table.height and not rows.height:
        said = findings[0].removeprefix(f"{origin}: ")
        raise SourceUnreadable(
            f"not one of its {table.height} rows can be used: {said}",
            subject=origin,
            not_done=NOTHING_READ,
            next_step="compare the `source` section of the sync file with what the source holds",
        )


def as_text(table: pl.DataFrame, name: str, origin: str) -> pl.Expr:
    """Text; empty text says nothing, as in Oracle, where the two are one."""
    if table.schema[name].is_nested():
        what = f"its column {name!r} holds lists or objects, and must hold text or numbers"
        raise SourceUnreadable(what, subject=origin, not_done=NOTHING_READ, next_step="name another column or field")
    written = pl.col(name).cast(pl.String)
    return pl.when(written != "").then(written).alias(name)


def _flag(name: str, words: Words) -> pl.Expr:
    written = _written(name)
    yes, no = ([word.strip().lower() for word in some] for some in words)
    return pl.when(written.is_in(yes)).then(statement=True).when(written.is_in(no)).then(statement=False)


def _written(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()


def _were(count: int, one: str, many: str = "") -> str:
    return f"1 {one} was" if count == 1 else f"{count} {many or one + 's'} were"


def _some(ids: pl.Series) -> str:
    return ", ".join(ids[:_NAMED])
