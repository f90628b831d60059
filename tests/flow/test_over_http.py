"""The HTTP service beside a Prefect server and a worker: what it starts, and what a decision given to it comes to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import ledger as ledgers
from sandbox.okta import SSWS_TOKEN
from tests.e2e.served_office import ServedOffice, served_office
from tests.e2e.stage import PASSWORD, Stage, staged
from tests.flow.server import ROOT, PrefectServer, environment_of, process, wait_for

pytestmark = pytest.mark.slow

POOL = "served"
PATIENCE = 120
GIVEN = {"by": "Grace", "comment": "agreed with HR"}


@pytest.fixture(scope="module")
def worker(server: PrefectServer) -> Iterator[None]:
    """Makes its pool when it starts. It has the secrets: what a deployment holds, Prefect keeps for all to read."""
    secrets = {"OKTA_TOKEN": SSWS_TOKEN, "BITBUCKET_PASSWORD": PASSWORD}
    environment = server.environment | {"PREFECT_WORKER_QUERY_SECONDS": "1", **secrets}
    command = [str(Path(sys.executable).with_name("prefect")), "worker", "start", "--pool", POOL, "--type", "process"]
    with process(command, server.home.with_name("served-worker.log"), environment):
        wait_for(lambda: server.http.get(f"/work_pools/{POOL}").is_success or None, "the pool of the worker")
        yield


def deploy(server: PrefectServer, stage: Stage) -> None:
    """`sync/staff`; the same deployment again where it is there already."""
    flow = server.post("/flows/", name="sync")
    server.post(
        "/deployments/",
        name="staff",
        flow_id=flow["id"],
        entrypoint="flows/sync.py:sync",
        work_pool_name=POOL,
        parameters={"sync_file": str(stage.sync_file)},
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
        job_variables={
            "command": f"{sys.executable} -m prefect.engine",
            "env": {
                "PYTHONPATH": str(ROOT),
                "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
                "USERSYNC_LEDGER": stage.ledger_url,
            },
        },
    )


class Held:
    """A stage whose next plan is held and asked about, and a client of the service that knows the Prefect server."""

    def __init__(self, server: PrefectServer, stage: Stage, client: httpx.Client) -> None:
        self.server, self.stage, self.client = server, stage, client

    def begin(self) -> tuple[str, str]:
        """The flow run that waits, and the plan that it asks about."""
        started = self.client.post("/api/syncs/staff/runs", json={})
        assert started.status_code == 202, started.text
        flow_run_id = str(started.json()["flow_run_id"])
        assert started.headers["location"] == f"/api/flow-runs/{flow_run_id}"
        self.server.wait_for_state(flow_run_id, "Suspended", seconds=PATIENCE)
        (plan,) = self.client.get("/api/plans", params={"state": "held"}).json()
        assert plan["asked_by_flow_run"] == flow_run_id
        return flow_run_id, str(plan["id"])

    def decide(self, plan_id: str, decision: str) -> dict[str, Any]:
        answer = self.client.post(f"/api/plans/{plan_id}/decision", json={"decision": decision, **GIVEN})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def held(server: PrefectServer, worker: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    with staged(tmp_path, monkeypatch, staff=(30, 6)) as stage:
        stage.write_sync_file(approval={"on_hold": "ask", "ask_for_hours": 1})
        assert stage.sync().ending.exit_code == 0
        stage.company.lose(0.2)
        stage.company.hire(2)
        stage.mark()
        deploy(server, stage)
        for name, value in (server.environment | environment_of(stage)).items():
            monkeypatch.setenv(name, value)
        with ledgers.open(stage.ledger_url) as book:
            token = book.tokens.add("ada", ("read", "run", "approve"))[1]
        office = ServedOffice(tmp_path, stage.bitbucket, stage.ledger_url)
        bearer = {"Authorization": f"Bearer {token}"}
        with (
            served_office(office, "--syncs", str(tmp_path)) as running,
            httpx.Client(base_url=running.address, headers=bearer, timeout=PATIENCE) as client,
        ):
            yield Held(server, stage, client)


def test_an_approval_over_http_has_the_waiting_flow_run_go_on_and_apply_the_plan(held: Held) -> None:
    flow_run_id, plan_id = held.begin()
    waiting = held.client.get(f"/api/flow-runs/{flow_run_id}").json()
    assert (waiting["state"], held.stage.writes) == ("Suspended", [])
    told = held.decide(plan_id, "approve")
    assert told["said"][0] == f"Plan {plan_id[:8]}: approve. Flow run {flow_run_id} goes on with that."

    held.server.wait_for_state(flow_run_id, "Completed", seconds=PATIENCE)
    ended = held.client.get(f"/api/flow-runs/{flow_run_id}").json()
    run = held.client.get(f"/api/runs/{ended['run']}").json()
    plan = held.client.get(f"/api/plans/{plan_id}").json()
    assert (ended["state"], run["status"], run["plan_id"]) == ("Completed", "succeeded", plan_id)
    assert (plan["state"], plan["approved_by"]) == ("applied", "Grace (token ada)")
    assert (run["header"]["decision"]["comment"], plan["asked_by_flow_run"]) == (GIVEN["comment"], None)
    held.stage.assert_settled()
    again = held.client.post(f"/api/plans/{plan_id}/decision", json={"decision": "reject"})
    assert (again.status_code, again.json()["what"]) == (
        *(422, f"plan {plan_id[:8]} is applied, so there is nothing to decide"),
    )


def test_a_rejection_over_http_ends_the_waiting_flow_run_and_nothing_is_applied(held: Held) -> None:
    flow_run_id, plan_id = held.begin()
    held.decide(plan_id, "reject")
    rejected = held.server.wait_for_state(flow_run_id, "Rejected", seconds=PATIENCE)
    assert rejected["state_type"] == "FAILED"
    assert "Grace (token ada)" in rejected["state"]["message"]
    ended = held.client.get(f"/api/flow-runs/{flow_run_id}").json()
    assert (ended["state"], held.client.get(f"/api/runs/{ended['run']}").json()["status"]) == ("Rejected", "rejected")
    assert held.client.get(f"/api/plans/{plan_id}").json()["state"] == "rejected"
    assert held.stage.writes == []
    nobody = held.client.post("/api/syncs/staff/runs", json={"mode": "plan"})
    assert (nobody.status_code, nobody.json()["what"]) == (422, "the Prefect server has no deployment plan/staff")
