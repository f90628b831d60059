"""Steps: tasks inside a flow run, with tries of their own; plain functions outside of one."""

from __future__ import annotations

import subprocess
import sys

from sandbox.faults import Fault, FaultKind
from tests.e2e.stage import Stage
from tests.flow.server import ROOT, FlowHost, PrefectServer, environment_of

ATTEMPTS_OF_A_REQUEST = 10


def test_an_outage_that_outlasts_the_connector_is_sat_out_by_the_task(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    stage.okta.faults.add(Fault(FaultKind.STATUS, "/api/v1/users", status=500, times=ATTEMPTS_OF_A_REQUEST))
    ended = host.sync(stage)
    assert ended.name == "Completed"
    (extract,) = [row for row in server.task_runs(ended.id) if row["name"].startswith("extract-source")]
    assert (extract["state_type"], extract["run_count"]) == ("COMPLETED", 2)
    assert extract["empirical_policy"]["retries"] == 2


def test_outside_of_a_flow_run_a_sync_runs_without_prefect(stage: Stage) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from flows.pipeline import run_sync
from tasks.workshop import open_workshop

async def main():
    async with open_workshop(Path(sys.argv[1]), ledger_url=sys.argv[2]) as shop:
        return await run_sync(shop)

print(asyncio.run(main()).status, sorted(name for name in sys.modules if name.partition(".")[0] == "prefect"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(stage.sync_file), stage.ledger_url],
        cwd=ROOT,
        env=environment_of(stage),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "succeeded []\n", done.stderr
