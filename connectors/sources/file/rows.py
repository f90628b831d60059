"""What the rows of each file say, and which of them are broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import polars as pl

from connectors.sources.file.attributes import attributes, empty_to_null, is_plain_list
from connectors.sources.file.settings import FileSettings
from connectors.sources.file.table import LINE, Broken, Table, unreadable
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS

__all__ = ["Groups", "Memberships", "People", "groups_in", "memberships_in", "people_in"]

_MEMBERSHIP_ROWS: Final[Mapping[str, pl.DataType]] = {LINE: pl.UInt32(), **MEMBERSHIPS}


class People(NamedTuple):
    frame: pl.DataFrame
    """`PEOPLE` and attributes."""
    memberships: pl.DataFrame
    """What the column of groups says: `LINE` and `MEMBERSHIPS`."""
    broken: list[Broken]


class Groups(NamedTuple):
    frame: pl.DataFrame
    """`SOURCE_GROUPS`."""
    broken: list[Broken]


class Memberships(NamedTuple):
    frame: pl.DataFrame
    """`LINE` and `MEMBERSHIPS`."""
    broken: list[Broken]


def people_in(table: Table, settings: FileSettings) -> People:
    """Raises `SourceUnreadable` for a missing column, one of a wrong type, and where no row at all can be used."""
    columns = {name: column for name, column in settings.columns if name != "groups" and column is not None}
    for name, column in columns.items():
        table.require(column, f"columns.{name}", optional=name != "external_id")
    groups = settings.groups_column
    if groups is not None:
        table.require(groups, "columns.groups", optional=True)
    if table.columns is None:
        return People(pl.DataFrame(schema=PEOPLE), pl.DataFrame(schema=_MEMBERSHIP_ROWS), _none_left(table, [], 0))

    flag = settings.columns.active
    rows = table.frame.select(
        LINE,
        _key(table, settings.columns.external_id).alias("external_id"),
        *(
            empty_to_null(_text(table, columns[name])).alias(name) if name in columns else _no_text(name)
            for name in ("username", "email", "display_name")
        ),
        (pl.lit(value=True) if flag is None else _flag(table, flag, settings)).alias("active"),
        (pl.lit("") if flag is None else _text(table, flag)).alias("\x00active"),
        (pl.lit(None, pl.List(pl.String)) if groups is None else _list(table, groups, settings)).alias("\x00groups"),
        *attributes(table, {*columns.values(), *([groups] if groups else [])}),
    )
    nobody = rows.filter(pl.col("external_id").is_null())
    broken = [
        Broken(line, f"{settings.columns.external_id!r} is empty, so the row names nobody") for line in nobody[LINE]
    ]
    unclear = rows.filter(pl.col("external_id").is_not_null() & pl.col("active").is_null())
    broken += [
        Broken(line, f"{flag!r} is {value!r}, neither in active_values nor in inactive_values; {person} was left out")
        for line, value, person in unclear.select(LINE, "\x00active", "external_id").iter_rows()
    ]
    rows, twice = _first_of_each(rows.drop_nulls(["external_id", "active"]).drop("\x00active"), "external_id")
    broken = _none_left(table, broken + twice, rows.height)
    memberships = (
        rows.select(LINE, pl.col("\x00groups").alias("group_id"), pl.col("external_id").alias("member_id"))
        .explode("group_id")
        .with_columns(empty_to_null(_folded_key(pl.col("group_id"))), pl.lit(value=False).alias("member_is_group"))
        .drop_nulls("group_id")
    )
    return People(rows.drop(LINE, "\x00groups"), memberships.select(*_MEMBERSHIP_ROWS), broken)


def groups_in(table: Table, settings: FileSettings) -> Groups:
    """Raises `SourceUnreadable` for a missing column, one of a wrong type, and where no row at all can be used."""
    columns = settings.group_columns
    for name, column in columns:
        table.require(column, f"group_columns.{name}")
    if table.columns is None:
        return Groups(pl.DataFrame(schema=SOURCE_GROUPS), _none_left(table, [], 0))
    rows = table.frame.select(
        LINE, _key(table, columns.group_id).alias("group_id"), _key(table, columns.name).alias("name")
    )
    empty = rows.filter(pl.any_horizontal(pl.col("group_id", "name").is_null()))
    broken = [Broken(line, "the row has no id or no name, so it names no group") for line in empty[LINE]]
    rows, twice = _first_of_each(rows.drop_nulls(), "group_id")
    return Groups(rows.drop(LINE), _none_left(table, broken + twice, rows.height))


def memberships_in(table: Table, settings: FileSettings) -> Memberships:
    """Raises `SourceUnreadable` for a missing column, one of a wrong type, and where no row at all can be used."""
    columns = settings.membership_columns
    table.require(columns.group, "membership_columns.group")
    table.require(columns.member, "membership_columns.member")
    if settings.nested and table.columns is not None and columns.member_is_group not in table.columns:
        table.require(columns.member_group, "membership_columns.member_group")
    if table.columns is None:
        return Memberships(pl.DataFrame(schema=_MEMBERSHIP_ROWS), _none_left(table, [], 0))

    member = _key(table, columns.member)
    inner, is_group = pl.lit(None, pl.String), pl.lit(value=False)
    if settings.nested and columns.member_group in table.columns:
        inner = _key(table, columns.member_group)
        is_group = inner.is_not_null()
    elif settings.nested:
        is_group = _flag(table, columns.member_is_group, settings)
    rows = table.frame.select(
        LINE,
        _key(table, columns.group).alias("group_id"),
        pl.coalesce(inner, member).alias("member_id"),
        is_group.alias("member_is_group"),
        (member.is_not_null() & inner.is_not_null()).alias("both"),
    )
    reason = (
        pl.when(pl.col("group_id").is_null())
        .then(pl.lit("the row names no group"))
        .when(pl.col("member_id").is_null())
        .then(pl.lit("the row names no member"))
        .when(pl.col("both"))
        .then(pl.lit("the row names a person and a group as its member; only one of them can be"))
        .when(pl.col("member_is_group").is_null())
        .then(pl.lit(f"{columns.member_is_group!r} says neither true nor false"))
    )
    judged = rows.with_columns(reason.alias("reason"))
    wrong = judged.filter(pl.col("reason").is_not_null())
    broken = [Broken(line, what) for line, what in wrong.select(LINE, "reason").iter_rows()]
    sound = judged.filter(pl.col("reason").is_null()).select(*_MEMBERSHIP_ROWS)
    return Memberships(sound, _none_left(table, broken, sound.height))


def _none_left(table: Table, broken: list[Broken], left: int) -> list[Broken]:
    """All that is broken; raises where nothing else is there, for then it is not the rows that are wrong."""
    every = [*table.broken, *broken]
    if every and not left:
        first = min(every)
        raise unreadable(
            table.path,
            f"not one of its {len(every)} rows can be used; {table.unit} {first.line}: {first.what}",
            "compare the settings of the source with the file",
        )
    return every


def _first_of_each(rows: pl.DataFrame, key: str) -> tuple[pl.DataFrame, list[Broken]]:
    """Rows that repeat another entirely fall out; of those that share a key and differ the first is kept."""
    if not rows[key].is_duplicated().any():
        return rows, []
    rows = rows.unique([name for name in rows.columns if name != LINE], keep="first", maintain_order=True)
    first = pl.col(LINE).first().over(key)
    twice = rows.filter(pl.col(LINE) != first).join(
        rows.select(key, first.alias("first")).unique(), on=key, maintain_order="left"
    )
    broken = [
        Broken(line, f"{value!r} stands in row {kept} already with other content, and the later row was left out")
        for line, value, kept in twice.select(LINE, key, "first").iter_rows()
    ]
    return rows.filter(pl.col(LINE) == first), broken


def _no_text(name: str) -> pl.Expr:
    return pl.lit(None, pl.String).alias(name)


def _folded_key(text: pl.Expr) -> pl.Expr:
    """Ids and group names are compared across files, so they are trimmed and composed (NFC) at once."""
    return text.str.normalize("NFC").str.strip_chars()


def _key(table: Table, column: str) -> pl.Expr:
    return empty_to_null(_folded_key(_text(table, column)))


def _text(table: Table, column: str) -> pl.Expr:
    dtype = table.frame.schema[column]
    if dtype in {pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null} or dtype.is_integer():
        return pl.col(column).cast(pl.String)
    raise unreadable(table.path, f"the column {column!r} holds {dtype}, not text", "let the export write it as text")


def _flag(table: Table, column: str, settings: FileSettings) -> pl.Expr:
    value = _text(table, column).str.strip_chars().str.to_lowercase()
    yes, no = ([word.lower() for word in words] for words in (settings.active_values, settings.inactive_values))
    return pl.when(value.is_in(yes)).then(pl.lit(value=True)).when(value.is_in(no)).then(pl.lit(value=False))


def _list(table: Table, column: str, settings: FileSettings) -> pl.Expr:
    dtype = table.frame.schema[column]
    if is_plain_list(dtype):
        return pl.col(column).cast(pl.List(pl.String))
    return _text(table, column).str.split(settings.groups_separator)
