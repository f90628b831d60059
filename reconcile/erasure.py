"""Accounts that were deleted and whose traces are still to be erased. Only the ledger knows of them."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from directory.normalize import folded
from reconcile.numbered import NumberedTarget
from reconcile.pattern import matches_any
from reconcile.policy import Policy
from reconcile.select import Selection
from reconcile.stages import with_due

__all__ = ["erasures", "to_be_erased"]


def to_be_erased(
    links: pl.DataFrame, selection: Selection, target: NumberedTarget, policy: Policy, now: datetime
) -> pl.DataFrame:
    """Deleted accounts whose person is still away, with what is due (`reconcile.stages`).

    One whose name is in use again cannot be erased: Bitbucket would erase, or refuse for, the account that has it now.
    """
    wanted = selection.people.filter("wanted").select("external_id")
    reasons = selection.people.select("external_id", "reason")
    shielded = matches_any("username", policy.people.protect)
    deleted = (
        links.filter((pl.col("state") == "deleted") & ~shielded)
        .join(wanted, on="external_id", how="anti")
        .with_columns(folded("username").alias("key"))
        .join(target.accounts.select("key"), on="key", how="anti")
        .join(reasons, on="external_id", how="left")
        .with_columns(
            pl.col("reason").fill_null("not in the source any more"), pl.lit(None, pl.String).alias("dormant")
        )
        .sort("external_id")
    )
    return with_due(deleted, policy.leavers, policy.inactive, now)


def erasures(deleted: pl.DataFrame) -> pl.DataFrame:
    """The erasures that are due. `deleted` comes from `to_be_erased`."""
    return deleted.filter("erases").select(
        pl.lit("erase").alias("kind"), "external_id", "account_id", "username", "reason"
    )
