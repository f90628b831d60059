"""Secrets: looked up in Prefect's blocks where the sync file says so, and found nowhere afterwards."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from sandbox.faults import Fault, FaultKind
from sandbox.okta import SSWS_TOKEN
from tests.e2e.stage import PASSWORD, PRINCIPAL, Stage
from tests.flow.keeping import save_block
from tests.flow.server import ROOT, FlowHost, PrefectServer
from tests.flow.test_command_line import environment_with_code, usersync

WRITTEN_ANY_WAY = {
    "the token": SSWS_TOKEN,
    "the password": PASSWORD,
    "the password as it is sent": base64.b64encode(f"{PRINCIPAL}:{PASSWORD}".encode()).decode(),
}


def register(server: PrefectServer, **environment: str) -> subprocess.CompletedProcess[str]:
    return python(server, "from cli.main import run; run()", "blocks", "register", **environment)


def python(server: PrefectServer, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment_with_code(server, **environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def registered(server: PrefectServer) -> None:
    done = register(server)
    assert done.returncode == 0, done.stderr


def test_types_are_registered_once_and_again(server: PrefectServer, registered: None) -> None:
    again = register(server)
    assert again.returncode == 0, again.stderr
    last = again.stdout
    assert last.count("was there already") == last.count("usersync-") == 9
    stored = server.get("/block_types/slug/usersync-okta")
    assert (stored["name"], stored["is_protected"]) == ("usersync Okta", False)


def test_registering_without_a_server_says_what_to_set(server: PrefectServer) -> None:
    refused = register(server, PREFECT_API_URL="")
    assert refused.returncode == 2
    assert "blocks are kept by a Prefect server, and none is named" in refused.stderr
    assert "set PREFECT_API_URL" in refused.stderr


def test_a_secret_of_a_connectors_block_is_read_and_changed_while_the_worker_runs(
    server: PrefectServer, host: FlowHost, stage: Stage, registered: None
) -> None:
    save_block(server, "usersync-okta", "rotating", token=SSWS_TOKEN, private_key="")
    save_block(server, "usersync-bitbucket", "rotating", password=PASSWORD)
    stage.write_sync_file(
        source={"token": "block:usersync-okta/rotating/token"},
        target={"password": "block:usersync-bitbucket/rotating"},
    )
    assert host.sync(stage).name == "Completed"

    principal = stage.bitbucket.state.user(PRINCIPAL)
    assert principal is not None
    principal.password = "another-password"
    assert host.sync(stage).name == "Failed"
    save_block(server, "usersync-bitbucket", "rotating", password="another-password")
    assert host.sync(stage).name == "Nothing to do"


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("block:usersync-okta/nobody", "there is no such block; of the type usersync-okta there are "),
        ("block:usersync-oktq/rotating/token", "there is no such type of blocks; did you mean usersync-okta?"),
        ("block:usersync-okta/refusing/tokn", "the block has no field tokn"),
        ("block:usersync-okta/refusing/private_key", "the field private_key of the block is empty"),
    ],
    ids=["no block", "no type", "no field", "empty"],
)
def test_a_reference_that_leads_nowhere_is_refused_with_what_there_is(
    server: PrefectServer, stage: Stage, registered: None, reference: str, told: str
) -> None:
    save_block(server, "usersync-okta", "refusing", token=SSWS_TOKEN)
    stage.write_sync_file(source={"token": reference})
    refused = usersync(server, stage, "check", str(stage.sync_file))
    assert refused.returncode == 1, refused.stderr
    assert f"problem {reference}: {told}" in " ".join(refused.stdout.split()) + " "
    assert SSWS_TOKEN not in refused.stdout + refused.stderr


def test_a_terminal_reads_blocks_as_well_also_to_undo(
    server: PrefectServer, host: FlowHost, stage: Stage, registered: None
) -> None:
    save_block(server, "usersync-okta", "terminal", token=SSWS_TOKEN)
    host.save_secret("bitbucket", PASSWORD)
    stage.write_sync_file(
        source={"token": "block:usersync-okta/terminal/token"}, target={"password": "block:secret/bitbucket"}
    )
    checked = usersync(server, stage, "check", str(stage.sync_file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert host.sync(stage).name == "Completed"
    undone = usersync(server, stage, "undo", "latest")
    assert undone.returncode in {0, 3}, undone.stdout + undone.stderr
    assert "plan " in undone.stdout


def test_until_when_a_block_is_good_is_known(server: PrefectServer, registered: None) -> None:
    save_block(server, "usersync-okta", "ending", token=SSWS_TOKEN, expires_on="2027-01-31")
    save_block(server, "usersync-bitbucket", "endless", password=PASSWORD)
    code = (
        "from connectors.catalog import parse_settings\n"
        "from tasks.secrets import expiries_of_blocks\n"
        "okta = {'kind': 'okta', 'url': 'https://a.okta.com', 'token': 'block:usersync-okta/ending/token'}\n"
        "bitbucket = {'kind': 'bitbucket', 'url': 'https://b.example.com', 'username': 'svc',\n"
        "             'password': 'block:usersync-bitbucket/endless'}\n"
        "for side, raw in (('source', okta), ('target', bitbucket)):\n"
        "    found = expiries_of_blocks(parse_settings(side, raw))\n"
        "    print({reference: day.isoformat() for reference, day in found.items()})\n"
    )
    done = python(server, code)
    assert done.stdout.splitlines() == ["{'block:usersync-okta/ending/token': '2027-01-31'}", "{}"], done.stderr


def test_a_secret_is_read_from_a_block(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    host.save_secret("okta-token", SSWS_TOKEN)
    stage.write_sync_file(source={"token": "block:secret/okta-token"})
    assert host.sync(stage).name == "Completed"


def test_a_block_that_is_missing_is_refused_by_its_name(server: PrefectServer, host: FlowHost, stage: Stage) -> None:
    stage.write_sync_file(source={"token": "block:secret/nobody-made-this"})
    refused = host.sync(stage)
    assert refused.name == "Refused"
    assert "block:secret/nobody-made-this: there is no such block; " in refused.message
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


def test_who_has_the_database_or_the_api_can_read_a_block_as_the_page_says(
    server: PrefectServer, registered: None
) -> None:
    save_block(server, "usersync-okta", "not-so-secret", token=SSWS_TOKEN, private_key="")
    with sqlite3.connect(f"file:{server.home / 'prefect.db'}?mode=ro", uri=True) as database:
        ((kept_key,),) = database.execute("SELECT value FROM configuration WHERE key = 'ENCRYPTION_KEY'").fetchall()
        ((stored,),) = database.execute("SELECT data FROM block_document WHERE name = 'not-so-secret'").fetchall()
    assert SSWS_TOKEN not in stored
    key = Fernet(json.loads(kept_key)["fernet_key"].encode())
    assert json.loads(key.decrypt(json.loads(stored).encode()))["token"] == SSWS_TOKEN
    path = "/block_types/slug/usersync-okta/block_documents/name/not-so-secret"
    assert server.get(path)["data"]["token"] != SSWS_TOKEN
    assert server.get(f"{path}?include_secrets=true")["data"]["token"] == SSWS_TOKEN
