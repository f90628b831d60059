"""What a run did, as far as the ledger knows, so that it can be taken back."""

from __future__ import annotations

import polars as pl

from connectors.contract import ReadScope
from directory.errors import ConfigurationError, UnknownRecord
from ledger.opening import Ledger
from tasks.plans import stored_plan

__all__ = ["done_by_run", "scope_of_operations"]

_GROUPS = pl.Struct({"groups": pl.List(pl.String)})


def done_by_run(ledger: Ledger, sync: str, run_id: str) -> pl.DataFrame:
    """The operations of the run's plan that were sent and are done; what somebody else had done is none of them.

    Raises `UnknownRecord` for a run that applied no plan, and `ConfigurationError` for one of another sync.
    """
    run = ledger.runs.get(run_id)
    if run.sync != sync:
        raise ConfigurationError(
            f"run {run.id} is one of the sync {run.sync}, the sync file says {sync}",
            not_done="nothing was planned",
            next_step="name the sync file that the run was made with",
        )
    if run.plan_id is None or run.mode == "plan":
        raise UnknownRecord(
            f"run {run.id} applied no plan, so there is nothing to undo",
            next_step="`usersync runs` lists the runs; those of mode sync or apply can be undone",
        )
    _, plan = stored_plan(ledger, run.plan_id)
    entries = ledger.journal.entries(run.plan_id)
    ours = entries.filter((pl.col("status") == "done") & pl.col("sent_at").is_not_null())
    return plan.operations.join(ours.select("seq"), on="seq", how="semi", maintain_order="left")


def scope_of_operations(operations: pl.DataFrame) -> ReadScope:
    """The groups that operations speak of."""
    access = operations.filter(pl.col("kind").is_in(["remove_access", "restore_access"]))
    named = [
        access[side].drop_nulls().str.json_decode(_GROUPS).struct.field("groups").explode().drop_nulls()
        for side in ("before", "after")
    ]
    return ReadScope(frozenset({*operations["group"].drop_nulls(), *named[0], *named[1]}))
