"""The flow `apply`: carry out a stored plan exactly as it was reviewed."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from flows.conduct import LEASE_WAIT_SECONDS, conducted, run_name
from flows.parameters import Approver, PlanId, SyncName
from flows.pipeline import apply_plan

__all__ = ["apply"]


@flow(name="apply", flow_run_name=run_name, persist_result=False)
async def apply(
    sync_file: SyncName,
    plan_id: PlanId,
    approved_by: Approver | None = None,
) -> State[dict[str, object]]:
    """Apply one plan; refused where the target has moved on since.

    Args:
        sync_file: The sync file that the plan was made with: the name of one under syncs/, or a path.
        plan_id: The plan's id, or at least six characters of it.
        approved_by: Your name, to let a held plan through. It is kept in the ledger.
    """
    return await conducted(
        sync_file,
        lambda shop: apply_plan(shop, plan_id, approved_by=approved_by, wait_seconds=LEASE_WAIT_SECONDS),
    )
