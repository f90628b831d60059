"""What another sync file would do, by the snapshots in the ledger. Nobody is asked and nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from directory.errors import UnknownRecord
from ledger.opening import Ledger
from reconcile.decide import Names, decide
from reconcile.plan import Plan
from reconcile.whatif import Difference, compare_plans
from tasks.memory import last_good_source, remembered
from tasks.snapshots import last_sides
from tasks.sync_file import SyncFile

__all__ = ["WhatIf", "what_if"]


@dataclass(frozen=True)
class WhatIf:
    difference: Difference
    plan: Plan
    """The plan that the new rules would make."""
    source_read_at: datetime
    target_read_at: datetime


def what_if(ledger: Ledger, old: SyncFile, new: SyncFile) -> WhatIf:
    """Decide by both files on the snapshots of the sync `old`. Raises `UnknownRecord` where there are none yet."""
    sides = last_sides(ledger, old.name)
    if sides is None:
        raise UnknownRecord(
            "the ledger has no snapshot of both sides yet",
            subject=old.name,
            not_done="nothing was compared",
            next_step=f"`usersync plan {old.name}` reads them and changes nothing",
        )
    source, target = sides
    present = remembered(ledger, old.name, target, target.read_at)
    names = Names(old.name, "snapshot", "snapshot")
    last_good = last_good_source(ledger, old.name)
    before, after = (decide(source, target, present, file.policy.undivided, names, last_good) for file in (old, new))
    return WhatIf(compare_plans(before, after), after, source.read_at, target.read_at)
