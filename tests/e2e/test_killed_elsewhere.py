"""Runs that died on another machine, whose processes nobody here can see."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ledger.process import Process
from tests.e2e.stage import Stage, staged


def _dead_elsewhere(stage: Stage, monkeypatch: pytest.MonkeyPatch, plan_id: str) -> tuple[str, int, str]:
    """A run that sent one creation, which took effect, and died; a second one that died waiting to go on with the plan.

    Returns the second run's id, the operation's number and the account's name.
    """
    with monkeypatch.context() as there, stage.ledger() as ledger:
        there.setattr("ledger.process.current", lambda: Process("other-host", 77, "boot/pid:[1]/123"))
        operations = ledger.plans.frame(plan_id, "operations").filter(pl.col("kind") == "create").collect()
        seq, name = operations.row(0, named=True)["seq"], operations.row(0, named=True)["username"]
        target = ledger.plans.get(plan_id).target
        first = ledger.runs.start(sync="staff", mode="apply", target=target, plan_id=plan_id)
        ledger.plans.set_state(plan_id, "applying")
        ledger.journal.sent(plan_id, first.id, [seq])
        ledger.runs.finish(first.id, "crashed", error="as the run that took its lease noted")
        second = ledger.runs.start(sync="staff", mode="apply", target=target, plan_id=plan_id)
    stage.bitbucket.state.add_user(name)
    return second.id, seq, name


def test_a_run_that_died_while_it_waited_keeps_nobody_from_settling_what_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, monkeypatch, staff=(12, 4)) as stage:
        plan_id = stage.make_plan().plan.id
        _, seq, name = _dead_elsewhere(stage, monkeypatch, plan_id)
        assert stage.sync().ending.exit_code == 0
        with stage.ledger() as ledger:
            assert ledger.journal.in_doubt(plan_id).is_empty()
            entry = ledger.journal.entries(plan_id).filter(pl.col("seq") == seq)
            assert entry["status"].to_list() == ["done"]
            linked = ledger.links.frame("staff").filter(pl.col("username") == name)
        assert linked["account_id"].to_list() == [str(stage.bitbucket.state.truth.users[name].id)]
        stage.assert_settled()


def test_a_plan_says_nothing_of_what_the_holder_of_the_lease_is_sending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, monkeypatch, staff=(12, 4)) as stage:
        plan_id = stage.make_plan().plan.id
        run_id, seq, _ = _dead_elsewhere(stage, monkeypatch, plan_id)
        with stage.ledger() as ledger, ledger.leases.acquire(ledger.plans.get(plan_id).target, run_id):
            assert stage.make_plan().ending.plan is not None
            assert ledger.journal.in_doubt(plan_id)["seq"].to_list() == [seq]
