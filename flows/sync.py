"""The flow `sync`: plan, guard and apply in one run."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from flows.asking import sync_or_ask
from flows.conduct import LEASE_WAIT_SECONDS, conducted, run_name
from flows.parameters import Mode, SyncName
from flows.pipeline import make_plan

__all__ = ["sync"]


@flow(name="sync", flow_run_name=run_name, persist_result=False)
async def sync(
    sync_file: SyncName,
    mode: Mode = "apply",
    full: bool = False,  # noqa: FBT001, FBT002 - a flow's parameters are a form
) -> State[dict[str, object]]:
    """Make Bitbucket equal to the source, unless the guard holds the plan: then it ends held, or asks.

    Args:
        sync_file: A file under syncs/, by its name, such as `okta`, or a path.
        mode: `plan` stores the plan and writes nothing to Bitbucket.
        full: Read everything, also where the source can tell what changed.
    """
    if mode == "plan":
        return await conducted(sync_file, make_plan, full=full)
    return await conducted(sync_file, lambda shop: sync_or_ask(shop, wait_seconds=LEASE_WAIT_SECONDS), full=full)
