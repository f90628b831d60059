"""Memberships and groups: what is missing in the target, and what is there without the source saying so."""

from __future__ import annotations

import polars as pl

from directory.normalize import folded
from directory.snapshot import TargetSnapshot
from reconcile.select import Selection

__all__ = [
    "group_operations",
    "membership_operations",
    "missing_memberships",
    "present_memberships",
    "surplus_memberships",
]


def present_memberships(accounts: pl.DataFrame, target: TargetSnapshot) -> pl.DataFrame:
    """Present memberships as `account` UInt32, `group` String, `key` String (folded group name)."""
    return (
        target.memberships.lazy()
        .join(accounts.lazy().select("account_id", "account"), on="account_id")
        .select("account", "group", folded("group").alias("key"))
        .collect()
    )


def missing_memberships(
    selection: Selection,
    named: pl.DataFrame,
    target: TargetSnapshot,
    members: pl.DataFrame,
    *,
    create_groups: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Wanted memberships as (`account`, `key`), and those that are not there yet with what their operation needs.

    A group is called what the target calls it; only one that is missing there takes the source's spelling.
    """
    known = target.groups.select(folded("name").alias("key"), pl.col("name").alias("present"))
    groups = selection.groups.join(known, on="key", how="left").select(
        "group", "key", pl.coalesce("present", "name").alias("name"), pl.col("present").is_null().alias("to_create")
    )
    if not create_groups:
        groups = groups.filter(~pl.col("to_create"))
    # Numbers, not names, so that ten million rows are compared in a second.
    numbered = members.lazy().join(groups.lazy().select("key", pl.col("group").alias("number")), on="key")
    there_now = numbered.select("account", pl.col("number").alias("group"))
    wanted = (
        selection.memberships.lazy()
        .join(named.lazy().select("person", "account"), on="person")
        .select("person", "account", "group", "reach")
    )
    there = wanted.filter(pl.col("account").is_not_null())
    absent = pl.concat(
        [there.join(there_now, on=["account", "group"], how="anti"), wanted.filter(pl.col("account").is_null())]
    ).collect()
    missing = (
        absent.join(groups.select("group", pl.col("name"), "to_create"), on="group")
        .join(selection.paths, on="reach", how="left")
        .join(named.select("person", "external_id", "account_id", "username", "mutable_groups"), on="person")
        .filter(pl.col("mutable_groups").fill_null(value=True))
        .select(
            "external_id",
            "account_id",
            "username",
            pl.col("name").alias("group"),
            "to_create",
            pl.coalesce("path", pl.lit("groups.always")).alias("reason"),
        )
    )
    keyed = there.join(groups.lazy().select("group", "key"), on="group").select("account", "key")
    return keyed.collect(), missing


def surplus_memberships(
    named: pl.DataFrame, wanted: pl.DataFrame, members: pl.DataFrame, managed: pl.DataFrame
) -> pl.DataFrame:
    stays = named.filter(pl.col("account").is_not_null() & pl.col("mutable_groups"))
    removable = managed.filter("removable").select("key")
    return (
        members.lazy()
        .join(removable.lazy(), on="key", how="semi")
        .join(stays.lazy().select("account", "external_id", "account_id", "username"), on="account")
        .join(wanted.lazy(), on=["account", "key"], how="anti")
        .select(
            "account",
            "external_id",
            "account_id",
            "username",
            "group",
            pl.lit("not a member in the source").alias("reason"),
        )
        .collect()
    )


def group_operations(missing: pl.DataFrame) -> pl.DataFrame:
    """The groups that the missing memberships need and the target lacks."""
    return (
        missing.filter("to_create")
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
