"""What is taken from leavers, and what returners get back."""

from __future__ import annotations

from typing import Literal

import polars as pl

from directory.normalize import folded
from reconcile.access import access_groups
from reconcile.accounts import json_object
from reconcile.correlate import Correlation
from reconcile.numbered import NumberedTarget
from reconcile.select import Selection

__all__ = ["NOTHING_TO_RESTORE", "leaver_operations", "leaving", "restore_operations"]

NOTHING_TO_RESTORE = '{"groups":[],"permission":null}'
"""The `after` of a `restore_access` that only wakes the link: the source gives everything back."""


_RANKS = {name: rank for rank, name in enumerate(("LICENSED_USER", "PROJECT_CREATE", "ADMIN", "SYS_ADMIN"))}


def leaving(selection: Selection, correlation: Correlation, accounts: pl.DataFrame) -> pl.DataFrame:
    reasons = selection.people.select("external_id", "reason")
    return (
        correlation.leavers.filter(~pl.col("protected"))
        .join(reasons, on="external_id", how="left", maintain_order="left")
        .join(
            accounts.select("account", "account_id", "username", "permission", "mutable_groups", "deletable"),
            on="account",
            maintain_order="left",
        )
        .with_columns(pl.col("reason").fill_null("not in the source any more"))
    )


def leaver_operations(
    leavers: pl.DataFrame,
    target: NumberedTarget,
    managed: pl.DataFrame,
    method: Literal["remove_access", "keep", "delete"],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Operations on leavers, and the memberships they take away (`account`, `number`, `kind`).

    Access is every group with a global permission and the direct grant; managed groups follow the source as always.
    An account that cannot be deleted loses its access where `method` would delete it.
    """
    none = leavers.clear()
    gone = leavers.filter("deletable") if method == "delete" else none
    losing = none if method == "keep" else leavers.join(gone, on="account", how="anti").filter("mutable_groups")
    theirs = target.members.join(leavers.select("account"), on="account", how="semi").unique()
    deleted, taken = _deletions(gone, theirs)
    stripped, lost = _removals(losing, theirs, target, managed)
    return pl.concat([deleted, stripped], how="diagonal"), pl.concat([taken, lost])


def _deletions(gone: pl.DataFrame, theirs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    operations = gone.select(pl.lit("delete").alias("kind"), "external_id", "account_id", "username", "reason")
    taken = theirs.join(gone.select("account"), on="account", how="semi")
    return operations, taken.select("account", "number", pl.lit("delete").alias("kind"))


def _removals(
    losing: pl.DataFrame, theirs: pl.DataFrame, target: NumberedTarget, managed: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    numbers = pl.concat(
        [access_groups(target).select("number"), managed.filter("removable").select("number").drop_nulls()]
    )
    taken = theirs.join(numbers, on="number", how="semi").join(losing.select("account"), on="account", how="semi")
    names = target.groups.select("number", "key", pl.col("name").alias("groups"))
    groups = taken.join(names, on="number").sort("key").group_by("account", maintain_order=True).agg("groups")
    operations = (
        losing.join(groups, on="account", how="left", maintain_order="left")
        .filter(pl.col("groups").is_not_null() | pl.col("permission").is_not_null())
        .with_columns(pl.col("groups").fill_null([]))
        .select(
            pl.lit("remove_access").alias("kind"),
            "external_id",
            "account_id",
            "username",
            json_object("groups", "permission").alias("before"),
            "reason",
        )
    )
    return operations, taken.select("account", "number", pl.lit("remove_access").alias("kind"))


def restore_operations(
    named: pl.DataFrame, target: NumberedTarget, memories: pl.DataFrame, managed: pl.DataFrame
) -> pl.DataFrame:
    """Returners regain the local access that was taken away; managed groups come back by the source alone.

    Of several grants that are remembered of one person the lowest comes back, and none where somebody gave them one
    since. What they have is not given again.
    """
    returners = named.filter((pl.col("match") == "linked") & (pl.col("state") == "access_removed"))
    remembered = memories.join(returners.filter("mutable_groups").select("external_id"), on="external_id", how="semi")
    groups = (
        remembered.filter(pl.col("kind") == "group")
        .select("external_id", folded("name").alias("key"))
        .unique()
        .join(managed.select("key"), on="key", how="anti")
        .join(target.groups.select("key", "name", "number"), on="key")
        .join(returners.select("external_id", "account"), on="external_id")
        .join(target.members, on=["account", "number"], how="anti")
        .sort("key")
        .group_by("external_id", maintain_order=True)
        .agg(pl.col("name").alias("groups"))
    )
    rank = pl.col("name").replace_strict(_RANKS, default=len(_RANKS), return_dtype=pl.UInt8)
    permissions = (
        remembered.filter(pl.col("kind") == "permission")
        .sort(rank, "name")
        .group_by("external_id", maintain_order=True)
        .agg(pl.col("name").first().alias("restored"))
    )
    return (
        returners.join(groups, on="external_id", how="left", maintain_order="left")
        .join(permissions, on="external_id", how="left", maintain_order="left")
        .with_columns(pl.col("groups").fill_null([]))
        .with_columns(pl.when(pl.col("permission").is_null()).then("restored").alias("restored"))
        .select(
            pl.lit("restore_access").alias("kind"),
            "external_id",
            "account_id",
            "username",
            json_object("groups", pl.col("restored").alias("permission")).alias("after"),
            pl.lit("back in the source").alias("reason"),
        )
    )
