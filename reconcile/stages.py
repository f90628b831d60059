"""What is due for each leaver today, and what comes next. Days are those of the calendar in UTC."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from reconcile.policy import Inactive, Leavers

__all__ = ["DUE", "NEXT", "with_due"]

DUE = ("takes", "strips", "anonymises", "deletes", "erases")
"""Columns that say what is due: take the access, strip the other groups, replace the names, delete, erase."""

NEXT = ("next_stage", "next_stage_on")
"""What will be done next, null for nothing, and on which day."""


def with_due(leavers: pl.DataFrame, policy: Leavers, inactive: Inactive, now: datetime) -> pl.DataFrame:
    """Add the columns `DUE` and `NEXT`. `leavers` has `left_at`, null for one that no run has acted on yet, and
    `dormant`, why somebody whom the source wants is treated as gone, null for a leaver."""
    today = pl.lit(now.date())
    left = pl.col("left_at").dt.date().fill_null(today)
    days = (today - left).dt.total_days()
    dormant = pl.col("dormant").is_not_null()
    reached = {deed: pl.lit(value=False) for deed in ("remove_access", "strip_groups", "anonymise", "delete", "erase")}
    coming, coming_on = pl.lit(None, pl.String), pl.lit(None, pl.Date)
    if policy.stages:
        for stage in reversed(policy.stages):
            reached[stage.do] = days >= stage.after_days
            ahead = days < stage.after_days
            coming = pl.when(ahead).then(pl.lit(stage.do)).otherwise(coming)
            coming_on = pl.when(ahead).then(left + pl.duration(days=stage.after_days)).otherwise(coming_on)
    else:
        reached["strip_groups"] = pl.lit(policy.strip_groups)
        if policy.method != "keep":
            reached[policy.method] = pl.lit(value=True)
    deletes = reached["delete"] | reached["erase"]
    return leavers.with_columns(
        (dormant | reached["remove_access"] | reached["anonymise"]).alias("takes"),
        (~dormant & reached["strip_groups"]).alias("strips"),
        pl.when(dormant)
        .then(pl.lit(inactive.method == "anonymise"))
        .otherwise(reached["anonymise"])
        .alias("anonymises"),
        (~dormant & deletes).alias("deletes"),
        (~dormant & reached["erase"]).alias("erases"),
        pl.when(~dormant).then(coming).alias("next_stage"),
        pl.when(~dormant).then(coming_on).cast(pl.Date).alias("next_stage_on"),
    )
