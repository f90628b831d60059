"""`usersync serve` as a process of its own, over a ledger with runs of thousands of people."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import ledger as ledgers
from flows.orders import Order, carried_out
from ledger.tokens import Scope
from sandbox.bitbucket import BitbucketSimulator, Switches
from sandbox.serving import served
from tasks.ending import Ending
from tasks.observer import Unobserved

__all__ = ["ServedOffice", "served_office"]

PASSWORD = "Battery-Staple-7461"
COMMAND = (sys.executable, "-P", "-c", "from cli.main import run; run()")
_ADDRESS = re.compile(r"serving at (https?://\S+?)/;")


@dataclass
class ServedOffice:
    folder: Path
    bitbucket: BitbucketSimulator
    ledger_url: str
    address: str = ""
    pid: int = 0
    """Of the process that serves."""

    def write_people(self, rows: list[str]) -> None:
        head = "external_id,username,email,display_name,active,groups\n"
        (self.folder / "people.csv").write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")

    def run(self) -> Ending:
        order = Order("sync", str(self.folder / "syncs" / "staff.yaml"), self.ledger_url)
        # In a thread: Playwright has a loop of its own in this one.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(carried_out(order, Unobserved()))).result()

    def token(self, *scopes: Scope) -> str:
        with ledgers.open(self.ledger_url) as book:
            return book.tokens.add("ada", scopes or ("read", "run", "approve"))[1]


def row(number: int, *, groups: str = "bb-dev", active: bool = True) -> str:
    name = f"person{number:05}"
    return f"{number},{name},{name}@example.com,Person {number},{str(active).lower()},{groups}"


@contextmanager
def prepared_office(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedOffice]:
    """A sync file, a simulated Bitbucket, and nothing served yet."""
    monkeypatch.chdir(folder)
    for name in ("USERSYNC_LEDGER", "USERSYNC_HOME", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OFFICE_PASSWORD", PASSWORD)
    bitbucket = BitbucketSimulator(Switches(), admin=("admin", PASSWORD))
    with served(bitbucket.app) as url:
        (folder / "syncs").mkdir()
        (folder / "syncs" / "staff.yaml").write_text(
            "source:\n  kind: file\n  people: people.csv\n"
            f"target:\n  kind: bitbucket\n  url: {url}\n  username: admin\n  password: env:OFFICE_PASSWORD\n"
            "  read_back_seconds: 0\n",
            encoding="utf-8",
        )
        yield ServedOffice(folder, bitbucket, ledgers.default_url(folder))


@contextmanager
def served_office(office: ServedOffice, *options: str) -> Iterator[ServedOffice]:
    """Served by the command, on a free port of this machine."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--ledger", office.ledger_url, *options],
        cwd=office.folder,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        if said.startswith("nobody can use it yet"):
            said = process.stderr.readline()
        found = _ADDRESS.search(said)
        assert found, said + process.stderr.read()
        office.address, office.pid = found[1], process.pid
        yield office
    finally:
        process.terminate()
        rest = process.communicate(timeout=60)[1]
    assert (process.returncode, rest) == (0, "")
