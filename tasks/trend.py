"""The last runs of a sync, as the ledger knows them, for the picture in the summary."""

from __future__ import annotations

from ledger.opening import Ledger
from ledger.runs import Run
from reconcile.trend import RUNS_SHOWN, TrendRun, removed_and_other

__all__ = ["last_runs"]


def last_runs(ledger: Ledger, sync: str) -> list[TrendRun]:
    """Oldest first, with the one that has just ended; one query, whatever the number of people."""
    return [_shown(run) for run in reversed(ledger.runs.ended(sync, limit=RUNS_SHOWN))]


def _shown(run: Run) -> TrendRun:
    removed, given = removed_and_other(run.header.get("done", {}))
    ended = run.ended_at or run.started_at
    # A refused run is a failed one to the ledger, and its header tells.
    status = str(run.header.get("status", run.status))
    return TrendRun(run.started_at, status, given, removed, (ended - run.started_at).total_seconds())
