"""The flow `sync-person`: one person and their account, brought up to date."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from flows.conduct import LEASE_WAIT_SECONDS, conducted, run_name
from flows.parameters import PersonName, SyncName
from flows.pipeline import sync_person as bring_up_to_date

__all__ = ["sync_person"]


@flow(name="sync-person", flow_run_name=run_name, persist_result=False)
async def sync_person(sync_file: SyncName, person: PersonName) -> State[dict[str, object]]:
    """Make one person's account as the source says, unless the guard holds the plan. Nobody else is touched.

    Args:
        sync_file: A file under syncs/, by its name, such as `okta`, or a path.
        person: Their username, e-mail address or id in the source; or their username in Bitbucket, if the source has
            them no more.
    """
    return await conducted(sync_file, lambda shop: bring_up_to_date(shop, person, wait_seconds=LEASE_WAIT_SECONDS))
