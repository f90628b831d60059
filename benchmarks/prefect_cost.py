"""What Prefect costs: its share of a sync of 10,000 people, a scheduled run without a change, and its database.

Run: `.venv/bin/python benchmarks/prefect_cost.py [share] [scheduled] [database]`; without a word, all three.

- share: 10,000 people, 500 groups and 40,000 memberships are loaded into an empty simulated Bitbucket that answers at
  once, by the bare pipeline and as a flow in turn, a process and an empty ledger each. Bar: at most 20 % of the whole
  is Prefect's. The same again where nothing is left to do.
- scheduled: a worker runs a deployment of 1,000 people that changes nothing; the processor seconds of the flow run's
  process are those that its worker waited for. Bar: 5.
- database: pages in use of the server's SQLite file before and after loads of 100 to 10,000 people, runs without a
  change, and a run that changes everybody, once everything has been stored. Bar: 200 kB a run.

Figures are medians. The simulator, the server and the worker are other processes than the one that is measured.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from no_change_flow import ROOT, as_deployed, prefect_server, process, run

SHARE_PEOPLE, SHARE_GROUPS = 10_000, 500
SCHEDULED_PEOPLE = 1_000
DATABASE_PEOPLE = (100, 1_000, 10_000)
RUNS = 3
MEMBERSHIPS_EACH = 4
TICKS = os.sysconf("SC_CLK_TCK")
QUIET_SECONDS = 6.0


@contextmanager
def empty_bitbucket() -> Iterator[str]:
    command = [sys.executable, "-m", "sandbox.bitbucket"]
    with process(command, stdout=subprocess.PIPE, cwd=ROOT) as running:
        assert running.stdout is not None
        yield json.loads(running.stdout.readline())["base_url"]


def write_sync(folder: Path, base_url: str, people: int, groups: int, *, called: str = "Person") -> None:
    """A source of files, and a sync file that loads it into an empty Bitbucket."""
    names = [f"p{number:06}" for number in range(people)]
    pl.DataFrame(
        {
            "external_id": [f"id-{name}" for name in names],
            "username": names,
            "email": [f"{name}@example.org" for name in names],
            "display_name": [f"{called} {name}" for name in names],
            "active": [True] * people,
        }
    ).write_parquet(folder / "people.parquet")
    chance = random.Random(people)
    pairs = [
        (f"group-{group:04}", f"id-{name}")
        for name in names
        for group in chance.sample(range(groups), k=min(MEMBERSHIPS_EACH, groups))
    ]
    pl.DataFrame(pairs, schema=["group", "member"], orient="row").write_parquet(folder / "memberships.parquet")
    (folder / "sync.yaml").write_text(
        "name: bench\n"
        f"source: {{kind: file, people: '{folder}/people.parquet', memberships: '{folder}/memberships.parquet'}}\n"
        f"target: {{kind: bitbucket, url: '{base_url}', username: admin, password: 'env:BITBUCKET_PASSWORD'}}\n"
    )


def share(api: str, home: Path) -> None:
    prefect = {"PREFECT_API_URL": api, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1"}
    measured: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for _ in range(RUNS):
        for how in ("plain", "flow"):
            with tempfile.TemporaryDirectory() as name, empty_bitbucket() as base_url:
                folder = Path(name)
                write_sync(folder, base_url, SHARE_PEOPLE, SHARE_GROUPS)
                for what in ("load", "no change"):
                    line = run(folder, how, **(prefect if how == "flow" else {}))
                    print(json.dumps({"what": what, **line}), flush=True)
                    measured.setdefault((what, how), []).append(line)
    for what in ("load", "no change"):
        for figure in ("wall_seconds", "cpu_seconds"):
            plain, flow = (statistics.median(line[figure] for line in measured[what, how]) for how in ("plain", "flow"))
            percent = round(100 * (flow - plain) / flow, 1)
            print(json.dumps({"share": what, "of": figure, "plain": plain, "flow": flow, "prefect_percent": percent}))


class Office:
    """A server's API, a deployment of a sync, and the worker that runs it."""

    def __init__(self, api: str, home: Path) -> None:
        self.api = api
        self.home = home
        self.environment = as_deployed() | {
            "PREFECT_API_URL": api,
            "PREFECT_HOME": str(home),
            "DO_NOT_TRACK": "1",
            "BITBUCKET_PASSWORD": "admin",
            "PYTHONPATH": str(ROOT),
        }

    def request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", data, {"Content-Type": "application/json"})
        for _ in range(20):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                # A server on SQLite is busy now and then.
                if error.code != 503:
                    raise
                time.sleep(0.5)
        raise RuntimeError(f"{path}: the Prefect server stayed unavailable")

    def deploy(self, folder: Path, name: str) -> str:
        """The deployment's id."""
        (folder / "prefect.yaml").write_text(
            f"""\
pull: [{{prefect.deployments.steps.set_working_directory: {{directory: "{ROOT}"}}}}]
deployments:
  - name: {name}
    entrypoint: flows/sync.py:sync
    parameters: {{sync_file: "{folder / "sync.yaml"}"}}
    work_pool:
      name: bench
      job_variables:
        command: {sys.executable} -m prefect.engine
        env: {{USERSYNC_LEDGER: "sqlite:///{folder / "ledger.db"}"}}
""",
            encoding="utf-8",
        )
        self._prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(folder / "prefect.yaml"))
        return str(self.request(f"/deployments/name/sync/{name}")["id"])

    def make_pool(self) -> None:
        self._prefect("work-pool", "create", "bench", "--type", "process")

    def _prefect(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])

    @contextmanager
    def worker(self) -> Iterator[int]:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "bench"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with process(command, cwd=ROOT, env=self.environment, **silent) as running:
            yield running.pid

    def run(self, deployment: str) -> str:
        """The name of the state that a run of it ended in."""
        made = self.request(f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})
        while True:
            state = self.request(f"/flow_runs/{made['id']}")["state"]
            if state["type"] in {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}:
                if state["type"] != "COMPLETED":
                    raise RuntimeError(f"{state['name']}: {state['message']}")
                return str(state["name"])
            time.sleep(0.5)

    def database_bytes(self) -> int:
        """Pages in use, once nothing has been added for a while."""
        return settled(self._pages_in_use, QUIET_SECONDS)

    def _pages_in_use(self) -> int:
        with sqlite3.connect(f"file:{self.home / 'prefect.db'}?mode=ro", uri=True) as database:
            values = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES]
        return int((values[0] - values[1]) * values[2])


