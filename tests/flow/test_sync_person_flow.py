"""The flow `sync-person` as an administrator sees it in Prefect."""

from __future__ import annotations

from tests.e2e.stage import Stage
from tests.flow.server import FlowHost, PrefectServer


def test_one_person_is_brought_up_to_date_and_an_unknown_one_fails_the_run(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    assert host.sync(stage).name == "Completed"
    (joiner, other) = stage.company.hire(2)

    ended = host.run("sync-person", stage, person=joiner.login)

    assert (ended.type, ended.name) == ("COMPLETED", "Completed"), ended.message
    assert server.flow_run(ended.id)["name"] == "sync-person-staff"
    members = {name for group in stage.snapshot()["memberships"].values() for name in group}
    assert joiner.username in members
    assert other.username not in members
    assert host.run("sync-person", stage, person=joiner.login).name == "Nothing to do"
    unknown = host.run("sync-person", stage, person="nobody")
    assert (unknown.type, unknown.name) == ("FAILED", "Failed")
    assert "knows anybody called nobody" in unknown.message
