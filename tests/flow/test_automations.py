"""Messages about what happens, from the event to a web hook and a mailbox, both on loopback."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.state import BUSY, ENDING_NAMES, SUPERSEDED
from tests.e2e.stage import Stage, staged
from tests.flow.server import ROOT, FlowHost, PrefectServer, flow_host, wait_for

NAMES = {path.stem for path in (ROOT / "deploy" / "automations").glob("*.yaml")}


class Inbox(list[str]):
    """Messages in the order in which they came."""

    def wait_for(self, part: str) -> str:
        return wait_for(lambda: next((one for one in self if part in one), None), f"a message with {part!r}")


@contextmanager
def web_hook() -> Iterator[tuple[str, Inbox]]:
    """Its address, and what was posted there."""
    inbox = Inbox()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            inbox.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server, _served(server):
        yield f"http://127.0.0.1:{server.server_port}/hook", inbox


@contextmanager
def mailbox() -> Iterator[tuple[int, Inbox]]:
    """The port of a mail server that takes everything (RFC 5321), and the texts it was given."""
    inbox = Inbox()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 loopback\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    inbox.append(read_mail(self.rfile))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server, _served(server):
        yield server.server_address[1], inbox


def read_mail(lines: Any) -> str:
    content = bytearray()
    while (line := lines.readline()) != b".\r\n":
        content += line
    mail = email.message_from_bytes(content, policy=email.policy.default)
    body = mail.get_body(("plain", "html"))
    assert body is not None
    return f"{mail['To']}\n{mail['Subject']}\n{body.get_content()}"


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def command(server: PrefectServer, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import run; run()", "automations", *words],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def save_block(server: PrefectServer, slug: str, name: str, data: dict[str, Any]) -> str:
    kind = server.get(f"/block_types/slug/{slug}")
    (schema, *_) = server.post("/block_schemas/filter", block_schemas={"block_type_id": {"any_": [kind["id"]]}})
    server.post("/block_documents/", name=name, data=data, block_type_id=kind["id"], block_schema_id=schema["id"])
    return f"{slug}/{name}"


def automations(server: PrefectServer) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in server.post("/automations/filter")}


@pytest.fixture
def clean(server: PrefectServer) -> Iterator[None]:
    yield
    for one in automations(server).values():
        server.http.delete(f"/automations/{one['id']}").raise_for_status()


def test_what_happens_arrives_as_a_message_with_sync_reason_and_next_step(
    server: PrefectServer, host: FlowHost, stage: Stage, clean: None
) -> None:
    with web_hook() as (address, posted), mailbox() as (port, mail):
        hook = save_block(server, "webhook", "events-out", {"url": address})
        box = save_block(
            server,
            "slack-webhook",
            "mail-out",
            {
                "url": f"mailto://127.0.0.1:{port}?from=usersync@example.com&to=ops@example.com&mode=insecure&format=text"
            },
        )
        assert command(server, "--on", "held", "--notify", hook).returncode == 0
        switched = command(server, "--on", "failed", "--on", "deactivated", "--on", "secret-expiring", "--notify", box)
        assert switched.returncode == 0, switched.stderr

        assert stage.sync().ending.exit_code == 0
        gone = stage.company.leave(stage.active(1)[0].id).username.partition("@")[0].lower()
        stage.write_sync_file(secrets={"target_expires": "2020-02-29"})
        assert host.sync(stage).name == "Completed"
        lost = mail.wait_for("lost their access")
        assert "ops@example.com" in lost
        assert "usersync staff: 1 lost their access" in lost
        assert gone in lost
        assert "\nTaking it back: usersync undo " in lost
        assert "Flow run sync-staff" in lost
        expired = mail.wait_for("expired on")
        assert "usersync staff: the target's secret expired on 2020-02-29" in expired
        assert "Next: make a new one" in expired

        stage.company.lose(0.15)
        assert host.sync(stage).name == "Held"
        held = json.loads(posted.wait_for("usersync.plan.held"))
        assert held["resource"] == "usersync.sync.staff"
        assert "is held and nothing of it was applied" in held["payload"]["message"]
        assert "usersync apply" in held["payload"]["next_step"]

        stage.okta.switches.ssws_tokens.clear()
        assert host.sync(stage).name == "Failed"
        failed = mail.wait_for("usersync staff: failed")
        assert "Next: " in failed


def test_a_sync_without_a_success_for_too_long_is_told(
    server: PrefectServer, host: FlowHost, stage: Stage, clean: None
) -> None:
    with web_hook() as (address, posted):
        hook = save_block(
            server,
            "custom-webhook",
            "quiet",
            {"name": "quiet", "url": address, "json_data": {"text": "{{subject}} / {{body}}"}},
        )
        on = command(server, "--on", "no-success", "--notify", hook, "--hours", "0.01")
        assert on.returncode == 0, on.stderr
        stage.okta.switches.ssws_tokens.clear()
        assert host.sync(stage).name == "Failed"
        text = json.loads(posted.wait_for("no run succeeded"))["text"]
        assert text.startswith("usersync staff: no run succeeded for 0.0 hours / The last that was heard of it")
        assert "Next: see whether its schedule is active" in text


def test_switching_on_twice_leaves_one_and_switching_off_keeps_it(server: PrefectServer, clean: None) -> None:
    block = save_block(server, "slack-webhook", "twice", {"url": "https://hooks.example.com/1"})
    for _ in range(2):
        assert command(server, "--on", "held", "--notify", block).returncode == 0
    listed = {line.split()[1]: line.split()[0] for line in command(server).stdout.splitlines()}
    assert listed == dict.fromkeys(NAMES, "absent") | {"held": "on"}
    assert command(server, "--off", "held").returncode == 0
    (only,) = automations(server).values()
    assert (only["enabled"], only["name"]) == (False, "usersync: a plan is held")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "heald"], "there is no automation 'heald'"),
        (["--on", "held"], "nothing says where to"),
        (["--on", "held", "--notify", "slack-webhook/nowhere"], "there is no such block"),
        (["--on", "held", "--notify", "secret/no-channel"], "cannot send a message"),
        (["--on", "held", "--notify", "slack-webhook/for-hours", "--hours", "3"], "leave --hours out"),
    ],
    ids=["name", "no block", "unknown block", "wrong block", "hours"],
)
def test_a_mistake_is_refused_and_nothing_is_switched_on(server: PrefectServer, words: list[str], said: str) -> None:
    if "secret/no-channel" in words:
        save_block(server, "secret", "no-channel", {"value": "not to be told"})
    if "slack-webhook/for-hours" in words:
        save_block(server, "slack-webhook", "for-hours", {"url": "https://hooks.example.com/1"})
    refused = command(server, *words)
    assert refused.returncode == 2, refused.stderr
    assert said in " ".join(refused.stderr.split())
    assert automations(server) == {}


def test_a_run_that_is_not_heard_of_is_crashed_and_one_that_ended_or_waits_is_not(
    server: PrefectServer, host: FlowHost, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: None
) -> None:
    # Heartbeats come every 30 seconds, which is as often as Prefect can.
    on = command(server, "--on", "silent", "--hours", str(45 / 3600))
    assert on.returncode == 0, on.stderr
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    with staged(elsewhere, monkeypatch) as other:
        over = [host.sync(other), host.run("plan", other)]
        other.company.lose(0.15)
        over.append(host.sync(other))
        assert [run.name for run in over] == ["Completed", "Nothing to do", "Held"], over
        stage.bitbucket.faults.slow(0.2, method="WRITE", times=None)
        with flow_host(server, "silenced") as doomed, ThreadPoolExecutor() as aside:
            ended = aside.submit(doomed.sync, stage)
            wait_for(lambda: stage.effects or None, "the first change in Bitbucket")
            doomed.process.kill()
            with pytest.raises(AssertionError, match="has ended"):
                ended.result()
        with stage.ledger() as book:
            (run,) = book.runs.latest()
        crashed = server.wait_for_state(str(run.flow_run_id), "Crashed", seconds=120)
        assert "Nothing was heard of this run" in crashed["state"]["message"]
        assert [server.flow_run(run.id)["state_name"] for run in over] == [run.name for run in over]


@pytest.mark.parametrize("name", ["silent", "never-begun"])
def test_whatever_may_follow_is_expected(name: str) -> None:
    """A state that is not in the list would be changed to Crashed some time after the run came to it."""
    raw = yaml.safe_load((ROOT / "deploy" / "automations" / f"{name}.yaml").read_text(encoding="utf-8"))
    expected = {event.removeprefix("prefect.flow-run.") for event in raw["trigger"]["expect"]}
    assert {*ENDING_NAMES.values(), BUSY, SUPERSEDED} <= expected
    assert {"Suspended", "Paused", "AwaitingRetry", "Scheduled", "TimedOut", "Cancelled"} <= expected
    begun = {"Running", "Rerunning", "Retrying"}
    given = begun if name == "never-begun" else {"heartbeat"}
    assert given <= expected
    assert name != "silent" or begun <= {event.rpartition(".")[2] for event in raw["trigger"]["after"]}
    assert expected & {"Pending"} == set()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_automation_says_what_it_is_for_and_is_off_until_switched_on(name: str) -> None:
    raw = yaml.safe_load((ROOT / "deploy" / "automations" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert raw["name"]
    assert raw["description"]
