"""One real Prefect server for the session, and what it has stored, read back as a browser would: over its API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import httpx

from sandbox.okta import SSWS_TOKEN
from tests.e2e.stage import PASSWORD, Stage

START_SECONDS = 180
BUSY = 503
ROOT = Path(__file__).parents[2]

T = TypeVar("T")


@dataclass(frozen=True)
class PrefectServer:
    url: str
    """Of the API."""
    home: Path
    http: httpx.Client

    @property
    def environment(self) -> dict[str, str]:
        """For processes that are clients of this server and leave nothing elsewhere."""
        return quiet_environment(self.home.with_name("client")) | {"PREFECT_API_URL": self.url}

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body).raise_for_status()
        return answer.json() if answer.content else None

    def flow_run(self, flow_run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/flow_runs/{flow_run_id}")
        return found

    def artifacts(self, flow_run_id: str) -> dict[str, dict[str, Any]]:
        """By key; where a key was written more than once, the newest."""
        mine = {"flow_run_id": {"any_": [flow_run_id]}}
        rows = self.post("/artifacts/filter", artifacts=mine, sort="CREATED_DESC")
        return {row["key"]: row for row in reversed(rows)}

    def table(self, flow_run_id: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.artifacts(flow_run_id)[key]["data"])
        return rows

    def task_runs(self, flow_run_id: str) -> list[dict[str, Any]]:
        """All of them: the server stores task runs some time after they happened, but not three seconds apart."""
        changes: list[tuple[int, float]] = [(0, 0.0)]

        def ended() -> list[dict[str, Any]] | None:
            rows: list[dict[str, Any]] = self.post(
                "/task_runs/filter", flow_runs={"id": {"any_": [flow_run_id]}}, sort="EXPECTED_START_TIME_ASC"
            )
            if len(rows) != changes[-1][0]:
                changes.append((len(rows), time.monotonic()))
            final = all(row["state_type"] in {"COMPLETED", "FAILED", "CRASHED"} for row in rows)
            return rows if rows and final and time.monotonic() - changes[-1][1] > 3 else None

        return wait_for(ended, "the task runs")

    def logs(self, flow_run_id: str) -> list[str]:
        """The messages that have been stored by now, in order."""
        mine = {"flow_run_id": {"any_": [flow_run_id]}}
        return [row["message"] for row in self.post("/logs/filter", logs=mine, sort="TIMESTAMP_ASC")]

    def wait_for_log(self, flow_run_id: str, part: str) -> list[str]:
        def found() -> list[str] | None:
            messages = self.logs(flow_run_id)
            return messages if any(part in message for message in messages) else None

        return wait_for(found, f"the log line {part!r}")

    def wait_for_state(self, flow_run_id: str, *names: str, seconds: float = 90) -> dict[str, Any]:
        def arrived() -> dict[str, Any] | None:
            run = self.flow_run(flow_run_id)
            return run if run["state_name"] in names else None

        def seen() -> str:
            run = self.flow_run(flow_run_id)
            return f"{names}; it is {run['state_name']}: {run['state']['message']}"

        return wait_for(arrived, seen, seconds=seconds)


def wait_for(look: Callable[[], T | None], what: str | Callable[[], str], *, seconds: float = 60) -> T:
    """Look five times a second until there is something to see."""
    deadline = time.monotonic() + seconds
    while (seen := look()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what if isinstance(what, str) else what()}")
        time.sleep(0.2)
    return seen


def quiet_environment(home: Path) -> dict[str, str]:
    """This process's environment without its Prefect settings, with a Prefect home of its own and no telemetry."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "USERSYNC_"))}
    return plain | {"PREFECT_HOME": str(home), "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


@contextmanager
def process(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end with the block, and made to end where it does not."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@dataclass(frozen=True)
class Ended:
    """A flow run, and the state that it ended in."""

    id: str
    type: str
    name: str
    message: str


@dataclass(frozen=True)
class FlowHost:
    """Has flows run in a process of their own, see `tests.flow.host`."""

    process: subprocess.Popen[bytes]
    log: Path

    def sync(
        self, stage: Stage, *, again: str | None = None, environment: Mapping[str, str] = MappingProxyType({})
    ) -> Ended:
        return self.run("sync", stage, again=again, environment=environment)

    def run(
        self,
        flow: str,
        stage: Stage,
        *,
        again: str | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
        **parameters: str,
    ) -> Ended:
        """Run a flow on a stage; `again` is the id of a flow run that is to be run once more.

        What `environment` names stays set for later runs of this host.
        """
        order = {
            "flow": flow,
            "parameters": {"sync_file": str(stage.sync_file), **parameters},
            "environment": {**environment_of(stage), **environment},
        }
        return Ended(**self._order(order | ({} if again is None else {"again": again})))

    def warm_up(self) -> None:
        """Wait until everything is imported."""
        self._order({})

    def save_secret(self, block: str, value: str) -> None:
        self._order({"secret": block, "value": value})

    def _order(self, order: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f"the host of the flows has ended:\n{self.log.read_text()[-3000:]}")
        return json.loads(answer)


def environment_of(stage: Stage) -> dict[str, str]:
    """What a flow run on that stage finds in its environment."""
    return {"OKTA_TOKEN": SSWS_TOKEN, "BITBUCKET_PASSWORD": PASSWORD, "USERSYNC_LEDGER": stage.ledger_url}


@contextmanager
def flow_host(server: PrefectServer, name: str = "host") -> Iterator[FlowHost]:
    log = server.home.with_name(f"{name}.log")
    environment = server.environment | {
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "tests.flow.host"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
        )
        with running:
            yield FlowHost(running, log)
            # The context closes its input and waits: it ends by itself.


@contextmanager
def prefect_server(folder: Path) -> Iterator[PrefectServer]:
    """Start a server with an empty database in `folder`, on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home, log = folder / "server", folder / "server.log"
    environment = quiet_environment(home) | {
        # Otherwise the pages look for the server at port 4200.
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # Task runs reach the database in batches, soon enough for a test to wait for them. Whole seconds, for Prefect
        # cuts off the rest, and a server that is to wait for 0 seconds does nothing else.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    with (
        process(command, log, environment) as running,
        httpx.Client(base_url=url, timeout=30, transport=_Patient()) as http,
    ):
        deadline = time.monotonic() + START_SECONDS
        while not _healthy(http):
            if running.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the Prefect server did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield PrefectServer(url, home, http)


class _Patient(httpx.HTTPTransport):
    """Asks again when Prefect's SQLite file was locked (503), as Prefect's own client does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + START_SECONDS
        while (answer := super().handle_request(request)).status_code == BUSY and time.monotonic() < deadline:
            answer.close()
            time.sleep(0.5)
        return answer


def _healthy(http: httpx.Client) -> bool:
    try:
        return http.get("/health").is_success
    except httpx.HTTPError:
        return False
