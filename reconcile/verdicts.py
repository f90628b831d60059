"""What the plan makes of every person, and why."""

from __future__ import annotations

import polars as pl

from reconcile.diff import Difference
from reconcile.plan import VERDICTS
from reconcile.select import Selection

__all__ = ["grants_of", "judge_people", "planned_outcomes"]

_OUTCOME = {
    "erase": "erased",
    "delete": "deleted",
    "anonymise": "anonymised",
    "remove_access": "access_removed",
    "strip_groups": "access_removed",
    "create": "created",
    "restore_access": "reactivated",
    "rename": "renamed",
    "set_aside": "renamed",
    "adopt": "updated",
    "update": "updated",
    "add_membership": "updated",
    "remove_membership": "updated",
    "release": "updated",
    "leave": "leaving",
}
"""The outcome that each kind of operation makes, the weightiest first."""

_OF_LEAVERS = ("erased", "deleted", "anonymised", "access_removed", "leaving")
_KEEPS_EMAIL = "no e-mail address in the source; Bitbucket has no account without one, so it keeps what it has"


def judge_people(selection: Selection, difference: Difference, grants: pl.DataFrame) -> pl.DataFrame:
    """One row a person, schema `VERDICTS`: everybody in the source, and leavers with an operation or a stage to come.

    `grants` comes from `grants_of`.
    """
    correlation = difference.correlation
    planned = planned_outcomes(difference.operations)
    trouble = correlation.people.filter(pl.col("problem").is_not_null()).select("person", "problem")
    absent = correlation.people.filter(pl.col("match") == "absent").select("person", pl.lit(value=True).alias("absent"))
    protected = correlation.people.filter(pl.col("match") == "protected").select(
        "person", pl.lit(value=True).alias("protected")
    )
    withheld = difference.withheld_people.select("external_id", pl.col("reason").alias("withheld"))
    everybody = (
        selection.people.select("person", "external_id", "username", "wanted", "reason", "clears_email", "attributes")
        .join(
            planned.join(withheld, on="external_id", how="full", coalesce=True).join(
                difference.away, on="external_id", how="full", coalesce=True, suffix="_away"
            ),
            on="external_id",
            how="full",
            coalesce=True,
        )
        .join(trouble, on="person", how="left")
        .join(protected, on="person", how="left")
        .join(absent, on="person", how="left")
    )
    if selection.people["keeps_name"].any():
        staying = difference.managed.filter(~pl.col("leaving")).select("external_id", "username")
        everybody = everybody.join(staying.rename({"username": "own"}), on="external_id", how="left").with_columns(
            pl.coalesce("username", "own").alias("username")
        )
    outcome = (
        pl.when(pl.coalesce("protected", "absent"))
        .then(pl.lit("filtered"))
        .when(pl.col("problem").is_not_null())
        .then(pl.lit("conflict"))
        .when(pl.col("planned").is_not_null())
        .then("planned")
        .when(pl.col("withheld").is_not_null())
        .then(pl.lit("held"))
        .when(pl.col("standing").is_not_null())
        .then("standing")
        .when(pl.col("wanted").fill_null(value=False))
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("filtered"))
    )
    leaving = pl.col("planned").is_in(_OF_LEAVERS)
    reason = (
        pl.when("protected")
        .then(pl.lit("the account or its name is protected, or the one that the sync logs in with"))
        .when("absent")
        .then(pl.lit("no account in the target, and people.create makes none"))
        .when(pl.col("problem").is_not_null())
        .then("problem")
        .when(leaving)
        .then("why")
        .when(pl.col("outcome") == pl.col("standing"))
        .then("why_away")
        .when(pl.col("outcome") == "held")
        .then(pl.format("{}; withheld, because the source was read incompletely", "withheld"))
        .when(pl.col("wanted").fill_null(value=False) & pl.col("clears_email"))
        .then(pl.format("{}; {}", "reason", pl.lit(_KEEPS_EMAIL)))
        .otherwise("reason")
    )
    return (
        everybody.with_columns(outcome.alias("outcome"))
        .with_columns(
            reason.alias("reason"), pl.coalesce("username", "account_name", "account_name_away").alias("username")
        )
        .join(grants, on="person", how="left")
        .with_columns(
            pl.when(pl.col("absent").is_null() & pl.col("standing").ne_missing(pl.lit("inactive"))).then("grants")
        )
        .select(pl.col(name).cast(dtype) for name, dtype in VERDICTS.items())
        .sort("external_id")
    )


def planned_outcomes(operations: pl.DataFrame) -> pl.DataFrame:
    """What operations make of each person: `external_id`, `planned` (outcome), `account_name`, `why`."""
    ranks = {kind: rank for rank, kind in enumerate(_OUTCOME)}
    outcomes = pl.DataFrame({"rank": list(ranks.values()), "planned": list(_OUTCOME.values())})
    return (
        operations.filter(pl.col("external_id").is_not_null())
        .with_columns(pl.col("kind").replace_strict(ranks, return_dtype=pl.Int64).alias("rank"))
        .sort("rank", "seq")
        .group_by("external_id", maintain_order=True)
        .agg(
            pl.col("rank").first(),
            pl.col("username").first().alias("account_name"),
            pl.col("reason").first().alias("why"),
        )
        .join(outcomes, on="rank")
    )


def grants_of(selection: Selection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Per wanted person the codes of their groups (`person`, `grants`), and what each code stands for (`GRANTS`).

    Codes and not names, because ten million names would cost seconds and gigabytes.
    """
    ways = selection.paths.height + 1
    coded = selection.memberships.select(
        "person",
        (pl.col("group").cast(pl.UInt64) * ways + pl.col("reach").cast(pl.UInt64).fill_null(ways - 1)).alias("grant"),
    )
    per_person = coded.group_by("person").agg(pl.col("grant").alias("grants"))
    meanings = (
        coded.select(pl.col("grant").unique().sort())
        .with_columns(
            (pl.col("grant") // ways).cast(pl.UInt32).alias("group_number"),
            (pl.col("grant") % ways).cast(pl.UInt32).alias("reach"),
        )
        .join(selection.groups.select(pl.col("group").alias("group_number"), "name"), on="group_number")
        .join(selection.paths, on="reach", how="left")
        .select("grant", pl.col("name").alias("group"), pl.coalesce("path", pl.lit("groups.always")).alias("path"))
    )
    return per_person, meanings.sort("grant")
