"""A run that has nothing to do: 100,000 people, 2,100 groups, 200,000 memberships, file → simulator, as a Prefect flow.

Run: `.venv/bin/python benchmarks/no_change_flow.py [people groups memberships]`. Bar: at most 7 CPU seconds and 500 MiB
of the usersync process as a flow against a running Prefect server. The same run without Prefect is measured in turn, so
that Prefect's share can be told apart. Medians of three runs each; the simulator and the server are other processes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

ROOT = Path(__file__).parent.parent
RUNS = 3


@contextmanager
def process(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(command, text=True, **options)  # type: ignore[call-overload]
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """A server of its own on a free port, without telemetry; yields its API's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with process(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        api = f"http://127.0.0.1:{port}/api"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{api}/health", timeout=2).read()
                break
            except OSError:
                time.sleep(0.5)
        else:
            raise RuntimeError("the Prefect server did not start in two minutes")
        yield api


def write_source(base_url: str, folder: Path) -> None:
    """Files that say what the simulator has, so that there is nothing to do but adopt, once."""
    with urllib.request.urlopen(f"{base_url}/sandbox/snapshot") as answer:
        state = json.load(answer)
    people = [
        (name, name, user["emailAddress"], user["displayName"], True)
        for name, user in state["users"].items()
        if name != "admin"
    ]
    pl.DataFrame(people, schema=["external_id", "username", "email", "display_name", "active"], orient="row").select(
        pl.format("id-{}", "external_id").alias("external_id"), pl.exclude("external_id")
    ).write_parquet(folder / "people.parquet")
    pairs = [(group, f"id-{name}") for group, names in state["memberships"].items() for name in names]
    pl.DataFrame(pairs, schema=["group", "member"], orient="row").write_parquet(folder / "memberships.parquet")


def as_deployed() -> dict[str, str]:
    """This environment, but modules are compiled once and kept, which some build machines forbid."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(folder: Path, how: str, **environment: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "one_run.py"), "sync.yaml", how],
        cwd=folder,
        env=as_deployed() | {"BITBUCKET_PASSWORD": "admin", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    line: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return line


def main() -> None:
    people, groups, memberships = (int(word) for word in (sys.argv[1:] or ["100000", "2100", "200000"]))
    simulator = [sys.executable, "-m", "sandbox.bitbucket", "--people", str(people), "--groups", str(groups)]
    with (
        tempfile.TemporaryDirectory() as name,
        process([*simulator, "--memberships", str(memberships)], stdout=subprocess.PIPE, cwd=ROOT) as bitbucket,
    ):
        folder = Path(name)
        assert bitbucket.stdout is not None
        base_url = json.loads(bitbucket.stdout.readline())["base_url"]
        write_source(base_url, folder)
        (folder / "sync.yaml").write_text(
            "name: bench\n"
            "source: {kind: file, people: people.parquet, memberships: memberships.parquet}\n"
            f"target: {{kind: bitbucket, url: '{base_url}', username: admin, password: 'env:BITBUCKET_PASSWORD'}}\n"
        )
        print(json.dumps({"first run, adopts": run(folder, "plain")}))
        with prefect_server(folder / "prefect") as api:
            home = {"PREFECT_API_URL": api, "PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1"}
            run(folder, "flow", **home)
            measured = [run(folder, how, **home) for _ in range(RUNS) for how in ("plain", "flow")]
    for line in measured:
        print(json.dumps(line))
    medians = {
        how: {
            figure: statistics.median(float(str(line[figure])) for line in measured if line["how"] == how)
            for figure in ("cpu_seconds", "wall_seconds", "peak_mib")
        }
        for how in ("plain", "flow")
    }
    share = medians["flow"]["cpu_seconds"] - medians["plain"]["cpu_seconds"]
    print(json.dumps({"medians": medians, "prefect_cpu_seconds": round(share, 2)}))


if __name__ == "__main__":
    main()
