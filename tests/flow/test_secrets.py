"""Secrets: looked up in Prefect's blocks where the sync file says so, and found nowhere afterwards."""

from __future__ import annotations

import base64
import json

from sandbox.faults import Fault, FaultKind
from sandbox.okta import SSWS_TOKEN
from tests.e2e.stage import PASSWORD, PRINCIPAL, Stage
from tests.flow.server import FlowHost, PrefectServer

WRITTEN_ANY_WAY = {
    "the token": SSWS_TOKEN,
    "the password": PASSWORD,
    "the password as it is sent": base64.b64encode(f"{PRINCIPAL}:{PASSWORD}".encode()).decode(),
}


def test_a_secret_is_read_from_a_block(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    host.save_secret("okta-token", SSWS_TOKEN)
    stage.write_sync_file(source={"token": "block:secret/okta-token"})
    assert host.sync(stage).name == "Completed"


def test_a_block_that_is_missing_is_refused_by_its_name(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    stage.write_sync_file(source={"token": "block:secret/nobody-made-this"})
    refused = host.sync(stage)
    assert refused.name == "Refused"
    assert "block:secret/nobody-made-this: there is no such block" in refused.message
    assert stage.requests == []


def test_no_secret_is_in_what_prefect_and_the_ledger_keep(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    good = host.sync(stage)
    stage.okta.faults.add(Fault(FaultKind.STATUS, "/api/v1/users", status=500, times=1000))
    down = host.sync(stage)
    stage.okta.faults.clear()
    principal = stage.bitbucket.state.user(PRINCIPAL)
    assert principal is not None
    principal.password = "another"
    refused = host.sync(stage)
    assert [run.name for run in (good, down, refused)] == ["Completed", "Failed", "Failed"]

    for run in (good, down, refused):
        server.task_runs(run.id)
        told = [
            json.dumps(server.flow_run(run.id)),
            json.dumps(server.artifacts(run.id)),
            *server.wait_for_log(run.id, "Finished in state"),
        ]
        for what, secret in WRITTEN_ANY_WAY.items():
            assert not [text for text in told if secret in text], what
    for folder in (server.home.parent, stage.folder):
        for file in folder.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                for what, secret in WRITTEN_ANY_WAY.items():
                    assert secret.encode() not in content, f"{what} is in {file}"
