"""What somebody decides on a held plan from the command line, where no flow run asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import attempt
from tests.e2e.stage import Stage, staged


@pytest.mark.parametrize("decision", ["approve", "additions", "reject"])
def test_a_decision_is_kept_and_the_next_step_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], decision: str
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with staged(tmp_path, monkeypatch, staff=(30, 6)) as stage:
        assert stage.sync().ending.exit_code == 0
        stage.company.lose(0.2)
        stage.company.hire(2)
        held = stage.sync()
        assert held.ending.exit_code == 3
        {"approve": approved, "additions": divided, "reject": rejected}[decision](stage, held.plan.id, capsys)


def said(stage: Stage, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert attempt([*words, "--ledger", stage.ledger_url]) == code
    out, err = capsys.readouterr()
    return out + err


def approved(stage: Stage, plan_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "needs a name" in said(stage, capsys, "approve", plan_id, "--by", " ", code=2)
    told = said(stage, capsys, "approve", plan_id, "--by", "Ada", "--comment", "as agreed")
    assert f"usersync apply {plan_id[:8]}" in told
    (row,) = json.loads(said(stage, capsys, "plans", "--limit", "1", "--json"))
    assert (row["state"], row["decisions"][0]["by"], row["decisions"][0]["comment"]) == ("approved", "Ada", "as agreed")
    assert stage.sync().plan.id == plan_id
    assert "there is nothing to decide" in said(stage, capsys, "reject", plan_id, "--by", "Ada", code=2)
    stage.assert_settled()


def divided(stage: Stage, plan_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    said(stage, capsys, "approve", plan_id, "--by", "Ada", "--additions-only")
    states = {row["state"]: row["id"] for row in json.loads(said(stage, capsys, "plans", "--limit", "3", "--json"))}
    assert states["superseded"] == plan_id
    stage.mark()
    played = stage.apply(states["approved"])
    assert played.ending.exit_code == 0
    assert "create_user" in {effect[0] for effect in stage.effects}
    assert stage.apply(states["held"], approved_by="Ada").ending.exit_code == 0
    # Both parts are applied without a read of the source, so it is still judged by the one before people went.
    again = stage.sync()
    assert (again.plan.empty, {finding["kind"] for finding in again.run["findings"]}) == (True, {"people_lost"})


def rejected(stage: Stage, plan_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    said(stage, capsys, "reject", plan_id, "--by", "Ada", "--comment", "wrong feed")
    again = stage.sync()
    assert (again.ending.status, again.plan.id) == ("held", plan_id)
    assert "was rejected by Ada" in again.ending.message
    assert "(wrong feed)" in again.ending.message
    assert again.run["decision"]["decision"] == "reject"
    assert "reject, by Ada" in said(stage, capsys, "plans")
    said(stage, capsys, "approve", plan_id, "--by", "Grace")
    assert stage.sync().ending.exit_code == 0
    stage.assert_settled()
