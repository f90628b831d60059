"""Runs that ended without a word: what they had sent is looked up in the target, and their results are completed."""

from __future__ import annotations

import polars as pl

from directory.snapshot import TargetSnapshot
from ledger.instant import now
from ledger.opening import Ledger
from ledger.runs import Run
from reconcile.freshness import freshness
from tasks.bookkeeping import Bookkeeper, Clock
from tasks.plans import stored_plan

__all__ = ["settle_doubts", "unreported"]

_LOOKED_AT = 50


def settle_doubts(
    ledger: Ledger,
    sync: str,
    target: TargetSnapshot,
    run_id: str,
    clock: Clock = now,
    *,
    person: str | None = None,
) -> None:
    """Write down what became of calls that were sent when a run was killed, by looking at the target.

    An effect that is there was ours: the link is written as if the answer had come. What is not there never happened.
    Where the target was asked for the account of one `person` (external id), nothing is said of anybody else.
    """
    unfinished = [*ledger.plans.latest(sync=sync, state="applying"), *ledger.plans.latest(sync=sync, state="partial")]
    for stored in unfinished:
        holder = ledger.leases.holder(stored.target)
        others = [run for run in ledger.runs.running(stored.target) if run.id != run_id and run.id == holder]
        if any(run.plan_id == stored.id for run in others):
            # It is sending the plan at this moment and waits for the answers itself. Other runs that have not ended
            # send nothing; they may have died on another machine while they waited for the lease.
            continue
        plan_id = stored.id
        doubtful = ledger.journal.in_doubt(plan_id)
        if doubtful.height:
            _, plan = stored_plan(ledger, plan_id)
            operations = plan.operations.join(doubtful.select("seq"), on="seq", how="semi", maintain_order="left")
            if person is not None:
                operations = operations.filter(pl.col("external_id") == person)
            _settle(operations, target, Bookkeeper(ledger, plan, run_id, clock=clock))


def _settle(operations: pl.DataFrame, target: TargetSnapshot, books: Bookkeeper) -> None:
    # An account of the name that we were about to create is the one that we created.
    there = (pl.col("standing") == "already") | ((pl.col("kind") == "create") & (pl.col("standing") == "stale"))
    judged = (
        operations.select("seq", "kind")
        .join(freshness(operations, target), on="seq")
        .with_columns(there.alias("there"))
    )
    for kind, seq in judged.filter("there").select("kind", "seq").iter_rows():
        books.acknowledge(kind, [seq])
    lost = judged.filter(~pl.col("there"))["seq"].to_list()
    if lost:
        books.fail(lost, "the run was killed before the answer came, and the target does not show the change")


def unreported(ledger: Ledger, sync: str) -> list[Run]:
    """Crashed runs that had begun a plan and whose report was never finished.

    The header is the last that a report writes: one that was killed before may have left results and a document that
    speak of an end which never came, or one of the two.
    """
    latest = ledger.runs.latest(sync=sync, limit=_LOOKED_AT)
    return [run for run in latest if run.status == "crashed" and run.plan_id and not run.header]
