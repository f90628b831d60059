"""The flow `prune`: remove from the ledger what is old and needed by nothing, and old entries of its audit logs."""

from __future__ import annotations

import asyncio
import os

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

import ledger as ledgers
from directory.errors import UsersyncError
from flows.parameters import Age
from ledger.instant import now
from tasks.pruning import AUDIT_KEPT, age
from tasks.pruning import prune as remove

__all__ = ["prune"]


@flow(name="prune", persist_result=False)
async def prune(
    older_than: Age = "90d",
    audit_older_than: Age = AUDIT_KEPT,
    dry_run: bool = False,  # noqa: FBT001, FBT002 - a flow's parameters are a form
) -> State[dict[str, object]]:
    """Remove old runs, plans, results, documents and audit entries. What is still needed stays; see docs/pruning.md.

    Args:
        older_than: The age, in days or weeks, such as `90d` or `12w`.
        audit_older_than: The age of entries of the audit logs.
        dry_run: Only say what would be removed.
    """
    try:
        before, audit_before = now() - age(older_than), now() - age(audit_older_than)
        with ledgers.open(os.environ.get("USERSYNC_LEDGER") or ledgers.default_url()) as ledger:
            # In a thread: a large ledger takes a while to write anew, and the run must go on saying that it is alive.
            pruned = await asyncio.to_thread(remove, ledger, before, audit_before=audit_before, dry_run=dry_run)
    except UsersyncError as error:
        return Failed(name="Refused", message=str(error))
    if pruned.stuck:
        return Failed(name="Applied in part", message=f"{pruned.told()}. Not removed: {'; '.join(pruned.stuck[:3])}")
    state: State[dict[str, object]] = Completed(message=pruned.told())
    return state
