"""The API tells what the command line tells, and does what it does."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import jsonschema
import pytest

from cli.main import main
from reconcile.results import schema
from tests.few_prefect_answers import RUN, few_answers
from tests.unit.service.conftest import Asked, Office, on_both_databases

PATIENCE = 60


async def ended(client: httpx.AsyncClient, address: str) -> dict[str, object]:
    """What the run at an address came to."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        run: dict[str, object] = (await client.get(address)).json()
        if run["ended_at"]:
            return run
        await asyncio.sleep(0.1)
    raise AssertionError(f"{address} did not end")


@on_both_databases
async def test_directories_and_the_syncs_that_manage_them(office: Office, asked: Asked) -> None:
    await asyncio.to_thread(office.run)
    office.write_sync_file("people:\n  protecd: [admin]\n", name="broken")
    async with asked("read") as client:
        (directory,) = (await client.get("/api/directories")).json()
        syncs = {one["name"]: one for one in (await client.get("/api/syncs")).json()}
        one = (await client.get("/api/syncs/staff")).json()
    assert directory["syncs"] == ["staff"]
    assert directory["name"] == f"bitbucket {office.url.removeprefix('http://')}"
    assert (directory["managed_accounts"], directory["managed_groups"]) == (5, ["bb-dev", "bb-ops"])
    assert directory["last_run"]["status"] == "succeeded"
    assert "protecd" in syncs["broken"]["trouble"]
    assert "protect" in syncs["broken"]["trouble"]
    assert one == syncs["staff"]


@on_both_databases
async def test_runs_and_results_are_those_of_the_command_line(office: Office, asked: Asked) -> None:
    run = (await asyncio.to_thread(office.run)).run_id
    async with asked("read") as client:
        listed = (await client.get("/api/runs")).json()
        everybody = await client.get(f"/api/runs/{run}/results")
        ann = (await client.get("/api/runs/latest/results", params={"person": "ANN"})).json()
        created = (await client.get(f"/api/runs/{run}/results", params={"outcome": "created"})).json()
        stored = await client.get(f"/api/runs/{run}/document")
        nobody = await client.get(f"/api/runs/{run}/results", params={"person": "nemo"})
        before = await client.get("/api/runs", params={"before": listed[0]["started_at"]})
    assert [one["id"] for one in listed] == [run]
    assert everybody.headers["content-disposition"] == f'attachment; filename="staff-{run}.json"'
    jsonschema.validate(everybody.json(), schema())
    assert everybody.json()["people"] == stored.json()["people"]
    assert [one["username"] for one in ann["people"]] == ["ann"]
    assert {one["outcome"] for one in created["people"]} == {"created"}
    assert nobody.status_code == 404
    assert "knows nobody with the username or the id 'nemo'" in nobody.json()["what"]
    assert before.json() == []


@on_both_databases
async def test_a_run_is_started_in_a_process_of_its_own(office: Office, asked: Asked) -> None:
    async with asked("read", "run") as client:
        planned = await client.post("/api/syncs/staff/runs", json={"mode": "plan"})
        plan = await ended(client, planned.headers["location"])
        started = await client.post("/api/syncs/staff/runs", json={})
        run = await ended(client, started.headers["location"])
    assert (planned.status_code, started.status_code) == (202, 202)
    assert (plan["mode"], plan["status"]) == ("plan", "planned")
    assert (run["mode"], run["status"], run["id"]) == ("sync", "succeeded", started.json()["run"])
    assert "ann" in office.bitbucket.state.snapshot()["users"]


