"""What every flow does around its run: open the workshop, watch, and say in the state how it ended."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from prefect import runtime
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause
from prefect.states import Failed

from directory.errors import UsersyncError
from flows.crashed import end_crashed
from flows.state import state_of
from flows.stopping import orderly_stop
from flows.watching import FlowObserver
from reconcile.events import refused
from tasks.announce import announce
from tasks.ending import Ending
from tasks.workshop import Workshop, find_sync_file, open_workshop

__all__ = ["LEASE_WAIT_SECONDS", "conducted", "run_name"]

LEASE_WAIT_SECONDS = 1800.0
"""How long a run waits for another one on the same target, which may belong to another deployment."""


async def conducted(
    sync_file: str, run: Callable[[Workshop], Awaitable[Ending]], *, full: bool = False
) -> State[dict[str, object]]:
    """Run it with the ledger of $USERSYNC_LEDGER (or the default one) under the flow run's id."""
    observer = FlowObserver()
    flow_run_id: Any = runtime.flow_run.id
    try:
        with orderly_stop():
            async with open_workshop(
                find_sync_file(sync_file),
                ledger_url=os.environ.get("USERSYNC_LEDGER"),
                observer=observer,
                flow_run_id=None if flow_run_id is None else str(flow_run_id),
                whole=full,
            ) as shop:
                await end_crashed(shop)
                try:
                    ending = await run(shop)
                except Pause:  # it asks, and goes on in another process
                    await observer.end()
                    raise
                await observer.end()
    except UsersyncError as error:
        next_step = error.next_step or "see the message, then run it again"
        announce([refused(Path(sync_file).stem, str(error), next_step)])
        return Failed(name="Refused", message=str(error))
    return state_of(ending)


def run_name() -> str:
    """The flow run's name: the sync's, whatever folder its file is in, and of a plan as much as people use."""
    flow_run: Any = runtime.flow_run
    given: dict[str, Any] = flow_run.parameters
    of_what = given["plan_id"][:8] if "plan_id" in given else Path(given["sync_file"]).stem
    return f"{flow_run.flow_name}-{of_what}"
