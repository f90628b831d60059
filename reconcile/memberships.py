"""Memberships and groups: what is missing in the target, and what is there without the source saying so."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from reconcile.numbered import NumberedTarget, pair, unpaired
from reconcile.select import Selection

__all__ = [
    "Unequal",
    "compare",
    "group_operations",
    "membership_operations",
    "missing_memberships",
    "surplus_memberships",
    "wanted_memberships",
]


class Unequal(NamedTuple):
    """Memberships, as `reconcile.numbered.pair`, that one side has and the other has not."""

    lacking: pl.Series
    """Wanted, and not there."""
    unwanted: pl.Series
    """There, and not wanted: of managed and local accounts alike."""


def wanted_memberships(selection: Selection, named: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """Memberships of the people in `named`: `person`, `group`, `reach`; `account`, `number`, `pair` if they exist."""
    numbers = selection.groups.join(target.groups.select("key", "number"), on="key", how="left", maintain_order="left")[
        "number"
    ]
    owners = selection.people.select("person").join(
        named.select("person", "account", pl.lit(value=True).alias("able")),
        on="person",
        how="left",
        maintain_order="left",
    )
    people = selection.memberships["person"]
    return (
        selection.memberships.with_columns(
            owners["account"].gather(people).alias("account"),
            owners["able"].gather(people).alias("able"),
            numbers.gather(selection.memberships["group"]).alias("number"),
        )
        .filter("able")
        .drop("able")
        .with_columns(pair("account", "number"))
    )


def compare(wanted: pl.DataFrame, target: NumberedTarget) -> Unequal:
    """Hold the wanted memberships (`wanted_memberships`) against those that are there."""
    # Ten million pairs on either side: sorted together, those that both sides have stand next to each other.
    marked = pl.concat(
        [
            wanted.select(pl.col("pair").drop_nulls() * 2).to_series(),
            target.members.select(pair("account", "number") * 2 + 1).to_series().rename("pair"),
        ]
    ).sort()
    pairs, is_there = pl.col("pair") // 2, pl.col("pair") % 2 == 1
    starts = pairs.ne_missing(pairs.shift(1))
    ends = pairs.ne_missing(pairs.shift(-1))
    found = marked.to_frame().lazy()
    lacking, unwanted = pl.collect_all(
        [found.filter(ends & ~is_there).select(pairs), found.filter(starts & is_there).select(pairs)]
    )
    return Unequal(lacking.to_series(), unwanted.to_series())


def missing_memberships(
    wanted: pl.DataFrame,
    lacking: pl.Series,
    selection: Selection,
    named: pl.DataFrame,
    target: NumberedTarget,
    *,
    create_groups: bool,
) -> pl.DataFrame:
    """Wanted memberships that are not there, with what their operations need. `lacking` comes from `compare`.

    A group is called what the target calls it; only one that is missing there takes the source's spelling.
    """
    absent = wanted.filter(pl.col("pair").is_null() | pl.col("pair").is_in(lacking.implode()))
    groups = selection.groups.join(target.groups.select("key", pl.col("name").alias("present")), on="key", how="left")
    missing = (
        absent.join(groups.select("group", pl.coalesce("present", "name").alias("name")), on="group")
        .join(selection.paths, on="reach", how="left")
        .join(named.select("person", "external_id", "account_id", "username", "mutable_groups"), on="person")
        .filter(pl.col("mutable_groups").fill_null(value=True))
        .select(
            "external_id",
            "account_id",
            "username",
            "number",
            pl.col("name").alias("group"),
            pl.coalesce("path", pl.lit("groups.always")).alias("reason"),
        )
    )
    return missing if create_groups else missing.filter(pl.col("number").is_not_null())


def surplus_memberships(
    unwanted: pl.Series, named: pl.DataFrame, managed: pl.DataFrame, target: NumberedTarget
) -> pl.DataFrame:
    """Memberships of managed accounts in groups that may be removed from, which the source does not give.

    `unwanted` comes from `compare`, and holds everybody's.
    """
    staying = named.filter(pl.col("account").is_not_null() & pl.col("mutable_groups"))
    ours = managed.filter("removable").select("number", "reason").drop_nulls("number")
    return (
        unpaired(unwanted)
        .join(ours, on="number")
        .join(staying.select("account", "external_id", "account_id", "username"), on="account")
        .join(target.groups.select("number", pl.col("name").alias("group")), on="number")
        .select(
            "account",
            "number",
            "external_id",
            "account_id",
            "username",
            "group",
            "reason",
        )
    )


def group_operations(missing: pl.DataFrame) -> pl.DataFrame:
    """The groups that the missing memberships need and the target lacks."""
    return (
        missing.filter(pl.col("number").is_null())
        .select("group")
        .unique()
        .select(
            pl.lit("create_group").alias("kind"),
            "group",
            pl.lit("the source has it, the target has not").alias("reason"),
        )
    )


def membership_operations(memberships: pl.DataFrame, kind: str) -> pl.DataFrame:
    return memberships.select(pl.lit(kind).alias("kind"), "external_id", "account_id", "username", "group", "reason")
