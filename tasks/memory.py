"""What the ledger remembers, as the decisions want it, brought up to date with what the target shows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from directory.normalize import folded
from directory.snapshot import TargetSnapshot
from ledger.opening import Ledger
from reconcile.diff import Present
from reconcile.plan import Plan
from reconcile.sanity import SourceStats

__all__ = ["last_good_source", "own_groups", "owned_groups", "remembered", "remembered_of"]

_FEW = 1000
"""Accounts that are named in one question to the ledger."""


def remembered(ledger: Ledger, sync: str, target: TargetSnapshot, now: datetime) -> Present:
    """Links, memories and owned groups of a sync. Accounts created since the last read get their id noted."""
    links = ledger.links.frame(sync)
    if _note_ids(ledger, sync, links, target):
        links = ledger.links.frame(sync)
    return _present(ledger, sync, links, ledger.memories.frame(sync), now)


def remembered_of(
    ledger: Ledger, sync: str, target: TargetSnapshot, now: datetime, external_id: str, others: Iterable[str]
) -> Present:
    """As `remembered`, of one person, and of others the links alone: whoever has an account that was read."""

    def links() -> pl.DataFrame:
        if target.accounts.height > _FEW:
            return ledger.links.frame(sync)
        return ledger.links.some(
            sync,
            external_ids=[external_id, *others],
            account_ids=target.accounts["account_id"],
            usernames=target.accounts["username"],
        )

    known = links()
    if _note_ids(ledger, sync, known, target):
        known = links()
    return _present(ledger, sync, known, ledger.memories.of(sync, external_id), now)


def _note_ids(ledger: Ledger, sync: str, links: pl.DataFrame, target: TargetSnapshot) -> bool:
    unseen = links.filter(pl.col("account_id").is_null())
    if unseen.is_empty():
        return False
    known = target.accounts.select("account_id", folded("username").alias("key"))
    seen = (
        unseen.drop("account_id")
        .with_columns(folded("username").alias("key"))
        .join(known, on="key")
        .select("external_id", "account_id")
    )
    if seen.height:
        ledger.links.put(sync, seen)
    return seen.height > 0


def _present(ledger: Ledger, sync: str, links: pl.DataFrame, memories: pl.DataFrame, now: datetime) -> Present:
    return Present(
        links=links.select(
            *("external_id", "account_id", "username", "state", "left_at"),
            # Links from before this was noted.
            pl.coalesce("access_since", "linked_at").alias("access_since"),
        ),
        memories=memories.select("external_id", "kind", "name"),
        now=now,
        managed_groups=owned_groups(ledger, sync),
        feeds=ledger.ownership.feeds(sync),
    )


def last_good_source(ledger: Ledger, sync: str) -> SourceStats | None:
    """What the source looked like when it was last acted upon."""
    run = ledger.runs.last_good(sync)
    return None if run is None or run.source_stats is None else SourceStats.model_validate(run.source_stats)


def own_groups(ledger: Ledger, plan: Plan) -> None:
    """Note which groups the sync assigns, and what feeds them; before the first of them is touched."""
    if plan.header.feeds or not plan.empty:
        ledger.ownership.add(plan.header.sync, plan.header.managed_groups, plan.header.feeds)


def owned_groups(ledger: Ledger, sync: str) -> frozenset[str]:
    """Target groups that this sync has assigned before."""
    return ledger.ownership.groups(sync)
