"""How long one person takes, and how many requests, where source and target take 20 ms for each answer.

Run: `.venv/bin/python benchmarks/sync_person.py [people] [groups] [times] [milliseconds]`. Movers (a group more, one
less), joiners, leavers and people of whom nothing changed, one after the other, in one process with a ledger that has
them all, as a service would do it. The simulators run in the same process. Exit code 1 over the bar.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from flows.pipeline import sync_person
from sandbox.company import Person, Standing
from tasks.ending import Ending
from tasks.workshop import Workshop, open_workshop
from tests.e2e.stage import Stage, staged

BAR_SECONDS = 0.4
BAR_REQUESTS = 8
WHAT = ("nothing", "mover", "joiner", "leaver")


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


async def measure(stage: Stage, sides: list[Distant], times: int) -> dict[str, list[tuple[float, float, int, int]]]:
    """Seconds, processor seconds (the simulators' too), requests to the source and to the target of each run."""
    found: dict[str, list[tuple[float, float, int, int]]] = {what: [] for what in WHAT}
    active = [one for one in stage.company.people.values() if one.standing is Standing.ACTIVE]
    people = iter(active)
    async with open_workshop(stage.sync_file, ledger_url=stage.ledger_url, clock=lambda: datetime.now(UTC)) as shop:
        for turn in range(times + 1):
            for what in WHAT:
                person = happens(stage, what, next(people))
                spent = await timed(shop, sides, partial(sync_person, name=person.login))
                if turn:  # the first of each opens connections
                    found[what].append(spent)
    return found


async def timed(
    shop: Workshop, sides: list[Distant], run: Callable[[Workshop], Awaitable[Ending]]
) -> tuple[float, float, int, int]:
    before = [side.requests for side in sides]
    started, spent = time.perf_counter(), time.process_time()
    ending = await run(shop)
    seconds, processor = time.perf_counter() - started, time.process_time() - spent
    assert ending.exit_code == 0, ending.message
    source, target = (side.requests - count for side, count in zip(sides, before, strict=True))
    return seconds, processor, source, target


def main(people: int, groups: int, times: int, milliseconds: float) -> int:
    sides: list[Distant] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        sides.append(Distant(app))
        return sides[-1]

    within = True
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        staged(Path(folder), patch, staff=(people, groups), wrap=wrap) as stage,
    ):
        assert stage.sync().ending.exit_code == 0
        stage.assert_settled()  # from now on the ledger knows the ids of the accounts
        for side in sides:
            side.seconds = milliseconds / 1000
        measured = asyncio.run(measure(stage, sides, times))
    print(f"{people:,} people, {groups:,} groups, {milliseconds:g} ms an answer")
    for what, runs in measured.items():
        seconds = sorted(run[0] for run in runs)
        p95 = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
        source, target = (max(run[side] for run in runs) for side in (2, 3))
        print(
            f"{what:8} p50 {statistics.median(seconds) * 1000:4.0f} ms  p95 {p95 * 1000:4.0f} ms  "
            f"processor {statistics.median(run[1] for run in runs) * 1000:4.0f} ms  "
            f"requests at most {source} to the source, {target} to the target"
        )
        within &= p95 <= BAR_SECONDS and (target <= BAR_REQUESTS or what == "leaver")
    return 0 if within else 1


if __name__ == "__main__":
    numbers = [float(argument) for argument in sys.argv[1:]]
    given = [*numbers, *(2000.0, 100.0, 20.0, 20.0)[len(numbers) :]]
    sys.exit(main(int(given[0]), int(given[1]), int(given[2]), given[3]))
