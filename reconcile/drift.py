"""Why an operation is due: the source changed, the sync file changed, or somebody changed the target by hand.

The last run that ended well made the target equal to what the source said then. What was wanted then and is wanted now
can only be missing because somebody took it away in the target.
"""

from __future__ import annotations

import polars as pl

from reconcile.plan import ORIGINS
from reconcile.select import Selection

__all__ = ["origins"]

_GAINING = ("create", "adopt")
_PICTURES = ("set_picture", "reset_picture")
_CHANGING = ("rename", "update")
_DETAILS = ("username", "email", "display_name")


def origins(
    operations: pl.DataFrame,
    now: Selection,
    then: Selection,
    by_new_rules: Selection | None,
    links: pl.DataFrame,
) -> pl.DataFrame:
    """The origin of every operation, schema `ORIGINS`. `links` has the columns `external_id` and `state`.

    `then` is what the source of the last run that ended well wanted by the rules of that time, `by_new_rules` what it
    would have wanted by today's; None where the rules are the same or cannot be used with it.
    """
    rules = then if by_new_rules is None else by_new_rules
    keyed = operations.select("seq", "kind", "external_id", pl.col("group").str.to_lowercase().alias("key"))
    concerned = keyed["external_id"].drop_nulls().unique()
    told = (
        keyed.join(_wanted(then, concerned, "then"), on="external_id", how="left", maintain_order="left")
        .join(_wanted(rules, concerned, "rules"), on="external_id", how="left", maintain_order="left")
        .join(_wanted(now, concerned, "now"), on="external_id", how="left", maintain_order="left")
        .join(_given(then, concerned, "given_then"), on=["external_id", "key"], how="left", maintain_order="left")
        .join(_given(rules, concerned, "given_rules"), on=["external_id", "key"], how="left", maintain_order="left")
        .join(links.select("external_id", "state"), on="external_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("wanted_then", "wanted_rules", "given_then", "given_rules").fill_null(value=False),
            pl.col("key").is_in(_given_to_anybody(then).implode()).alias("in_use_then"),
            pl.col("key").is_in(_given_to_anybody(rules).implode()).alias("in_use_rules"),
            pl.col("key").is_in(then.groups["key"].implode()).alias("assigned_then"),
            pl.col("key").is_in(now.groups["key"].implode()).alias("assigned_now"),
        )
    )
    return told.select("seq", _origin().alias("origin")).cast(pl.Schema(ORIGINS))


def _origin() -> pl.Expr:
    kind = pl.col("kind")
    # A group that is assigned neither then nor now was ours before: it kept who was in it, and nobody else.
    ours_then = pl.col("assigned_then") | ~pl.col("assigned_now")
    same = pl.col("details_now").eq_missing(pl.col("details_then"))
    same_by_rules = pl.col("details_now").eq_missing(pl.col("details_rules"))
    return (
        pl.when(kind == "add_membership")
        .then(_came("given_then", "given_rules"))
        .when((kind == "remove_membership") & ~pl.col("given_then"))
        .then(pl.when(ours_then).then(pl.lit("drift")).otherwise(_rules_if(pl.col("in_use_rules"))))
        .when(kind == "remove_membership")
        .then(_rules_if(~pl.col("given_rules")))
        .when(kind == "create_group")
        .then(_came("in_use_then", "in_use_rules"))
        .when(kind.is_in(_GAINING))
        .then(_came("wanted_then", "wanted_rules"))
        .when(kind.is_in(_CHANGING))
        .then(
            pl.when(pl.col("wanted_then") & same)
            .then(pl.lit("drift"))
            .otherwise(_rules_if(pl.col("wanted_rules") & same_by_rules))
        )
        .when(kind.is_in(_PICTURES))
        # Nobody reads the pictures of the target: one is due when the source's changed.
        .then(pl.lit("source"))
        .when(kind == "restore_access")
        .then(_rules_if(~pl.col("wanted_then") & pl.col("wanted_rules")))
        # Access that was taken before can only be there again because somebody gave it.
        .when((kind == "remove_access") & ~pl.col("wanted_then") & (pl.col("state") == "access_removed"))
        .then(pl.lit("drift"))
        .otherwise(_rules_if(pl.col("wanted_then") & ~pl.col("wanted_rules")))
    )


def _came(then: str, rules: str) -> pl.Expr:
    """The origin of something that is given: there already then, by today's rules, or by the source."""
    return pl.when(then).then(pl.lit("drift")).otherwise(_rules_if(pl.col(rules)))


def _rules_if(condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(pl.lit("rules")).otherwise(pl.lit("source"))


def _wanted(selection: Selection, concerned: pl.Series, name: str) -> pl.DataFrame:
    return selection.people.filter(pl.col("external_id").is_in(concerned.implode())).select(
        "external_id", pl.col("wanted").alias(f"wanted_{name}"), pl.struct(_DETAILS).alias(f"details_{name}")
    )


def _given(selection: Selection, concerned: pl.Series, name: str) -> pl.DataFrame:
    people = selection.people.select("person", "external_id").filter(pl.col("external_id").is_in(concerned.implode()))
    return (
        selection.memberships.select("person", "group")
        .join(people, on="person")
        .join(selection.groups.select("group", "key"), on="group")
        .select("external_id", "key", pl.lit(value=True).alias(name))
    )


def _given_to_anybody(selection: Selection) -> pl.Series:
    return selection.groups.join(selection.memberships.select("group"), on="group", how="semi")["key"]
