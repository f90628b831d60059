"""Runs that ended without a word: their records are closed, and what they had sent is looked up in the target."""

from __future__ import annotations

import polars as pl

from directory.snapshot import TargetSnapshot
from ledger.opening import Ledger
from reconcile.freshness import freshness
from tasks.bookkeeping import Bookkeeper
from tasks.plans import stored_plan

__all__ = ["plans_in_doubt", "settle_doubts"]


def plans_in_doubt(ledger: Ledger, sync: str) -> list[str]:
    """Ids of plans of which a call was sent and no answer is known."""
    return ledger.journal.plans_in_doubt(sync)


def settle_doubts(ledger: Ledger, sync: str, target: TargetSnapshot, run_id: str) -> int:
    """Write down what became of calls that were sent when a run was killed, by looking at the target; returns how many.

    An effect that is there was ours: the link is written as if the answer had come. What is not there never happened.
    """
    settled = 0
    for plan_id in plans_in_doubt(ledger, sync):
        _, plan = stored_plan(ledger, plan_id)
        doubtful = ledger.journal.in_doubt(plan_id)
        operations = plan.operations.join(doubtful.select("seq"), on="seq", how="semi")
        standing = freshness(operations, target)
        # An account of the name that we were about to create is the one that we created.
        there = (pl.col("standing") == "already") | ((pl.col("kind") == "create") & (pl.col("standing") == "stale"))
        judged = operations.select("seq", "kind").join(standing, on="seq").with_columns(there.alias("there"))
        books = Bookkeeper(ledger, plan, run_id)
        for kind, seq in judged.filter("there").select("kind", "seq").iter_rows():
            books.settle(kind, (seq,))
        lost = judged.filter(~pl.col("there"))["seq"].to_list()
        if lost:
            books.fail(lost, "the run was killed before the answer came, and the target does not show the change")
        settled += judged.height
    return settled
