"""What the plan makes of every person, and why."""

from __future__ import annotations

import polars as pl

from reconcile.correlate import Correlation
from reconcile.diff import Difference
from reconcile.plan import VERDICTS
from reconcile.select import Selection

__all__ = ["judge_people"]

_OUTCOME = {
    "delete": "deleted",
    "remove_access": "access_removed",
    "create": "created",
    "restore_access": "reactivated",
    "rename": "renamed",
    "adopt": "updated",
    "update": "updated",
    "add_membership": "updated",
    "remove_membership": "updated",
}
"""The outcome that each kind of operation makes, the weightiest first."""


def judge_people(selection: Selection, correlation: Correlation, difference: Difference) -> pl.DataFrame:
    """One row a person, schema `VERDICTS`: everybody in the source, and every leaver with an operation."""
    ranks = {kind: rank for rank, kind in enumerate(_OUTCOME)}
    outcomes = pl.DataFrame({"rank": list(ranks.values()), "planned": list(_OUTCOME.values())})
    planned = (
        difference.operations.filter(pl.col("external_id").is_not_null())
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
    trouble = correlation.people.filter(pl.col("problem").is_not_null()).select("person", "problem")
    protected = correlation.people.filter(pl.col("match") == "protected").select(
        "person", pl.lit(value=True).alias("protected")
    )
    withheld = difference.withheld_people.with_columns(pl.lit(value=True).alias("withheld"))
    everybody = (
        selection.people.select("person", "external_id", "username", "wanted", "reason")
        .join(planned, on="external_id", how="full", coalesce=True)
        .join(withheld, on="external_id", how="full", coalesce=True)
        .join(trouble, on="person", how="left")
        .join(protected, on="person", how="left")
    )
    outcome = (
        pl.when("withheld")
        .then(pl.lit("held"))
        .when("protected")
        .then(pl.lit("filtered"))
        .when(pl.col("problem").is_not_null())
        .then(pl.lit("conflict"))
        .when(pl.col("planned").is_not_null())
        .then("planned")
        .when(pl.col("wanted").fill_null(value=False))
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("filtered"))
    )
    leaving = pl.col("planned").is_in(["deleted", "access_removed"])
    reason = (
        pl.when("withheld")
        .then(
            pl.format(
                "{}; withheld, because the source was read incompletely",
                pl.coalesce("reason", pl.lit("not in the source any more")),
            )
        )
        .when("protected")
        .then(pl.lit("the account is protected, or the one that the sync logs in with"))
        .when(pl.col("problem").is_not_null())
        .then("problem")
        .when(leaving)
        .then("why")
        .otherwise("reason")
    )
    return (
        everybody.with_columns(outcome.alias("outcome"), reason.alias("reason"))
        .with_columns(pl.coalesce("username", "account_name").alias("username"))
        .join(_groups(selection), on="person", how="left")
        .select(pl.col(name).cast(dtype) for name, dtype in VERDICTS.items())
        .sort("external_id")
    )


def _groups(selection: Selection) -> pl.DataFrame:
    """The groups that each wanted person should have, as `person`, `groups`."""
    everybody = pl.lit("groups.always")
    return (
        selection.memberships.lazy()
        .join(selection.groups.lazy().select("group", "name"), on="group")
        .join(selection.paths.lazy(), on="reach", how="left")
        .sort("name")
        .group_by("person")
        .agg(
            pl.struct(
                pl.col("name").alias("group"),
                pl.coalesce("path", everybody).alias("path"),
            ).alias("groups")
        )
        .collect()
    )