async def test_what_the_command_refuses_the_api_refuses_with_the_same_words(
    office: Office, asked: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OFFICE_PASSWORD")
    async with asked("run") as client:
        answer = await client.post("/api/syncs/staff/runs", json={})
        unknown = await client.post("/api/syncs/nemo/runs", json={})
    assert await asyncio.to_thread(main, ["sync", "staff"]) == 2
    told = capsys.readouterr().err
    assert answer.status_code == 422
    assert answer.json()["what"] in told
    assert answer.json()["next"] in told
    assert "the environment variable is not set" in told
    assert unknown.status_code == 404


@on_both_databases
async def test_one_person_is_brought_up_to_date_while_they_wait(office: Office, asked: Asked) -> None:
    async with asked("read", "run") as client:
        first = await client.post("/api/syncs/staff/people/ann@example.com")
        again = await client.post("/api/syncs/staff/people/ann")
        nobody = await client.post("/api/syncs/staff/people/nemo")
        run = (await client.get(f"/api/runs/{first.json()['run']}")).json()
    assert (first.status_code, first.json()["status"], again.json()["status"]) == (200, "succeeded", "nothing_to_do")
    person = first.json()["person"]
    assert (person["username"], person["outcome"]) == ("ann", "created")
    assert {one["group"] for one in person["groups"]} == {"bb-dev", "bb-ops"}
    assert run["mode"] == "person"
    assert set(office.bitbucket.state.snapshot()["users"]) == {"admin", "ann"}
    assert nobody.status_code == 404
    assert "nemo" in nobody.json()["what"]


async def test_a_person_who_takes_too_long_is_told_so_and_the_run_goes_on(office: Office, asked: Asked) -> None:
    async with asked("read", "run", person_seconds=0.001) as client:
        answer = await client.post("/api/syncs/staff/people/ann")
        assert (answer.status_code, answer.headers["location"]) == (202, "/api/runs?sync=staff")
        last = time.monotonic() + PATIENCE
        while not (runs := (await client.get("/api/runs?sync=staff")).json()) or not runs[0]["ended_at"]:
            assert time.monotonic() < last
            await asyncio.sleep(0.05)
    assert runs[0]["status"] == "succeeded"


@on_both_databases
async def test_a_held_plan_is_looked_at_approved_and_applied(office: Office, asked: Asked) -> None:
    plan = await asyncio.to_thread(office.held)
    async with asked("read", "run", "approve") as client:
        (listed,) = (await client.get("/api/plans", params={"state": "held"})).json()
        shown = (await client.get(f"/api/plans/{plan[:8]}")).json()
        operations = (await client.get(f"/api/plans/{plan}/operations")).json()
        removals = (await client.get(f"/api/plans/{plan}/operations", params={"kind": "remove_access"})).json()
        why = (await client.get(f"/api/plans/{plan}/people/dan")).json()
        said = await client.post(
            f"/api/plans/{plan[:8]}/decision", json={"decision": "approve", "by": "Ada", "comment": "as agreed"}
        )
        applied = await client.post(f"/api/plans/{plan}/apply")
        run = await ended(client, applied.headers["location"])
        late = await client.post(f"/api/plans/{plan}/decision", json={"decision": "reject"})
        entries = (await client.get("/api/audit")).json()
    assert listed["id"] == shown["id"] == plan
    assert shown["header"]["held"]
    assert len(operations) == shown["operations"]
    assert {one["kind"] for one in removals} == {"remove_access"}
    assert why["people"][0]["username"] == "dan"
    assert said.json()["said"][0] == f"Plan {plan[:8]} is approved."
    assert said.json()["plan"]["decisions"][0]["by"] == "Ada (token portal)"
    assert run["status"] == "succeeded", run
    assert (late.status_code, late.json()["what"]) == (
        422,
        f"plan {plan[:8]} is applied, so there is nothing to decide",
    )
    assert [(one["what"].split("/")[-1], one["status"], one["client"]) for one in entries] == [
        ("decision", 422, "192.0.2.7"),
        ("apply", 202, "192.0.2.7"),
        ("decision", 200, "192.0.2.7"),
    ]
    assert entries[2]["details"] == {"decision": "approve", "by": "Ada", "comment": "as agreed"}


async def test_applying_a_held_plan_that_nobody_approved_ends_held(office: Office, asked: Asked) -> None:
    plan = await asyncio.to_thread(office.held)
    before = json.dumps(office.bitbucket.state.snapshot(), default=sorted)
    async with asked("read", "run") as client:
        run = await ended(client, (await client.post(f"/api/plans/{plan}/apply")).headers["location"])
    assert run["status"] == "held"
    assert json.dumps(office.bitbucket.state.snapshot(), default=sorted) == before


@on_both_databases
async def test_where_prefect_is_named_its_deployment_is_run(
    office: Office, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with few_answers() as (prefect, url):
        monkeypatch.setenv("PREFECT_API_URL", url)
        async with asked("read", "run") as client:
            started = await client.post("/api/syncs/staff/runs", json={"full": True})
            waiting = (await client.get(started.headers["location"])).json()
            run = office.ledger.runs.start(sync="staff", mode="sync", target="t", flow_run_id=RUN)
            begun = (await client.get(started.headers["location"])).json()
    assert (started.status_code, started.json()["flow_run_id"]) == (202, RUN)
    assert prefect.ordered[0]["parameters"] == {"full": True}
    assert (waiting["state"], waiting["message"], waiting["run"]) == ("Late", "no worker", None)
    assert begun["run"] == run.id
    assert office.bitbucket.effects == []
