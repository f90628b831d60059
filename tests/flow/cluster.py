"""Prefect on many machines, all of them here: PostgreSQL, Redis, two API replicas, the services, and workers that die.

What the processes of Prefect are told is read from deploy/compose.yaml, so that the file is what is tried; only
addresses differ. Each worker has a host name of its own where the system allows that, as a machine has.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from tests import postgresql, redis
from tests.flow.server import ROOT, process, quiet_environment, wait_for

COMPOSE = ROOT / "deploy" / "compose.yaml"
AUTHORITY = "usersync:for-these-tests"
POOL = "usersync"
START_SECONDS = 240


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return found


def service(name: str) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of a service of the compose file."""
    found = composed()["services"][name]
    return list(found["command"]), dict(found["environment"])


@dataclass
class Machine:
    """A worker and the flow runs that it started: they live and die together."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        apart = ["unshare", "--uts", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh"] if may_have_names() else []
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(
                [*apart, *self.command], cwd=ROOT, env=dict(self.environment), stdout=output, stderr=subprocess.STDOUT
            )

    def die(self) -> int:
        """Kill it with everything that it started, at once, as a power cut would; how many processes that were."""
        assert self.running is not None
        doomed = [self.running.pid]
        os.kill(self.running.pid, signal.SIGSTOP)  # so that it starts nothing while it is looked at
        for pid in doomed:
            doomed.extend(children_of(pid))
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.running.wait()
        self.running = None
        return len(doomed)


def may_have_names() -> bool:
    return subprocess.run(["unshare", "--uts", "true"], capture_output=True, check=False).returncode == 0


def children_of(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


@dataclass
class Cluster:
    urls: list[str]
    """Of the API's replicas."""
    ledger_url: str
    clients: list[httpx.Client]
    folder: Path
    machines: list[Machine] = field(default_factory=list)
    _asked: int = 0

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the replicas in turn, as a proxy would."""
        self._asked += 1
        client = self.clients[self._asked % len(self.clients)]
        answer = client.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json() if answer.content else None

    def add_machine(self, environment: Mapping[str, str], *, limit: int) -> None:
        number = len(self.machines) + 1
        _, composed_environment = service("worker")
        told = {name: value for name, value in composed_environment.items() if name.startswith("PREFECT_")}
        told |= {
            "PREFECT_API_URL": self.urls[number % len(self.urls)],
            "PREFECT_API_AUTH_STRING": AUTHORITY,
            "PREFECT_HOME": str(self.folder / f"machine-{number}"),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
        }
        command = [prefect(), "worker", "start", "--pool", POOL, "--type", "process"]
        command += ["--name", f"worker-{number}", "--limit", str(limit)]
        self.machines.append(
            Machine(
                f"worker-{number}",
                command,
                quiet_environment(self.folder / "unused") | told | dict(environment),
                self.folder / f"worker-{number}.log",
            )
        )


def prefect() -> str:
    return str(Path(sys.executable).with_name("prefect"))


def missing() -> str | None:
    return postgresql.missing() or redis.missing()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        database = stack.enter_context(postgresql.server())
        port = stack.enter_context(redis.server(folder))
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CREATE DATABASE prefect")
            connection.execute((ROOT / "deploy/postgresql/ledger.sql").read_bytes())
        environment = _server_environment(folder, database, port)
        _migrate(environment, folder / "migrate.log")
        urls = [_replica(stack, number, environment, folder) for number in (1, 2)]
        services, _ = service("services")
        stack.enter_context(process([prefect(), *services[1:]], folder / "services.log", environment))
        clients = [stack.enter_context(httpx.Client(base_url=url, timeout=60, auth=_authority())) for url in urls]
        for client, url in zip(clients, urls, strict=True):
            wait_for(lambda asked=client: _healthy(asked), f"the replica at {url}", seconds=START_SECONDS)  # type: ignore[misc]
        made = Cluster(urls, _named(database, "ledger"), clients, folder)
        try:
            yield made
        finally:
            for machine in made.machines:
                if machine.running is not None:
                    machine.die()


def _server_environment(folder: Path, database: str, redis_port: int) -> dict[str, str]:
    _, told = service("services")
    here = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": _named(database, "prefect").replace("://", "+asyncpg://", 1),
        "PREFECT_SERVER_API_AUTH_STRING": AUTHORITY,
        "PREFECT_SERVER_ENCRYPTION_KEY": "dGhpcy1pcy1hLWtleS1vbmx5LWZvci10aGUtdGVzdHM=",
        "PREFECT_HOME": str(folder / "server"),
        "PREFECT_SERVER_UI_ENABLED": "false",
    }
    moved = {name: value.replace("//redis:6379", f"//127.0.0.1:{redis_port}") for name, value in told.items()}
    return quiet_environment(folder / "server") | moved | here


def _migrate(environment: Mapping[str, str], log: Path) -> None:
    command, _ = service("migrate")
    with log.open("wb") as output:
        done = subprocess.run(
            [prefect(), *command[1:]],
            env=dict(environment),
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=START_SECONDS,
            check=False,
        )
    assert done.returncode == 0, log.read_text()[-3000:]


def _replica(stack: ExitStack, number: int, environment: Mapping[str, str], folder: Path) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command, told = service(f"api-{number}")
    _, usual = service("services")
    its_own = {name: value for name, value in told.items() if name not in usual}
    here = {"0.0.0.0": "127.0.0.1", "4200": str(port)}
    stack.enter_context(
        process(
            [prefect(), *(here.get(word, word) for word in command[1:])],
            folder / f"api-{number}.log",
            {**environment, **its_own},
        )
    )
    return f"http://127.0.0.1:{port}/api"


def _authority() -> tuple[str, str]:
    user, _, password = AUTHORITY.partition(":")
    return user, password


def _healthy(client: httpx.Client) -> bool | None:
    with suppress(httpx.HTTPError):
        return client.get("/health").is_success or None
    time.sleep(0.3)
    return None


def _named(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
