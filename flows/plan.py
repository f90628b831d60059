"""The flow `plan`: decide and store a plan; the target is only read."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from flows.conduct import conducted, run_name
from flows.parameters import SyncName
from flows.pipeline import make_plan

__all__ = ["plan"]


@flow(name="plan", flow_run_name=run_name, persist_result=False)
async def plan(
    sync_file: SyncName,
    full: bool = False,  # noqa: FBT001, FBT002 - a flow's parameters are a form
) -> State[dict[str, object]]:
    """Say what a sync would do. The artifact holds the plan's id for the flow `apply`.

    Args:
        sync_file: A file under syncs/, by its name, such as `okta`, or a path.
        full: Read everything, also where the source can tell what changed.
    """
    return await conducted(sync_file, make_plan, full=full)
