"""Memberships and groups: what is missing in the target, and what is there without the source saying so."""

from __future__ import annotations

import polars as pl

from reconcile.numbered import NumberedTarget, pair
from reconcile.select import Selection

__all__ = [
    "group_operations",
    "membership_operations",
    "missing_memberships",
    "surplus_memberships",
    "wanted_memberships",
]


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


def missing_memberships(
    wanted: pl.DataFrame, selection: Selection, named: pl.DataFrame, target: NumberedTarget, *, create_groups: bool
) -> pl.DataFrame:
    """Wanted memberships that are not there, with what their operations need.

    A group is called what the target calls it; only one that is missing there takes the source's spelling.
    """
    present = target.members.select(pair("account", "number"))
    known = wanted.filter(pl.col("pair").is_not_null()).join(present, on="pair", how="anti")
    absent = pl.concat([known, wanted.filter(pl.col("pair").is_null())])
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
    wanted: pl.DataFrame, named: pl.DataFrame, managed: pl.DataFrame, target: NumberedTarget
) -> pl.DataFrame:
    """Memberships of managed accounts in groups that may be removed from, which the source does not give."""
    staying = named.filter(pl.col("account").is_not_null() & pl.col("mutable_groups"))
    stays = _flags(target.accounts.height, staying["account"])
    ours = _flags(target.groups.height, managed.filter("removable")["number"].drop_nulls())
    members = target.members
    candidates = members.filter(stays.gather(members["account"]) & ours.gather(members["number"]))
    return (
        candidates.with_columns(pair("account", "number"))
        .join(wanted.select("pair"), on="pair", how="anti")
        .join(target.groups.select("number", pl.col("name").alias("group")), on="number")
        .join(staying.select("account", "external_id", "account_id", "username"), on="account")
        .select(
            "account",
            "number",
            "external_id",
            "account_id",
            "username",
            "group",
            pl.lit("not a member in the source").alias("reason"),
        )
    )


def _flags(size: int, positions: pl.Series) -> pl.Series:
    """True at the positions, false elsewhere."""
    return pl.int_range(size, dtype=pl.UInt32, eager=True).is_in(positions.implode())


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
