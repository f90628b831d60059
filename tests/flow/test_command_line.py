"""The command line where PREFECT_API_URL names a server: the same commands, as flow runs."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.e2e.stage import Stage
from tests.flow.server import PrefectServer


def environment_with_code(server: PrefectServer, **more: str) -> dict[str, str]:
    return {**server.environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **more}


def usersync(server: PrefectServer, stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import run; run()", *arguments, "--ledger", stage.ledger_url],
        cwd=stage.folder,
        env=environment_with_code(server),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def last_state(server: PrefectServer, stage: Stage) -> tuple[str, str]:
    """Name and type of the state of the flow run that the ledger's latest run belongs to."""
    with stage.ledger() as ledger:
        (run,) = ledger.runs.latest(limit=1)
    assert run.flow_run_id is not None
    stored = server.flow_run(run.flow_run_id)
    return stored["state_name"], stored["state_type"]


def test_a_plan_and_its_application_are_flow_runs(server: PrefectServer, stage: Stage) -> None:
    planned = usersync(server, stage, "plan", str(stage.sync_file))
    assert planned.returncode == 0, planned.stderr
    assert "\nPlanned: plan " in planned.stdout
    assert last_state(server, stage) == ("Planned", "COMPLETED")

    plan = planned.stdout.partition("usersync apply ")[2].split()[0]
    applied = usersync(server, stage, "apply", plan)
    assert applied.returncode == 0, applied.stderr
    assert "Succeeded: all " in applied.stdout
    assert last_state(server, stage) == ("Completed", "COMPLETED")


def test_a_held_sync_ends_with_three(server: PrefectServer, stage: Stage) -> None:
    stage.sync()
    stage.company.lose(0.5)
    stage.mark()
    held = usersync(server, stage, "sync", str(stage.sync_file))
    assert held.returncode == 3, held.stderr
    assert "guard     HELD" in held.stdout
    assert last_state(server, stage) == ("Held", "FAILED")
    assert stage.writes == []


def test_a_sync_file_that_is_not_there_ends_with_two(server: PrefectServer, stage: Stage) -> None:
    refused = usersync(server, stage, "sync", "nowhere")
    assert refused.returncode == 2
    assert "usersync: nowhere: the sync file cannot be read" in refused.stderr
