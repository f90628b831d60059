"""What every flow does around its run: open the workshop, watch, and say in the state how it ended."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Failed

from directory.errors import UsersyncError
from flows.state import state_of
from flows.watching import FlowObserver
from tasks.ending import Ending
from tasks.secrets import use_blocks
from tasks.workshop import Workshop, find_sync_file, open_workshop

__all__ = ["conducted"]


async def conducted(sync_file: str, run: Callable[[Workshop], Awaitable[Ending]]) -> State[dict[str, object]]:
    """Run it with the ledger of $USERSYNC_LEDGER (or the default one) under the flow run's id."""
    use_blocks()
    observer = FlowObserver()
    try:
        async with open_workshop(
            find_sync_file(sync_file),
            ledger_url=os.environ.get("USERSYNC_LEDGER"),
            observer=observer,
            flow_run_id=_flow_run_id(),
        ) as shop:
            await observer.begin(shop.sync.name)
            ending = await run(shop)
            await observer.end()
    except UsersyncError as error:
        return Failed(name="Refused", message=str(error))
    return state_of(ending)


def _flow_run_id() -> str | None:
    found: Any = flow_run.get_id()
    return None if found is None else str(found)
