"""`python -m tests.e2e.forked_runs`: each order on stdin is carried out by a process of its own, which may be killed.

Everything is imported once and a child is forked for each order, since starting anew would cost more than the run. An
order is one JSON line of `Order`; the answers are two lines: the child's process id, and when it has ended its exit
code, negative for the signal that ended it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from flows.pipeline import apply_plan, run_sync
from sandbox.okta import SSWS_TOKEN
from tasks.ending import Ending
from tasks.workshop import open_workshop
from tests.e2e.stage import PASSWORD, Stage

ROOT = Path(__file__).parents[2]
IMPORTED_LATE = (
    "connectors.sources.okta",
    "connectors.targets.bitbucket",
    "ledger.schema",
    "scipy.sparse.csgraph",
    "sqlalchemy.dialects.sqlite",
)
"""What a run imports only when it needs it, and every child would import again."""


class Order(msgspec.Struct):
    do: Literal["sync", "apply"]
    sync_file: str
    ledger_url: str
    plan_id: str = ""


async def carry_out(order: Order) -> Ending:
    async with open_workshop(Path(order.sync_file), ledger_url=order.ledger_url) as shop:
        return await (run_sync(shop) if order.do == "sync" else apply_plan(shop, order.plan_id))


def main() -> None:
    for module in IMPORTED_LATE:
        importlib.import_module(module)
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if child == 0:
            os._exit(asyncio.run(carry_out(order)).exit_code)
        print(child, flush=True)  # noqa: T201 the answer of this program
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


class Forks:
    """The client of that program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, stage: Stage, do: Literal["sync", "apply"], plan_id: str = "") -> int:
        """The process id of a run that has begun."""
        assert self._process.stdin is not None
        order = Order(do, str(stage.sync_file), stage.ledger_url, plan_id)
        self._process.stdin.write(msgspec.json.encode(order).decode() + "\n")
        self._process.stdin.flush()
        return self._answer()

    def wait(self) -> int:
        """The exit code of the run that was started last; -9 for one that was killed."""
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the program that forks has ended; what it said stands above"
        return int(line)


@contextmanager
def forks() -> Iterator[Forks]:
    # A library that had started threads before it was forked would wait for them in vain.
    settings = {"OKTA_TOKEN": SSWS_TOKEN, "BITBUCKET_PASSWORD": PASSWORD, "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.forked_runs"],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Forks(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()


if __name__ == "__main__":
    main()
