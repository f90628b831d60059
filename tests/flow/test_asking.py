"""A held plan suspends its flow run, and what somebody says of it, or nobody, decides what becomes of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.main import attempt
from tests.e2e.stage import Stage, staged
from tests.flow.server import ROOT, FlowHost, PrefectServer, environment_of, wait_for

ASKING: dict[str, dict[str, Any]] = {"approval": {"on_hold": "ask", "ask_for_hours": 1}}
NAME = "Ada Lovelace"
REFUSED: tuple[dict[str, str], ...] = (
    {},
    {"decision": "approve"},
    {"decision": "yes", "approved_by": NAME},
    {"decision": "approve", "approved_by": " "},
)


@pytest.fixture(scope="module")
def deployment(server: PrefectServer) -> str:
    """The id of a deployment of `sync`: what runs without one cannot be suspended."""
    flow = server.post("/flows/", name="sync")
    return str(server.post("/deployments/", name="asking", flow_id=flow["id"])["id"])


class Asking:
    """A stage that is in sync, whose next plan is held; and the flow run that asks about it."""

    def __init__(self, server: PrefectServer, host: FlowHost, deployment: str, stage: Stage) -> None:
        self.server, self.host, self.deployment, self.stage = server, host, deployment, stage

    def begin(self) -> str:
        """Run a new flow run of the deployment. Returns its id."""
        made = self.server.post(f"/deployments/{self.deployment}/create_flow_run", state={"type": "PENDING"})
        self.host.sync(self.stage, again=made["id"])
        return str(made["id"])

    def go_on(self, flow_run_id: str) -> dict[str, Any]:
        """What a worker does with a run that was resumed or is to be retried."""
        self.host.sync(self.stage, again=flow_run_id)
        return self.server.flow_run(flow_run_id)

    def state(self, flow_run_id: str) -> str:
        return str(self.server.flow_run(flow_run_id)["state_name"])

    def resume(self, flow_run_id: str, **given: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.server.post(f"/flow_runs/{flow_run_id}/resume", run_input=given)
        return answer

    def say(self, flow_run_id: str, decision: str, **more: str) -> dict[str, Any]:
        """Answer on the form, and have the run go on."""
        assert self.resume(flow_run_id, decision=decision, approved_by=NAME, **more)["status"] == "ACCEPT"
        return self.go_on(flow_run_id)

    def retry(self, flow_run_id: str) -> dict[str, Any]:
        """What the button Retry does."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        self.server.post(f"/flow_runs/{flow_run_id}/set_state", state=state, force=True)
        return self.go_on(flow_run_id)

    def command(self, *words: str) -> int:
        """Run `usersync` in a process of its own, as a client of the server."""
        environment = self.server.environment | environment_of(self.stage)
        command = [str(Path(sys.executable).with_name("usersync")), *words]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

    def plan_of(self, flow_run_id: str) -> str:
        with self.stage.ledger() as book:
            run = book.runs.find_by_flow_run(flow_run_id)
            assert run is not None
            return str(run.plan_id)

    def state_of_plan(self, plan_id: str) -> str:
        with self.stage.ledger() as book:
            return book.plans.get(plan_id).state


@pytest.fixture
def asking(
    server: PrefectServer, host: FlowHost, deployment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Asking]:
    with staged(tmp_path, monkeypatch, staff=(30, 6)) as stage:
        stage.write_sync_file(**ASKING)
        assert stage.sync().ending.exit_code == 0
        stage.company.lose(0.2)
        stage.company.hire(2)
        stage.mark()
        yield Asking(server, host, deployment, stage)


