"""Whether a stored plan still fits the target: what is still to do, what is done already, and what moved on."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from directory.normalize import folded
from directory.snapshot import TargetSnapshot
from reconcile.numbered import NumberedTarget, number_target
from reconcile.succession import DELETING

__all__ = ["FRESHNESS", "freshness"]

FRESHNESS: Mapping[str, pl.DataType] = {"seq": pl.UInt32(), "standing": pl.String(), "because": pl.String()}
"""`standing` is `pending`, `already` (its effect is there) or `stale` (what it starts from is not); `because` says why
it is stale."""


def freshness(operations: pl.DataFrame, target: TargetSnapshot) -> pl.DataFrame:
    """Hold operations (schema `reconcile.plan.OPERATIONS`) against the target as it is. Returns `FRESHNESS`."""
    numbered = number_target(target)
    seen = _seen(operations, numbered)
    standing, because = _judgement()
    return seen.select("seq", standing.alias("standing"), because.alias("because"))


def _seen(operations: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """Operations with what the target shows of their account and group."""
    by_id = target.accounts.select(
        "account_id",
        "account",
        pl.col("username").alias("name_now"),
        pl.col("email").alias("email_now"),
        pl.col("display_name").alias("display_now"),
        "permission",
    )
    wished = operations.with_columns(
        pl.col("after").str.json_path_match("$.username").alias("after_name"),
        pl.col("after").str.json_path_match("$.email").alias("after_email"),
        pl.col("after").str.json_path_match("$.display_name").alias("after_display"),
        pl.col("before").str.json_path_match("$.email").alias("before_email"),
        pl.col("before").str.json_path_match("$.display_name").alias("before_display"),
        folded("username").alias("name_key"),
        folded("group").alias("group_key"),
    )
    awaited = _awaited_names(wished)
    # Whoever gives a name up in this plan has nothing to do with who gets it then.
    staying = target.accounts.join(
        awaited, left_on=["account_id", "key"], right_on=["account_id", "awaited"], how="anti"
    )
    by_name = staying.select(pl.col("key").alias("name_key"), pl.col("account").alias("namesake"))
    created = wished.filter(pl.col("kind") == "create").select("name_key").unique()
    new_groups = wished.filter(pl.col("kind") == "create_group").select("group_key").unique()
    members = (
        target.members.join(target.groups.select("number", pl.col("key").alias("group_key")), on="number")
        .select(pl.col("account").alias("holder"), "group_key", pl.lit(value=True).alias("member"))
        .unique()
    )
    still = _access_left(wished, target)
    return (
        wished.join(by_id, on="account_id", how="left", maintain_order="left")
        .join(by_name, on="name_key", how="left", maintain_order="left")
        .join(_expected_names(wished), on="account_id", how="left", maintain_order="left")
        # Whoever has the name now counts only for accounts that had no id yet when the plan was made.
        .with_columns(pl.when(pl.col("account_id").is_null()).then("namesake").otherwise("account").alias("holder"))
        .join(members, on=["holder", "group_key"], how="left", maintain_order="left")
        .join(
            target.groups.select(pl.col("key").alias("group_key"), pl.lit(value=True).alias("group_there")),
            on="group_key",
            how="left",
            maintain_order="left",
        )
        .join(still, on="seq", how="left", maintain_order="left")
        .with_columns(
            pl.col("name_key").is_in(created["name_key"].implode()).alias("to_be_created"),
            pl.col("group_key").is_in(new_groups["group_key"].implode()).alias("group_to_be_created"),
            pl.col("member").fill_null(value=False),
            pl.col("group_there").fill_null(value=False),
            pl.col("groups_left").fill_null(0),
        )
    )


def _awaited_names(wished: pl.DataFrame) -> pl.DataFrame:
    """Names that accounts are to give up, by a rename, for a moment or by being deleted: `account_id`, `awaited`."""
    giving = pl.col("kind").is_in(["set_aside", "rename", *DELETING]) & pl.col("account_id").is_not_null()
    return wished.filter(giving).select("account_id", pl.col("name_key").alias("awaited")).unique()


def _expected_names(wished: pl.DataFrame) -> pl.DataFrame:
    """What an account may be called while its renames are under way: `account_id`, `names_until_then` (folded)."""
    return (
        wished.filter(pl.col("kind").is_in(["set_aside", "rename"]) & pl.col("account_id").is_not_null())
        .group_by("account_id")
        .agg(pl.col("name_key").alias("names_until_then"), pl.col("after_name").last().alias("name_then"))
    )


def _access_left(wished: pl.DataFrame, target: NumberedTarget) -> pl.DataFrame:
    """For each `remove_access` and `strip_groups`, how many of the groups to be taken the account still has: `seq`,
    `groups_left`."""
    removing = (
        wished.filter(pl.col("kind").is_in(["remove_access", "strip_groups"]))
        .select(
            "seq",
            "account_id",
            pl.col("before").str.json_decode(pl.Struct({"groups": pl.List(pl.String)})).struct.field("groups"),
        )
        .explode("groups", empty_as_null=True)
        .with_columns(folded("groups").alias("key"))
        .join(target.accounts.select("account_id", "account"), on="account_id")
        .join(target.groups.select("key", "number"), on="key")
        .join(target.members, on=["account", "number"], how="semi")
    )
    return removing.group_by("seq").agg(pl.len().alias("groups_left"))


def _judgement() -> tuple[pl.Expr, pl.Expr]:
    kind = pl.col("kind")
    there = pl.col("account").is_not_null()
    named = pl.col("name_now").str.to_lowercase()
    renamed = pl.format("the account is called {} now", "name_now")
    same = pl.col("email_now").eq_missing(pl.col("after_email")) & pl.col("display_now").eq_missing(
        pl.col("after_display")
    )
    unchanged = pl.col("email_now").eq_missing(pl.col("before_email")) & pl.col("display_now").eq_missing(
        pl.col("before_display")
    )
    bare = (pl.col("groups_left") == 0) & pl.col("permission").is_null()
    gone = pl.lit("the account is gone")
    renaming = kind.is_in(["set_aside", "rename"])
    on_the_way = (named == pl.col("name_key")) | named.is_in(pl.col("names_until_then")).fill_null(value=False)
    rules: list[tuple[pl.Expr, str, pl.Expr | None]] = [
        ((kind == "create_group") & pl.col("group_there"), "already", None),
        ((kind == "delete") & ~there, "already", None),
        ((kind == "remove_access") & (~there | bare), "already", None),
        ((kind == "strip_groups") & (~there | (pl.col("groups_left") == 0)), "already", None),
        # No snapshot shows whether traces are erased: it is asked for again, and a second time is no error.
        (
            (kind == "erase") & pl.col("namesake").is_not_null() & ~there,
            "stale",
            pl.lit("an account of that name is there"),
        ),
        ((kind == "erase") & ~there, "pending", None),
        ((kind == "leave") & ~there, "stale", gone),
        ((kind == "anonymise") & ~there, "stale", gone),
        ((kind == "anonymise") & (named == pl.col("after_name").str.to_lowercase()) & same, "already", None),
        (
            (kind == "create") & pl.col("namesake").is_not_null(),
            "stale",
            pl.lit("an account of that name is there"),
        ),
        ((kind == "adopt") & ~there, "stale", gone),
        ((kind == "set_aside") & ~there, "already", None),
        ((kind == "rename") & ~there, "stale", gone),
        (renaming & (named == pl.col("after_name").str.to_lowercase()), "already", None),
        # Set aside and renamed since, or still to be set aside.
        ((kind == "set_aside") & (named == pl.col("name_then").str.to_lowercase()), "already", None),
        (renaming & ~on_the_way, "stale", renamed),
        ((kind == "update") & ~there, "stale", gone),
        ((kind == "update") & same, "already", None),
        ((kind == "update") & ~unchanged, "stale", pl.lit("its name or e-mail address was changed by somebody else")),
        ((kind == "add_membership") & pl.col("member"), "already", None),
        (
            (kind == "add_membership") & pl.col("holder").is_null() & ~pl.col("to_be_created"),
            "stale",
            gone,
        ),
        (
            (kind == "add_membership") & ~pl.col("group_there") & ~pl.col("group_to_be_created"),
            "stale",
            pl.lit("the group is gone"),
        ),
        ((kind == "remove_membership") & ~pl.col("member"), "already", None),
        ((kind == "restore_access") & ~there, "stale", gone),
        # The snapshot shows no pictures: one that is set or reset a second time is no error.
        (kind.is_in(["set_picture", "reset_picture"]) & pl.col("account_id").is_not_null() & ~there, "stale", gone),
        # Calls name accounts by username, and names are given anew: they would hit somebody else, or nobody.
        (there & ~on_the_way, "stale", renamed),
    ]
    standing: pl.Expr = pl.lit("pending")
    because: pl.Expr = pl.lit(None, pl.String)
    for condition, verdict, reason in reversed(rules):
        hit = condition.fill_null(value=False)
        standing = pl.when(hit).then(pl.lit(verdict)).otherwise(standing)
        because = pl.when(hit).then(pl.lit(None, pl.String) if reason is None else reason).otherwise(because)
    return standing, because
