"""The way of docs/prefect.md, command by command: deploy, have a worker run it, retry, cancel, approve."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledger.retention import KEPT_RUNS
from sandbox.bitbucket import Fault
from tests.e2e.stage import Stage, staged
from tests.flow.server import ROOT, PrefectServer, environment_of, process, wait_for

pytestmark = pytest.mark.slow

COMMANDS = {
    "server": "prefect server start",
    "pool": "prefect work-pool create usersync --type process",
    "deploy": "prefect --no-prompt deploy --all",
    "worker": "prefect worker start --pool usersync",
    "plan": "prefect deployment run plan/okta --watch",
    "retry": "prefect flow-run retry FLOW_RUN_ID",
    "show": "usersync show PLAN",
    "apply": "usersync apply PLAN --approved-by NAME",
    "cancel": "prefect flow-run cancel FLOW_RUN_ID",
}
"""Those of the page. The server is started by the fixture, on another port; the others by the tests below."""

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_page_has_exactly_the_commands_that_are_tried_here() -> None:
    page = (ROOT / "docs" / "prefect.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line for line in lines if not line.startswith("export ")] == list(COMMANDS.values())


def words(command: str, **names: str) -> list[str]:
    """A command of the page, with the programs of this environment and these names in it."""
    program, *rest = COMMANDS[command].split()
    return [str(Path(sys.executable).with_name(program)), *(names.get(word, word) for word in rest)]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One stage for all that a worker does: it is told of the ledger and the secrets when it starts."""
    with pytest.MonkeyPatch.context() as monkeypatch, staged(tmp_path_factory.mktemp("office"), monkeypatch) as stage:
        assert stage.sync().ending.exit_code == 0
        yield stage


@pytest.fixture(scope="module")
def shell(server: PrefectServer, office: Stage) -> Shell:
    environment = (
        server.environment
        | environment_of(office)
        | {"USERSYNC_CHECKOUT": str(ROOT), "USERSYNC_PYTHON": sys.executable}
    )

    def run(command: str, *more: str, **names: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words(command, **names), *more],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def deployed(server: PrefectServer, shell: Shell) -> None:
    there = server.http.get("/work_pools/usersync").is_success
    for command in ("deploy",) if there else ("pool", "deploy"):
        done = shell(command)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def worker(server: PrefectServer, office: Stage, deployed: None) -> Iterator[None]:
    environment = server.environment | environment_of(office) | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
    log = server.home.with_name("worker.log")
    with process(words("worker"), log, environment):
        yield


def start(server: PrefectServer, stage: Stage) -> str:
    """Have the worker run the deployment `sync/okta` on the stage."""
    deployment = server.get("/deployments/name/sync/okta")
    made = server.post(
        f"/deployments/{deployment['id']}/create_flow_run",
        parameters={"sync_file": str(stage.sync_file)},
        state={"type": "SCHEDULED"},
    )
    return str(made["id"])


def runs_of(stage: Stage, flow_run_id: str) -> list[tuple[str, str | None]]:
    """Status and plan of each try of a flow run, the first one first."""
    with stage.ledger() as ledger:
        tries = [run for run in ledger.runs.latest(limit=100) if run.flow_run_id == flow_run_id]
    return [(run.status, run.plan_id) for run in reversed(tries)]


FORMS = {
    "sync": ["sync_file", "mode", "full"],
    "reconcile": ["sync_file"],
    "plan": ["sync_file", "full"],
    "apply": ["sync_file", "plan_id", "approved_by"],
    "sync-person": ["sync_file", "person"],
}
"""What each deployment of a sync asks for, in the order of the form."""
SCHEDULES = {
    "sync": [("15 * * * *", "UTC", "hourly", False)],
    "reconcile": [("0 4 * * *", "UTC", "nightly", False)],
}


