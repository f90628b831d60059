"""Whose picture is set or reset: the one that was given last against the one that the source has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from reconcile.guard import judge_pictures
from reconcile.plan import OPERATIONS, VERDICTS, Plan
from reconcile.policy import Guard

__all__ = ["PICTURES", "WEARERS", "wearers", "with_pictures"]

PICTURES: Mapping[str, pl.DataType] = {"external_id": pl.String(), "seen": pl.String(), "given": pl.String()}
"""Digests: of the picture made of what the source has (null for none), and of the one that the account was given last
(null for none). Nobody whose picture could not be had has a row."""

WEARERS: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "account_id": pl.String(),
    "username": pl.String(),
    "fresh": pl.Boolean(),
}
"""`username` once the rest of the plan is applied; `fresh` says that the plan creates or adopts the account, so that
what a former account was given tells nothing."""

_WEARING = ("created", "updated", "renamed", "reactivated", "unchanged")
_SET = "the source has another picture"
_SET_FIRST = "the source has a picture"
_RESET = "the source has no picture any more"


def wearers(plan: Plan, links: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Who has an account when the plan is applied, and is not leaving: schema `WEARERS`, sorted by `external_id`.

    `links` has `external_id` and `account_id`, `accounts` the target's `account_id` and `username`.
    """
    operations = plan.operations
    created = operations.filter(pl.col("kind") == "create").select(
        "external_id", pl.lit(None, pl.String).alias("account_id"), "username", pl.lit(value=True).alias("fresh")
    )
    adopted = operations.filter(pl.col("kind") == "adopt").select("external_id", "account_id")
    linked = links.select("external_id", "account_id").join(
        pl.concat([created.select("external_id"), adopted.select("external_id")]), on="external_id", how="anti"
    )
    renamed = (
        operations.filter(pl.col("kind") == "rename")
        .select("external_id", pl.col("after").str.json_path_match("$.username").alias("new"))
        .unique("external_id", keep="last")
    )
    standing = (
        pl.concat(
            [
                linked.with_columns(pl.lit(value=False).alias("fresh")),
                adopted.with_columns(pl.lit(value=True).alias("fresh")),
            ]
        )
        .join(accounts.select("account_id", "username"), on="account_id")
        .join(renamed, on="external_id", how="left")
        .select("external_id", "account_id", pl.coalesce("new", "username").alias("username"), "fresh")
    )
    staying = plan.verdicts.filter(pl.col("outcome").is_in(_WEARING)).select("external_id")
    everybody = pl.concat([standing, created]).join(staying, on="external_id", how="semi")
    return everybody.select(pl.col(name).cast(dtype) for name, dtype in WEARERS.items()).sort("external_id")


def with_pictures(plan: Plan, worn: pl.DataFrame, pictures: pl.DataFrame, left: pl.DataFrame, guard: Guard) -> Plan:
    """The plan with the pictures that differ, and what the guard says of those that are reset.

    `worn` comes from `wearers`, `pictures` has the schema `PICTURES`; `left` has `external_id` of those whose picture
    could not be had, and `because`. What an incomplete read does not show is not reset.
    """
    differing = (
        worn.join(pictures, on="external_id")
        .join(left, on="external_id", how="anti")
        .with_columns(pl.when("fresh").then(None).otherwise("given").alias("given"))
        .filter(pl.col("seen").ne_missing(pl.col("given")))
        .sort(pl.col("seen").is_null(), "username", "external_id")
    )
    resets = differing.filter(pl.col("seen").is_null())
    # Where removals wait for somebody to look at them, so do these: a later plan has them again.
    may_reset = plan.header.complete and plan.waiting is None
    made = _operations(differing if may_reset else differing.filter(pl.col("seen").is_not_null()))
    withheld = {"reset_picture": resets.height} if resets.height and not plan.header.complete else {}
    had = worn.join(pictures.filter(pl.col("given").is_not_null()), on="external_id", how="semi").height
    held = judge_pictures(resets.height, had, guard) if may_reset else ()
    verdicts = _verdicts(plan.verdicts, made, left)
    operations = _after(plan.operations, made)
    counts = dict(plan.header.counts) | dict(made["kind"].value_counts().iter_rows())
    header = plan.header.model_copy(
        update={
            "counts": dict(sorted(counts.items())),
            "withheld": dict(sorted({**plan.header.withheld, **withheld}.items())),
            "outcomes": dict(sorted(verdicts["outcome"].value_counts().iter_rows())),
            "held": (*plan.header.held, *held),
            "pictures_left": left.height,
        }
    )
    return replace(plan, header=header, operations=operations, verdicts=verdicts)


def _operations(differing: pl.DataFrame) -> pl.DataFrame:
    resets = pl.col("seen").is_null()
    first = pl.col("given").is_null()
    return differing.select(
        pl.when(resets).then(pl.lit("reset_picture")).otherwise(pl.lit("set_picture")).alias("kind"),
        "external_id",
        "account_id",
        "username",
        pl.lit(None, pl.String).alias("group"),
        pl.when(~first).then(_digest("given")).alias("before"),
        pl.when(~resets).then(_digest("seen")).alias("after"),
        pl.when(resets)
        .then(pl.lit(_RESET))
        .when(first)
        .then(pl.lit(_SET_FIRST))
        .otherwise(pl.lit(_SET))
        .alias("reason"),
    )


def _digest(column: str) -> pl.Expr:
    return pl.struct(pl.col(column).alias("digest")).struct.json_encode()


def _after(operations: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    numbered = made.with_row_index("seq", offset=operations.height)
    return pl.concat([operations, numbered.select(pl.col(name).cast(dtype) for name, dtype in OPERATIONS.items())])


def _verdicts(verdicts: pl.DataFrame, made: pl.DataFrame, left: pl.DataFrame) -> pl.DataFrame:
    """Who gets nothing but a picture is updated; whose picture could not be had is told why."""
    dressed = pl.col("external_id").is_in(made["external_id"].implode()) & (pl.col("outcome") == "unchanged")
    told = pl.format("{}; the picture is left as it is: {}", pl.col("reason").fill_null("synced"), "because")
    return (
        verdicts.join(left.select("external_id", "because"), on="external_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(dressed).then(pl.lit("updated")).otherwise("outcome").alias("outcome"),
            pl.when(pl.col("because").is_not_null()).then(told).otherwise("reason").alias("reason"),
        )
        .select(VERDICTS.keys())
    )