_PAGES = ("page_count", "freelist_count", "page_size")


def settled(look: Callable[[], int], seconds: float) -> int:
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.5)
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def waited_for(pid: int) -> float:
    """Processor seconds of the children of a process that have ended, theirs included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / TICKS


def scheduled(office: Office) -> None:
    with tempfile.TemporaryDirectory() as name, empty_bitbucket() as base_url:
        folder = Path(name)
        write_sync(folder, base_url, SCHEDULED_PEOPLE, 50)
        deployment = office.deploy(folder, "scheduled")
        with office.worker() as worker:
            print(json.dumps({"scheduled": office.run(deployment)}), flush=True)
            used = []
            for _ in range(RUNS + 2):
                # The worker has waited for a process a moment after its flow run has ended.
                before = settled(lambda: int(waited_for(worker) * TICKS), 2.0)
                ended = office.run(deployment)
                after = settled(lambda: int(waited_for(worker) * TICKS), 2.0)
                used.append((after - before) / TICKS)
                print(json.dumps({"scheduled": ended, "cpu_seconds": used[-1]}), flush=True)
    print(json.dumps({"scheduled": "no change", "median_cpu_seconds": statistics.median(used)}))


def database(office: Office) -> None:
    with office.worker():
        for people in DATABASE_PEOPLE:
            with tempfile.TemporaryDirectory() as name, empty_bitbucket() as base_url:
                folder = Path(name)
                write_sync(folder, base_url, people, max(10, people // 20))
                deployment = office.deploy(folder, f"of-{people}")
                for what in ("load", *["no change"] * RUNS, "everybody changed"):
                    if what == "everybody changed":
                        write_sync(folder, base_url, people, max(10, people // 20), called="Colleague")
                    before = office.database_bytes()
                    ended = office.run(deployment)
                    grown = office.database_bytes() - before
                    print(json.dumps({"people": people, "what": what, "ended": ended, "kb": grown / 1000}), flush=True)


def main() -> None:
    chosen = sys.argv[1:] or ["share", "scheduled", "database"]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with prefect_server(home) as api:
            if "share" in chosen:
                share(api, home)
            office = Office(api, home)
            office.make_pool()
            if "scheduled" in chosen:
                scheduled(office)
            if "database" in chosen:
                database(office)


if __name__ == "__main__":
    main()
