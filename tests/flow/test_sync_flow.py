"""The flow `sync` as an administrator sees it in Prefect: state, artifacts, task runs, log."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.stage import Stage, staged
from tests.flow.server import FlowHost, PrefectServer


def test_a_run_ends_completed_and_leaves_a_summary_with_a_link_and_the_changes(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    stage.write_sync_file(report={"table_rows": 5})
    ended = host.sync(stage)
    flow_run_id = ended.id
    stored = server.flow_run(flow_run_id)
    assert (stored["state_type"], stored["state_name"]) == ("COMPLETED", "Completed")
    assert stored["name"] == "sync-staff"
    assert "operations are applied. Next: `usersync results" in ended.message

    artifacts = server.artifacts(flow_run_id)
    assert set(artifacts) == {"staff-summary", "staff-changes"}
    assert artifacts["staff-summary"]["data"].startswith("# staff: succeeded")

    with stage.ledger() as ledger:
        recorded = ledger.runs.find_by_flow_run(flow_run_id)
        assert recorded is not None
        noted = ledger.results.document(recorded.id)
    assert noted is not None
    document = json.loads(Path(noted.location).read_bytes())
    planned = sum(document["run"]["counts"].values())
    table = server.table(flow_run_id, "staff-changes")
    assert len(table) == 6
    assert table[0]["what"] == "create group"
    assert table[-1]["what"] == f"… {planned - 5:,} more"
    assert artifacts["staff-changes"]["description"] == f"5 of {planned:,} operations"
    assert Path(noted.location).absolute().as_uri() in artifacts["staff-summary"]["data"]


def test_a_load_that_takes_its_time_moves_a_bar(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    stage.bitbucket.faults.slow(1.0, method="WRITE", times=None)
    flow_run_id = host.sync(stage).id
    (bar,) = [one for one in server.artifacts(flow_run_id).values() if one["type"] == "progress"]
    assert bar["data"] == 100.0


def test_a_run_with_nothing_to_do_says_so_and_moves_no_bar(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    host.sync(stage)
    stage.mark()
    flow_run_id = host.sync(stage).id
    stored = server.flow_run(flow_run_id)
    assert (stored["state_type"], stored["state_name"]) == ("COMPLETED", "Nothing to do")
    assert stage.writes == []
    artifacts = server.artifacts(flow_run_id)
    assert set(artifacts) == {"staff-summary"}
    assert "Nothing to do" in artifacts["staff-summary"]["data"]


def test_task_runs_are_as_many_for_500_people_as_for_60(
    server: PrefectServer, host: FlowHost, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = host.sync(stage)
    (tmp_path / "many").mkdir()
    with staged(tmp_path / "many", monkeypatch, staff=(500, 12)) as larger:
        many = host.sync(larger)
        assert (few.name, many.name) == ("Completed", "Completed")
        assert len(larger.effects) > 5 * len(stage.effects)
    names = [Counter(row["name"].rpartition("-")[0] for row in server.task_runs(ended.id)) for ended in (few, many)]
    assert names[0] == names[1]
    assert set(names[0]) == {
        "extract-source",
        "extract-target",
    }