def test_a_held_plan_suspends_the_run_and_an_approval_has_that_very_plan_applied(asking: Asking) -> None:
    flow_run_id = asking.begin()
    run = asking.server.flow_run(flow_run_id)
    assert (run["state_type"], run["state_name"]) == ("PAUSED", "Suspended")
    plan_id = asking.plan_of(flow_run_id)
    with asking.stage.ledger() as book:
        book.leases.acquire(book.plans.get(plan_id).target, "the lease is free").release()
        (question,) = book.questions.open("staff")
        assert (question.flow_run_id, question.plan_id) == (flow_run_id, plan_id)

    keys = run["state"]["state_details"]["run_input_keyset"]
    asked = {
        name: asking.server.get(f"/flow_runs/{flow_run_id}/input/{key}")
        for name, key in keys.items()
        if name != "response"
    }
    assert sorted(asked["schema"]["required"]) == ["approved_by", "decision"]
    assert asked["schema"]["properties"]["decision"]["enum"] == ["approve", "approve additions only", "reject"]
    assert plan_id[:8] in asked["description"]
    assert f"usersync show {plan_id[:8]}" in asked["description"]
    assert "deactivations" in asked["description"]
    for given in REFUSED:
        assert asking.resume(flow_run_id, **given)["status"] == "REJECT"
    assert asking.state(flow_run_id) == "Suspended"
    assert asking.stage.writes == []

    ended = asking.say(flow_run_id, "approve", comment="agreed with HR")
    assert (ended["state_type"], ended["state_name"]) == ("COMPLETED", "Completed")
    with asking.stage.ledger() as book:
        stored, (said,) = book.plans.get(plan_id), book.plans.decisions(plan_id)
        run_of_it = book.runs.find_by_flow_run(flow_run_id)
        assert book.questions.open() == []
    assert run_of_it is not None
    assert (stored.state, stored.approved_by, said.comment) == ("applied", NAME, "agreed with HR")
    assert (run_of_it.plan_id, run_of_it.header["decision"]["by"]) == (plan_id, NAME)
    assert f"approve, by {NAME}" in asking.server.artifacts(flow_run_id)["staff-summary"]["data"]
    asking.stage.assert_settled()


def test_additions_only_are_applied_and_the_rest_is_held_under_its_own_id(asking: Asking) -> None:
    flow_run_id = asking.begin()
    plan_id = asking.plan_of(flow_run_id)
    ended = asking.say(flow_run_id, "approve additions only")
    assert (ended["state_type"], ended["state_name"]) == ("FAILED", "Held")
    effects = {effect[0] for effect in asking.stage.effects}
    assert "create_user" in effects
    assert not {effect for effect in effects if "remove" in effect or "delete" in effect}
    with asking.stage.ledger() as book:
        run = book.runs.find_by_flow_run(flow_run_id)
        assert run is not None
        rest = book.plans.get(run.header["waiting_plan"])
        assert (rest.state, book.plans.get(str(run.plan_id)).state) == ("held", "applied")
        assert book.plans.get(str(run.plan_id)).approved_by == NAME
        assert book.plans.get(plan_id).state == "superseded"
        assert book.questions.open() == []
    assert rest.id[:8] in ended["state"]["message"]
    assert asking.stage.apply(rest.id, approved_by=NAME).ending.exit_code == 0
    asking.stage.assert_settled()


def test_a_rejected_plan_is_not_applied_nor_asked_about_again_until_somebody_approves_it(asking: Asking) -> None:
    flow_run_id = asking.begin()
    plan_id = asking.plan_of(flow_run_id)
    ended = asking.say(flow_run_id, "reject", comment="the feed is wrong")
    assert (ended["state_type"], ended["state_name"]) == ("FAILED", "Rejected")
    assert NAME in ended["state"]["message"]
    assert asking.state_of_plan(plan_id) == "rejected"

    again = asking.server.flow_run(asking.begin())
    assert again["state_name"] == "Held"
    assert f"rejected by {NAME}" in again["state"]["message"]
    assert "the feed is wrong" in again["state"]["message"]
    assert asking.retry(flow_run_id)["state_name"] == "Held"
    assert asking.stage.writes == []

    assert attempt(["approve", plan_id, "--by", "Grace", "--ledger", asking.stage.ledger_url]) == 0
    assert asking.server.flow_run(asking.begin())["state_name"] == "Completed"
    asking.stage.assert_settled()


def somebody_else_is_hired(stage: Stage) -> None:
    stage.company.hire(1)


