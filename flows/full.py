"""The flow `reconcile`: a sync that reads everything."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from flows.conduct import run_name
from flows.parameters import SyncName
from flows.sync import sync

__all__ = ["reconcile"]


@flow(name="reconcile", flow_run_name=run_name, persist_result=False)
async def reconcile(sync_file: SyncName) -> State[dict[str, object]]:
    """Sync after reading both sides whole, also where the source can tell what changed. For every night.

    Args:
        sync_file: A file under syncs/, by its name, such as `okta`, or a path.
    """
    return await sync.fn(sync_file, full=True)
