"""Syncs of four targets on three workers, of which one dies every ten seconds, with its runs, like a machine."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

import ledger as ledgers
from sandbox.company import Standing
from tests.e2e.stage import Stage, staged
from tests.flow import cluster as clusters
from tests.flow.cluster import POOL, Cluster, cluster
from tests.flow.server import ROOT, environment_of
from tests.flow.witness import Witness

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(clusters.missing() is not None, reason=str(clusters.missing())),
]

TARGETS = 4
RUNS = int(os.environ.get("USERSYNC_SCALE_OUT_RUNS", "8"))
KILLS = int(os.environ.get("USERSYNC_SCALE_OUT_KILLS", "3"))
"""More on a machine that has nothing else to do: 20 and 6 make it a minute of dying."""
SECONDS_BETWEEN_KILLS = 10.0
SECONDS_DEAD = 4.0
AT_ONCE = 3
"""Flow runs on one worker."""
SECONDS_TO_END = 900.0
WRITE_SECONDS = 0.25
SECONDS_OF_SILENCE = 90.0


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Stage, Witness]]]:
    """Four companies with a Bitbucket each, whose results go to one shared place."""
    with ExitStack() as stack:
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        shared = tmp_path_factory.mktemp("results")
        found = []
        for number in range(TARGETS):
            witness = Witness()
            folder = tmp_path_factory.mktemp(f"office{number}")
            stage = stack.enter_context(staged(folder, monkeypatch, staff=(60, 12), wrap=witness.wrap))
            written = yaml.safe_load(stage.sync_file.read_text(encoding="utf-8"))
            written |= {"name": f"office-{number}", "report": {"results": shared.as_uri()}}
            stage.sync_file.write_text(yaml.safe_dump(written), encoding="utf-8")
            stage.bitbucket.faults.slow(WRITE_SECONDS, method="WRITE", times=None)
            found.append((stage, witness))
        yield found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, offices: list[tuple[Stage, Witness]]) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        environment = environment_of(offices[0][0]) | {"USERSYNC_LEDGER": started.ledger_url, "PYTHONPATH": str(ROOT)}
        for _ in range(3):
            started.add_machine(environment, limit=AT_ONCE)
        yield started


def _deploy(running: Cluster) -> str:
    running.api("POST", "/work_pools/", {"name": POOL, "type": "process"})
    flow = running.api("POST", "/flows/", {"name": "sync"})
    made = running.api(
        "POST",
        "/deployments/",
        {
            "name": "office",
            "flow_id": flow["id"],
            "work_pool_name": POOL,
            "entrypoint": "flows/sync.py:sync",
            "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
            "enforce_parameter_schema": False,
            "tags": ["usersync"],
        },
    )
    return str(made["id"])


def _switch_on(running: Cluster, name: str, within: float) -> None:
    """An automation of the repository, as it is in the file but for its time."""
    read = yaml.safe_load((ROOT / "deploy" / "automations" / f"{name}.yaml").read_text(encoding="utf-8"))
    running.api("POST", "/automations/", {**read, "trigger": {**read["trigger"], "within": within}})


def _runs(running: Cluster, deployment: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = running.api(
        "POST", "/flow_runs/filter", {"deployments": {"id": {"any_": [deployment]}}, "limit": 100}
    )
    return found


def _start(running: Cluster, deployment: str, stage: Stage) -> None:
    order = {"parameters": {"sync_file": str(stage.sync_file)}, "state": {"type": "SCHEDULED"}}
    running.api("POST", f"/deployments/{deployment}/create_flow_run", order)


def _try_again(running: Cluster, run: dict[str, object]) -> None:
    """What the button Retry does."""
    state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "by hand"}
    running.api("POST", f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})


def _kill_them_in_turn(running: Cluster, offices: list[tuple[Stage, Witness]]) -> int:
    """How many processes died. Meanwhile people are hired, so that later runs have something to do."""
    killed = 0
    for number in range(KILLS):
        began = time.monotonic()
        machine = running.machines[number % len(running.machines)]
        killed += machine.die()
        for stage, _ in offices:
            stage.company.hire(2)
        time.sleep(SECONDS_DEAD)
        machine.start()
        time.sleep(max(0.0, SECONDS_BETWEEN_KILLS - (time.monotonic() - began)))
    return killed


def _end(running: Cluster, deployment: str) -> tuple[list[dict[str, object]], Counter[str]]:
    """Wait until every run has ended well, and try again what did not; what was tried again, by state."""
    again: Counter[str] = Counter()
    deadline = time.monotonic() + SECONDS_TO_END
    while True:
        runs = _runs(running, deployment)
        if all(run["state_type"] == "COMPLETED" for run in runs):
            return runs, again
        assert time.monotonic() < deadline, Counter(f"{run['state_type']} {run['state_name']}" for run in runs)
        for run in runs:
            if run["state_type"] in {"CRASHED", "FAILED"}:
                again[str(run["state_name"])] += 1
                _try_again(running, run)
        time.sleep(2)


def assert_target_is_as_its_source_says(stage: Stage) -> None:
    """Found by another way than the planner's: the company's own books against the accounts of Bitbucket."""
    company, truth = stage.company, stage.bitbucket.state.truth
    active = {person.id: person for person in company.people.values() if person.standing is Standing.ACTIVE}
    gone = {p.username for p in company.people.values() if p.standing in {Standing.LEFT, Standing.SUSPENDED}}
    accounts = {user.name for user in truth.users.values()}
    assert {person.username for person in active.values()} <= accounts
    assert gone & accounts == set()
    known = {person.username for person in active.values()}
    for group in company.groups.values():
        wanted = {active[one].username for one in company.effective_members(group.id) if one in active}
        members = {truth.users[key].name for key in truth.groups[group.name.lower()].members} & known
        assert members == wanted, group.name


def test_syncs_of_four_targets_outlive_workers_that_are_killed(
    running: Cluster, offices: list[tuple[Stage, Witness]]
) -> None:
    deployment = _deploy(running)
    _switch_on(running, "silent", SECONDS_OF_SILENCE)
    _switch_on(running, "never-begun", SECONDS_OF_SILENCE)
    for machine in running.machines:
        machine.start()
    for number in range(RUNS):
        _start(running, deployment, offices[number % TARGETS][0])
    began = time.monotonic()
    while not any(witness.writes for _, witness in offices):
        assert time.monotonic() - began < SECONDS_TO_END, "no run has written anything"
        time.sleep(0.5)
    killed = _kill_them_in_turn(running, offices)
    assert killed > KILLS, "only workers died, and none of their runs"

    for stage, _ in offices:
        _start(running, deployment, stage)  # for those who were hired after the last of the others had read
    runs, again = _end(running, deployment)
    assert len(runs) == RUNS + TARGETS
    assert sum(again.values()) > 0

    for stage, witness in offices:
        assert witness.side_by_side() == []
        holders = witness.holders()
        assert len(holders) == len(set(holders)), f"two runs wrote in turns: {holders}"
        assert stage.repeated() == []
    with ledgers.open(running.ledger_url) as ledger:
        ledger.runs.bury_crashed()
        crashed = [run for run in ledger.runs.latest(limit=500) if run.status == "crashed"]
        for stage, _ in offices:
            last = [run for run in ledger.runs.latest(limit=500) if run.sync == f"office-{offices.index((stage, _))}"]
            assert last[0].status in {"succeeded", "nothing_to_do"}
            document = ledger.results.document(last[0].id)
            assert document is not None
            assert Path(document.location).is_file()
    assert crashed
    for stage, _ in offices:
        assert_target_is_as_its_source_says(stage)
