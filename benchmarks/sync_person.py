"""How long one person takes, and how many requests, where source and target take 20 ms for each answer.

Run: `.venv/bin/python benchmarks/sync_person.py [served] [people] [groups] [times] [milliseconds]`. Movers (a group
more, one less), joiners, leavers and people of whom nothing changed, one after the other, with a ledger that has them
all. `served`: each by POST /api/syncs/SYNC/people/NAME to `usersync serve`, a process of its own; else in this process,
by one workshop for all. The simulators run in this process. Exit code 1 over the bar.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from flows.pipeline import sync_person
from sandbox.company import Person, Standing
from tasks.workshop import open_workshop
from tests.e2e.served_office import ServedOffice, served_office
from tests.e2e.stage import Stage, staged

BAR_SECONDS = 0.4
BAR_REQUESTS = 8
WHAT = ("nothing", "mover", "joiner", "leaver")
TICKS = os.sysconf("SC_CLK_TCK")

Deed = Callable[[str], Awaitable[None]]
"""Brings the person of that username up to date."""


class Spent(NamedTuple):
    seconds: float
    processor: float
    """Seconds of the process that does it; the simulators' too where that is this one."""
    source: int
    """Requests."""
    target: int


class Distant:
    """An application that answers no sooner than a network would."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.seconds = 0.0
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests += 1
            await asyncio.sleep(self.seconds)
        await self._app(scope, receive, send)


def happens(stage: Stage, what: str, person: Person) -> Person:
    if what == "mover":
        theirs = sorted(stage.company.memberships[person.id])
        others = [key for key in stage.company.groups if len(stage.company.lineage(key)) == 1 and key not in theirs]
        alone = [key for key in theirs if len(stage.company.lineage(key)) == 1]
        stage.company.quit(person.id, (alone or theirs)[0])
        stage.company.join(person.id, others[0])
    elif what == "joiner":
        return stage.company.hire(1)[0]
    elif what == "leaver":
        stage.company.leave(person.id)
    return person


async def measure(
    stage: Stage, sides: list[Distant], times: int, deed: Deed, processor: Callable[[], float]
) -> dict[str, list[Spent]]:
    found: dict[str, list[Spent]] = {what: [] for what in WHAT}
    active = [one for one in stage.company.people.values() if one.standing is Standing.ACTIVE]
    people = iter(active)
    for turn in range(times + 1):
        for what in WHAT:
            person = happens(stage, what, next(people))
            before = [side.requests for side in sides]
            started, used = time.perf_counter(), processor()
            await deed(person.login)
            seconds = time.perf_counter() - started
            source, target = (side.requests - count for side, count in zip(sides, before, strict=True))
            if turn:  # the first of each imports, and opens connections
                found[what].append(Spent(seconds, processor() - used, source, target))
    return found


async def by_pipeline(stage: Stage, sides: list[Distant], times: int) -> dict[str, list[Spent]]:
    async with open_workshop(stage.sync_file, ledger_url=stage.ledger_url, clock=lambda: datetime.now(UTC)) as shop:

        async def deed(name: str) -> None:
            ending = await sync_person(shop, name)
            assert ending.exit_code == 0, ending.message

        return await measure(stage, sides, times, deed, time.process_time)


async def by_service(stage: Stage, sides: list[Distant], times: int, office: ServedOffice) -> dict[str, list[Spent]]:
    bearer = {"Authorization": f"Bearer {office.token('run')}"}
    async with httpx.AsyncClient(base_url=office.address, headers=bearer, timeout=60) as client:

        async def deed(name: str) -> None:
            answer = await client.post(f"/api/syncs/staff/people/{name}")
            assert answer.status_code == 200, answer.text

        return await measure(stage, sides, times, deed, lambda: processor_of(office.pid))


def processor_of(pid: int) -> float:
    """Processor seconds that a process has used, in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def company(people: int, groups: int, milliseconds: float) -> Iterator[tuple[Stage, list[Distant]]]:
    """Loaded, so that the ledger knows the ids of the accounts."""
    sides: list[Distant] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        sides.append(Distant(app))
        return sides[-1]

    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        staged(Path(folder), patch, staff=(people, groups), wrap=wrap) as stage,
    ):
        assert stage.sync().ending.exit_code == 0
        stage.assert_settled()
        for side in sides:
            side.seconds = milliseconds / 1000
        yield stage, sides


def told(what: str, runs: list[Spent]) -> bool:
    """Prints a line; whether it is within the bar."""
    seconds = sorted(run.seconds for run in runs)
    p95 = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    source, target = max(run.source for run in runs), max(run.target for run in runs)
    print(
        f"{what:8} p50 {statistics.median(seconds) * 1000:4.0f} ms  p95 {p95 * 1000:4.0f} ms  "
        f"processor {statistics.mean(run.processor for run in runs) * 1000:4.0f} ms  "
        f"requests at most {source} to the source, {target} to the target"
    )
    return p95 <= BAR_SECONDS and (target <= BAR_REQUESTS or what == "leaver")


def main(people: int, groups: int, times: int, milliseconds: float, *, serve: bool) -> int:
    with company(people, groups, milliseconds) as (stage, sides):
        if serve:
            office = ServedOffice(stage.folder, stage.bitbucket, stage.ledger_url)
            with served_office(office, "--syncs", str(stage.folder)):
                measured = asyncio.run(by_service(stage, sides, times, office))
        else:
            measured = asyncio.run(by_pipeline(stage, sides, times))
    print(f"{people:,} people, {groups:,} groups, {milliseconds:g} ms an answer{', served' if serve else ''}")
    within = [told(what, runs) for what, runs in measured.items()]
    return 0 if all(within) else 1


if __name__ == "__main__":
    words = sys.argv[1:]
    numbers = [float(word) for word in words if word != "served"]
    given = [*numbers, *(2000.0, 100.0, 20.0, 20.0)[len(numbers) :]]
    sys.exit(main(int(given[0]), int(given[1]), int(given[2]), given[3], serve="served" in words))
