"""Runs flows on request, for tests: `python -m tests.flow.host`. One line of JSON in, one out, until the input ends.

Prefect keeps threads and connections for as long as its process lives, so that process is not the one with the tests.
Waits that take seconds in earnest take hundredths here.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
from typing import Any
from uuid import UUID

import prefect
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow_async

import connectors.http.client
import tasks.step
from connectors.http.retry import RetryPolicy
from flows.apply import apply
from flows.plan import plan
from flows.sync import sync
from flows.sync_person import sync_person


def shorten_waits() -> None:
    shorter: Any = functools.partial(RetryPolicy, first_delay=0.01, longest_delay=0.02)
    setattr(connectors.http.client, "RetryPolicy", shorter)  # noqa: B010 -- to mypy it is not that module's to give
    tasks.step.RETRY_DELAYS[:] = [0.1, 0.2]


async def answer(order: dict[str, Any]) -> dict[str, Any]:
    if "secret" in order:
        await Secret(value=order["value"]).save(order["secret"], overwrite=True)
    return await run(order) if "flow" in order else {}


async def run(order: dict[str, Any]) -> dict[str, Any]:
    flow: Any = {"sync": sync, "plan": plan, "apply": apply, "sync-person": sync_person}[order["flow"]]
    flow_run = None
    if "again" in order:
        async with get_client() as client:
            flow_run = await client.read_flow_run(UUID(order["again"]))
    try:
        with prefect.tags("usersync"):
            state: Any = await run_flow_async(
                flow, flow_run=flow_run, parameters=order["parameters"], return_type="state"
            )
    except Pause:
        return {"id": order["again"], "type": "PAUSED", "name": "Suspended", "message": ""}
    return {
        "id": str(state.state_details.flow_run_id),
        "type": state.type.value,
        "name": state.name,
        "message": state.message,
    }


def main() -> None:
    shorten_waits()
    for line in sys.stdin:
        order = json.loads(line)
        os.environ.update(order.get("environment", {}))
        sys.stdout.write(json.dumps(asyncio.run(answer(order))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