def somebody_is_removed_by_hand(stage: Stage) -> None:
    stage.bitbucket.state.delete_user(stage.active(1)[0].username.lower())


@pytest.mark.parametrize("moved_on", [somebody_else_is_hired, somebody_is_removed_by_hand])
def test_an_approved_plan_that_does_not_fit_any_more_is_refused_and_the_new_one_asked_about(
    asking: Asking, moved_on: Callable[[Stage], None]
) -> None:
    flow_run_id = asking.begin()
    plan_id = asking.plan_of(flow_run_id)
    moved_on(asking.stage)
    asking.stage.mark()
    assert asking.say(flow_run_id, "approve")["state_name"] == "Suspended"
    assert asking.stage.writes == []
    new = asking.plan_of(flow_run_id)
    assert new != plan_id
    assert (asking.state_of_plan(plan_id), asking.state_of_plan(new)) == ("superseded", "held")
    with asking.stage.ledger() as book:
        run = book.runs.find_by_flow_run(flow_run_id)
    assert run is not None
    assert re.search(rf"plan {plan_id[:8]}, on which {NAME} decided, is refused", str(run.error))
    assert asking.say(flow_run_id, "approve")["state_name"] == "Completed"
    assert asking.state_of_plan(new) == "applied"
    asking.stage.assert_settled()


def test_nothing_is_approved_by_time_running_out_nor_by_a_retry_after_it(asking: Asking) -> None:
    asking.stage.write_sync_file(approval={"on_hold": "ask", "ask_for_hours": 1 / 3600})
    flow_run_id = asking.begin()
    ended = asking.server.wait_for_state(flow_run_id, "Failed", "TimedOut")
    assert ended["state_type"] == "FAILED"
    assert asking.resume(flow_run_id, decision="approve", approved_by=NAME)["status"] == "ABORT"

    asking.stage.write_sync_file(**ASKING)
    again = asking.retry(flow_run_id)
    assert again["state_name"] == "Suspended", again["state"]["message"]
    assert asking.stage.writes == []
    assert asking.say(flow_run_id, "approve")["state_name"] == "Completed"
    asking.stage.assert_settled()


def test_questions_do_not_pile_up(asking: Asking) -> None:
    first = asking.begin()
    second = asking.server.flow_run(asking.begin())
    assert (second["state_name"], asking.state(first)) == ("Held", "Suspended")
    assert f"flow run {first} asks about it already" in second["state"]["message"]

    old = asking.plan_of(first)
    asking.stage.company.hire(1)
    third = asking.begin()
    assert (asking.state(third), asking.state(first)) == ("Suspended", "Superseded")
    assert asking.state_of_plan(old) == "superseded"
    assert asking.resume(first, decision="approve", approved_by=NAME)["status"] == "ABORT"
    with asking.stage.ledger() as book:
        (question,) = book.questions.open()
    assert question.flow_run_id == third
    assert asking.stage.writes == []


def test_the_command_line_answers_a_run_that_waits(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flow_run_id = asking.begin()
    plan_id = asking.plan_of(flow_run_id)
    ledger = ["--ledger", asking.stage.ledger_url]
    assert attempt(["plans", "--held", *ledger]) == 0
    listed = capsys.readouterr().out
    assert plan_id[:8] in listed
    assert f"flow run {flow_run_id} asks about it until" in listed

    assert attempt(["approve", plan_id[:8], *ledger]) == 2
    assert asking.state(flow_run_id) == "Suspended"
    capsys.readouterr()
    assert asking.command("approve", plan_id[:8], "--by", NAME, "--comment", "seen") == 0
    wait_for(lambda: asking.state(flow_run_id) == "Resuming" or None, "the run to be resumed")
    assert asking.go_on(flow_run_id)["state_name"] == "Completed"
    with asking.stage.ledger() as book:
        (said,) = book.plans.decisions(plan_id)
    assert (said.decision, said.by, said.comment) == ("approve", NAME, "seen")
    asking.stage.assert_settled()