def schedules_of(stored: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    return [(s["schedule"]["cron"], s["schedule"]["timezone"], s["slug"], s["active"]) for s in stored["schedules"]]


def test_deployments_are_stored_as_prefect_yaml_says(server: PrefectServer, deployed: None) -> None:
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert len(written) == len(FORMS) + 1
    for flow, asked in FORMS.items():
        stored = server.get(f"/deployments/name/{flow}/okta")
        (deployment,) = [one for one in written if one["entrypoint"] == stored["entrypoint"]]
        assert stored["tags"] == ["usersync", "okta", "bitbucket"]
        assert stored["parameters"] == {"sync_file": "okta"}
        assert stored["description"] == deployment["description"]
        assert stored["work_pool_name"] == "usersync"
        assert stored["global_concurrency_limit"]["limit"] == 1
        assert stored["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert stored["job_variables"] == {
            "command": f"{sys.executable} -m prefect.engine",
            "env": {"PYTHONPATH": str(ROOT), "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"},
        }
        (step,) = stored["pull_steps"]
        assert step["prefect.deployments.steps.set_working_directory"] == {"directory": str(ROOT)}
        # The forms of Prefect's pages: help, choices and what is refused come from here.
        form = stored["parameter_openapi_schema"]["properties"]
        assert sorted(form, key=lambda name: form[name]["position"]) == asked
        assert all(parameter["description"] for parameter in form.values())
        assert form["sync_file"]["examples"][0] == "okta"
        assert schedules_of(stored) == SCHEDULES.get(flow, [])
    applying = server.get("/deployments/name/apply/okta")["parameter_openapi_schema"]
    assert applying["required"] == ["sync_file", "plan_id"]
    modes = server.get("/deployments/name/sync/okta")["parameter_openapi_schema"]["properties"]["mode"]
    assert (modes["enum"], modes["default"]) == (["apply", "plan"], "apply")
    pruning = server.get("/deployments/name/prune/ledger")
    assert (pruning["tags"], pruning["parameters"]) == (["usersync"], {})
    ages = pruning["parameter_openapi_schema"]["properties"]
    assert (ages["older_than"]["default"], ages["audit_older_than"]["default"]) == ("90d", "400d")
    assert schedules_of(pruning) == [("30 5 * * SUN", "UTC", "weekly", False)]


@pytest.mark.parametrize(
    ("flow", "parameters", "refused"),
    [
        ("apply", {"plan_id": "plan 3f9a2c"}, "plan_id"),
        ("apply", {"plan_id": "3f9"}, "plan_id"),
        ("apply", {}, "plan_id"),
        ("apply", {"plan_id": "3f9a2c1b", "approved_by": " "}, "approved_by"),
        ("sync", {"mode": "dry-run"}, "mode"),
        ("sync", {"sync_file": ""}, "sync_file"),
        ("sync-person", {"person": " "}, "person"),
    ],
)
def test_a_wrong_value_in_a_form_is_refused_before_there_is_a_run(
    server: PrefectServer, deployed: None, flow: str, parameters: dict[str, Any], refused: str
) -> None:
    deployment = server.get(f"/deployments/name/{flow}/okta")
    answer = server.http.post(f"/deployments/{deployment['id']}/create_flow_run", json={"parameters": parameters})
    assert answer.status_code in {409, 422}, answer.text
    assert refused in answer.text


def test_a_second_sync_is_a_block_and_a_line_for_each_flow_and_deploying_again_changes_nothing_else(
    server: PrefectServer, deployed: None, shell: Shell, tmp_path: Path
) -> None:
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    block = text[text.index("    - &okta\n") : text.index("  flows:\n")].rstrip() + "\n"
    lines = re.findall(r"  - <<: \[\*okta, \*[\w-]+\]\n(?:    .*\n)*", text)
    assert len(lines) == len(FORMS)
    second = text.replace(block, block + block.replace("okta", "entra"))
    second += "".join(line.replace("okta", "entra") for line in lines)
    (tmp_path / "prefect.yaml").write_text(second, encoding="utf-8")
    before = {flow: server.get(f"/deployments/name/{flow}/okta") for flow in FORMS}
    # As the switch on the page of the deployment does; what stands in the file counts again after deploying again.
    (hourly,) = before["sync"]["schedules"]
    switched = server.http.patch(f"/deployments/{before['sync']['id']}/schedules/{hourly['id']}", json={"active": True})
    assert switched.is_success, switched.text
    assert server.get("/deployments/name/sync/okta")["schedules"][0]["active"]
    done = shell("deploy", "--prefect-file", str(tmp_path / "prefect.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    for flow, asked in FORMS.items():
        again = server.get(f"/deployments/name/{flow}/okta")
        assert again["id"] == before[flow]["id"]
        assert schedules_of(again) == SCHEDULES.get(flow, [])
        entra = server.get(f"/deployments/name/{flow}/entra")
        assert entra["tags"] == ["usersync", "entra", "bitbucket"]
        assert entra["parameters"] == {"sync_file": "entra"}
        assert len(entra["parameter_openapi_schema"]["properties"]) == len(asked)
        assert schedules_of(entra) == SCHEDULES.get(flow, [])
        assert entra["global_concurrency_limit"]["limit"] == 1


def test_a_worker_makes_a_plan_and_the_command_waits_for_it(
    server: PrefectServer, office: Stage, shell: Shell, worker: None
) -> None:
    office.company.hire(3)
    office.mark()
    done = shell("plan", "--param", f"sync_file={office.sync_file}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert office.writes == []
    deployment = server.get("/deployments/name/plan/okta")
    (run,) = server.post("/flow_runs/filter", deployments={"id": {"any_": [deployment["id"]]}})
    assert (run["state_name"], run["name"]) == ("Planned", "plan-staff")
    assert sorted(run["tags"]) == ["bitbucket", "okta", "usersync"]


def test_a_failed_flow_run_is_retried_by_hand_and_sends_only_what_is_missing(
    server: PrefectServer, office: Stage, shell: Shell, worker: None
) -> None:
    office.company.hire(40)
    office.mark()
    # As if somebody changed the password at noon.
    office.bitbucket.faults.add(Fault(kind="status", status=401, method="WRITE", skip=25, times=None))
    flow_run_id = start(server, office)
    stopped = server.wait_for_state(flow_run_id, "Applied in part")
    assert stopped["state_type"] == "FAILED"
    assert len(office.effects) >= 25

    office.bitbucket.faults.clear()
    done = shell("retry", FLOW_RUN_ID=flow_run_id)
    assert done.returncode == 0, done.stdout + done.stderr
    finished = server.wait_for_state(flow_run_id, "Completed")
    assert (finished["id"], finished["run_count"]) == (flow_run_id, 2)
    assert office.repeated() == []
    (first, plan_id), (second, same_plan_id) = runs_of(office, flow_run_id)
    assert (first, second, same_plan_id) == ("partial", "succeeded", plan_id)
    office.assert_settled()


def test_a_run_whose_process_is_killed_is_crashed_and_retry_does_what_is_missing(
    server: PrefectServer, office: Stage, shell: Shell, worker: None
) -> None:
    office.company.hire(40)
    office.mark()
    office.bitbucket.faults.slow(0.5, method="WRITE", times=None)
    flow_run_id = start(server, office)
    wait_for(lambda: office.effects or None, "the first change in Bitbucket")
    with office.ledger() as ledger:
        run = ledger.runs.find_by_flow_run(flow_run_id)
    assert run is not None
    os.kill(run.pid, signal.SIGKILL)
    crashed = server.wait_for_state(flow_run_id, "Crashed")
    assert crashed["state_type"] == "CRASHED"

    office.bitbucket.faults.clear()
    done = shell("retry", FLOW_RUN_ID=flow_run_id)
    assert done.returncode == 0, done.stdout + done.stderr
    server.wait_for_state(flow_run_id, "Completed")
    assert office.repeated() == []
    (first, plan_id), (second, same_plan_id) = runs_of(office, flow_run_id)
    assert (first, second, same_plan_id) == ("crashed", "succeeded", plan_id)
    office.assert_settled()


def test_the_nightly_run_reads_everything_and_the_weekly_one_removes_what_is_old(
    server: PrefectServer, office: Stage, worker: None
) -> None:
    def started(name: str, **parameters: str) -> str:
        deployment = server.get(f"/deployments/name/{name}")
        path = f"/deployments/{deployment['id']}/create_flow_run"
        return str(server.post(path, parameters=parameters, state={"type": "SCHEDULED"})["id"])

    nightly = started("reconcile/okta", sync_file=str(office.sync_file))
    server.wait_for_state(nightly, "Nothing to do")
    with office.ledger() as ledger:
        before = len(ledger.runs.latest(limit=1000))
        run = ledger.runs.find_by_flow_run(nightly)
    assert run is not None
    assert run.header["requests"]["source"] > 0

    long_ago = datetime(2020, 2, 29, tzinfo=UTC)
    with office.ledger() as ledger:
        for day in range(KEPT_RUNS + 2):
            at = long_ago + timedelta(days=day)
            old = ledger.runs.start(sync="retired", mode="sync", target="bb", started_at=at)
            ledger.runs.finish(old.id, "nothing_to_do", header={}, ended_at=at)
    weekly = started("prune/ledger")
    ended = server.wait_for_state(weekly, "Completed")
    assert "removed: 2 runs" in ended["state"]["message"]
    with office.ledger() as ledger:
        assert len(ledger.runs.latest(limit=1000)) == before + KEPT_RUNS


def test_a_run_that_is_cancelled_in_mid_load_ends_in_the_ledger_and_the_next_does_the_rest(
    server: PrefectServer, office: Stage, shell: Shell, worker: None
) -> None:
    office.company.hire(40)
    office.mark()
    office.bitbucket.faults.slow(2.0, method="WRITE", times=None)
    flow_run_id = start(server, office)
    wait_for(lambda: office.effects or None, "the first change in Bitbucket")
    done = shell("cancel", FLOW_RUN_ID=flow_run_id)
    assert done.returncode == 0, done.stdout + done.stderr
    server.wait_for_state(flow_run_id, "Cancelled")
    # Prefect gives the process one second to take note that it is cancelled. On a busy machine that is too short,
    # and it says first that the run crashed by the signal; what else it called a crash would be ours.
    crashes = [line for line in server.logs(flow_run_id) if "Crash detected" in line]
    assert [line for line in crashes if "aborted by a termination signal" not in line] == []
    ((status, plan_id),) = runs_of(office, flow_run_id)
    assert (status, plan_id is None) == ("cancelled", False)
    with office.ledger() as ledger:
        run = ledger.runs.find_by_flow_run(flow_run_id)
        total = ledger.plans.frame(str(plan_id), "operations").collect().height
        done_by_then = (ledger.journal.entries(str(plan_id))["status"] == "done").sum()
        ledger.leases.acquire(run.target if run else "", "the lease is free").release()
    assert run is not None
    said = f"the run was cancelled: {done_by_then:,} of {total:,} operations had been acknowledged and are done"
    assert run.error == said
    assert said in server.artifacts(flow_run_id)["staff-summary"]["data"]
    assert 0 < done_by_then < total
    assert run.header["applied"]["done"] == done_by_then

    office.bitbucket.faults.clear()
    assert office.sync().ending.exit_code == 0
    assert office.repeated() == []
    office.assert_settled()


def test_a_held_plan_is_shown_and_applied_from_the_command_line_as_a_flow_run(
    server: PrefectServer, office: Stage, shell: Shell
) -> None:
    office.company.lose(0.15)
    held = office.sync()
    assert held.ending.exit_code == 3
    plan_id = held.plan.id[:8]
    shown = shell("show", PLAN=plan_id)
    assert (shown.returncode, plan_id in shown.stdout) == (0, True), shown.stderr
    applied = shell("apply", PLAN=plan_id, NAME="Ada")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    with office.ledger() as ledger:
        (run,) = ledger.runs.latest(limit=1)
        assert ledger.plans.get(held.plan.id).approved_by == "Ada"
    stored = server.flow_run(str(run.flow_run_id))
    assert (stored["name"], stored["state_name"]) == (f"apply-{plan_id}", "Completed")
    office.assert_settled()
