"""Flow runs whose process was killed together with its worker: Prefect shows them as running for ever.

The ledger knows better: by the process, on this machine, and by the lease that ran out, of another one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.logging import get_run_logger
from prefect.states import Crashed

from ledger.opening import Ledger
from ledger.process import Process, known_dead
from ledger.runs import Run
from tasks.workshop import Workshop

__all__ = ["end_crashed"]

_LOOKED_AT = 50
_SURELY_OVER = timedelta(minutes=2)
"""Of a process that cannot be seen from here: it lost its lease, and would have noticed by then."""


async def end_crashed(shop: Workshop) -> None:
    """Have Prefect show as crashed what the ledger knows to be. Costs one request, and none where nothing crashed."""
    shop.ledger.runs.bury_crashed()
    noticed = {run.flow_run_id: run.ended_at for run in _crashed(shop.ledger, shop.clock())}
    noticed.pop(shop.flow_run_id, None)
    if not noticed:
        return
    running = FlowRunFilter(
        id=FlowRunFilterId(any_=[UUID(flow_run_id) for flow_run_id in noticed if flow_run_id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])),
    )
    try:
        async with get_client() as client:
            for run in await client.read_flow_runs(flow_run_filter=running):
                at = noticed[str(run.id)]
                if run.state is None or at is None or run.state.timestamp > at:
                    continue  # it was started again since
                said: Any = Crashed(
                    message="The process ended without a word. What it had sent is looked up in the target by the next "
                    "run of the sync, or by Retry, which does what is missing."
                )
                await client.set_flow_run_state(run.id, said, force=True)
                get_run_logger().warning("flow run %s was killed and is noted as crashed now", run.id)
    except HTTPError as error:
        get_run_logger().warning("flow runs that were killed could not be noted as crashed: %s", error)


def _crashed(ledger: Ledger, now: datetime) -> list[Run]:
    """Runs that are the last try of their flow run, and whose process has ended."""
    found = [run for run in ledger.runs.latest(limit=_LOOKED_AT) if run.status == "crashed" and run.flow_run_id]
    over = [
        run
        for run in found
        if known_dead(Process(run.host, run.pid, run.process))
        or (run.ended_at is not None and run.ended_at < now - _SURELY_OVER)
    ]
    last = {run.id: ledger.runs.find_by_flow_run(str(run.flow_run_id)) for run in over}
    return [run for run in over if (latest := last[run.id]) is not None and latest.id == run.id]
