"""Opening the ledger to look something up: nothing is created where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import ledger as ledgers
from directory.errors import UnknownRecord

if TYPE_CHECKING:
    from ledger.opening import Ledger
    from ledger.runs import Run

__all__ = ["find_run", "looked_up", "sync_file_of"]

_SQLITE = "sqlite:///"
_ENOUGH = 1000


@contextmanager
def looked_up(url: str | None) -> Iterator[Ledger]:
    """The ledger, to read from. Raises `UnknownRecord` where it would be an empty new file."""
    place = url or ledgers.default_url()
    if place.startswith(_SQLITE) and not Path(place.removeprefix(_SQLITE)).exists():
        raise UnknownRecord(
            "there is no ledger yet, so no run and no plan is known",
            subject=place.removeprefix(_SQLITE),
            next_step="run it in the folder of the first run, or name the ledger with --ledger or USERSYNC_LEDGER",
        )
    with ledgers.open(place) as ledger:
        yield ledger


def find_run(ledger: Ledger, name: str) -> Run:
    """By id, the beginning of it, or `latest`. Raises `UnknownRecord`."""
    if name != "latest":
        return ledger.runs.get(name)
    for run in ledger.runs.latest(limit=1):
        return run
    raise UnknownRecord("the ledger has no run yet", next_step="`usersync plan SYNC` makes one that changes nothing")


def sync_file_of(ledger: Ledger, plan_id: str) -> str:
    """The sync file of the latest run with that plan. Raises `UnknownRecord`."""
    stored = ledger.plans.get(plan_id)
    for run in ledger.runs.latest(sync=stored.sync, limit=_ENOUGH):
        if run.plan_id == stored.id and run.header.get("sync_file"):
            return str(run.header["sync_file"])
    raise UnknownRecord(
        "the ledger does not know which sync file the plan was made with",
        subject=f"plan {stored.id[:8]}",
        not_done="nothing was applied",
        next_step=f"name the sync file: `usersync apply {stored.id[:8]} SYNC`",
    )
