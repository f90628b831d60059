"""A flow run's state says what the exit code says, and what to do next."""

from __future__ import annotations

from typing import get_args

import pytest

from sandbox.bitbucket import Fault
from tasks.ending import EXIT_CODES, Ending, Status
from tests.e2e.stage import Stage
from tests.flow.server import Ended, FlowHost, PrefectServer


@pytest.mark.parametrize("status", get_args(Status))
def test_a_state_is_completed_exactly_where_the_exit_code_is_0(status: Status) -> None:
    from flows.state import ENDING_NAMES, state_of

    state = state_of(Ending("20261124-060512-7k3f", status, None, "what happened", "what to do", {}, None))
    assert (state.type.value == "COMPLETED") == (EXIT_CODES[status] == 0)
    assert state.name == ENDING_NAMES[status]
    assert state.message == "what happened. Next: what to do"


def test_a_state_says_once_what_to_do_next() -> None:
    from directory.errors import SourceUnavailable
    from flows.state import state_of

    error = SourceUnavailable("it did not answer", subject="okta", next_step="look at its status page")
    state = state_of(Ending("20261124-060512-7k3f", "failed", None, str(error), "look at its status page", {}, None))
    assert state.message == "okta: it did not answer. Next: look at its status page."


def test_no_two_endings_share_a_state() -> None:
    from flows.state import ENDING_NAMES

    assert set(ENDING_NAMES) == set(EXIT_CODES)
    assert len(set(ENDING_NAMES.values())) == len(ENDING_NAMES)


def stored(server: PrefectServer, ended: Ended) -> tuple[str, str]:
    found = server.flow_run(ended.id)
    return found["state_type"], found["state_name"]


def try_again(server: PrefectServer, host: FlowHost, stage: Stage, flow_run_id: str) -> Ended:
    """What the button Retry does."""
    state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
    server.post(f"/flow_runs/{flow_run_id}/set_state", state=state, force=True)
    return host.sync(stage, again=flow_run_id)


def test_a_held_run_is_held_and_goes_on_with_that_very_plan_once_it_is_approved(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    assert stage.sync().ending.exit_code == 0
    stage.company.lose(0.15)
    stage.mark()
    held = host.sync(stage)
    assert stored(server, held) == ("FAILED", "Held")
    with stage.ledger() as ledger:
        run = ledger.runs.find_by_flow_run(held.id)
        assert run is not None
        assert (run.status, run.plan_id is None) == ("held", False)
        plan_id = str(run.plan_id)
    assert f"usersync apply {plan_id[:8]} --approved-by NAME" in held.message
    assert "## The guard holds this plan" in server.artifacts(held.id)["staff-summary"]["data"]
    assert stage.writes == []

    unapproved = try_again(server, host, stage, held.id)
    assert (unapproved.id, unapproved.name) == (held.id, "Held")
    assert stage.writes == []

    with stage.ledger() as ledger:
        ledger.plans.approve(plan_id, by="Ada")
    stage.company.hire(2)
    approved = try_again(server, host, stage, held.id)
    assert (approved.id, approved.type, approved.name) == (held.id, "COMPLETED", "Completed")
    assert "create_user" not in {effect[0] for effect in stage.effects}
    with stage.ledger() as ledger:
        assert ledger.plans.get(plan_id).state == "applied"
        last = ledger.runs.find_by_flow_run(held.id)
        assert last is not None
        assert (last.plan_id, last.header["guard"]) == (plan_id, "approved")


def test_a_held_plan_is_applied_by_the_flow_apply_in_somebodys_name(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    assert stage.sync().ending.exit_code == 0
    stage.company.lose(0.15)
    planned = host.run("plan", stage)
    assert stored(server, planned) == ("FAILED", "Held")
    with stage.ledger() as ledger:
        run = ledger.runs.find_by_flow_run(planned.id)
    assert run is not None
    plan_id = str(run.plan_id)
    nobody = host.run("apply", stage, plan_id=plan_id)
    assert stored(server, nobody) == ("FAILED", "Held")
    assert server.flow_run(nobody.id)["name"] == f"apply-{plan_id[:8]}"
    by_ada = host.run("apply", stage, plan_id=plan_id, approved_by="Ada")
    assert stored(server, by_ada) == ("COMPLETED", "Completed")
    with stage.ledger() as ledger:
        assert ledger.plans.get(plan_id).approved_by == "Ada"
    stage.assert_settled()


def test_a_run_that_fails_in_mid_load_is_tried_again_and_does_only_what_is_missing(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    stage.bitbucket.faults.add(Fault(kind="status", status=500, method="WRITE", skip=40, times=None))
    stopped = host.sync(stage)
    assert stored(server, stopped) == ("FAILED", "Applied in part")
    assert "calls in a row stayed without an answer" in stopped.message
    acknowledged = len(stage.effects)
    assert acknowledged >= 40
    with stage.ledger() as ledger:
        first = ledger.runs.find_by_flow_run(stopped.id)

    stage.bitbucket.faults.clear()
    again = try_again(server, host, stage, stopped.id)
    assert (again.id, again.type, again.name) == (stopped.id, "COMPLETED", "Completed")
    assert stage.repeated() == []
    with stage.ledger() as ledger:
        second = ledger.runs.find_by_flow_run(stopped.id)
    assert first is not None
    assert second is not None
    assert (second.id != first.id, second.plan_id) == (True, first.plan_id)
    assert second.header["requests"].get("source", 0) == 0
    stage.assert_settled()


def test_a_mistake_in_the_sync_file_is_refused_with_the_mistake_as_the_message(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    stage.write_sync_file(guard={"deactivation": {"count": 1}})
    refused = host.sync(stage)
    assert stored(server, refused) == ("FAILED", "Refused")
    assert "deactivations" in refused.message
    assert f"{stage.sync_file} line " in refused.message
    assert "nothing was read and nothing was written" in refused.message
    assert stage.requests == []


def test_a_source_that_refuses_the_token_fails_and_leaves_a_summary(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    stage.okta.switches.ssws_tokens.clear()
    failed = host.sync(stage)
    assert stored(server, failed) == ("FAILED", "Failed")
    assert "Next: " in failed.message
    assert server.artifacts(failed.id)["staff-summary"]["data"].startswith("# staff: failed")
    extracts = [row for row in server.task_runs(failed.id) if row["name"].startswith("extract")]
    assert [(row["state_type"], row["run_count"]) for row in extracts] == [("FAILED", 1)]
