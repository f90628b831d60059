"""Remove what is old and needed by nothing from the ledger, with the documents of those runs and the audit logs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from directory.errors import ConfigurationError
from ledger.instant import now
from ledger.opening import Ledger
from tasks.documents import forget

__all__ = ["AUDIT_KEPT", "Pruned", "age", "prune"]

AUDIT_KEPT = "400d"
"""A year and some days, so that who looks once a year sees all of it."""

_AGE = re.compile(r"(\d{1,5})([dw])")
_DAYS = {"d": 1, "w": 7}


@dataclass(frozen=True)
class Pruned:
    before: datetime
    audit_before: datetime
    """Of the audit logs."""
    removed: dict[str, tuple[int, int]]
    """How many and how many bytes, by what they are; with a dry run, what would be removed."""
    dry_run: bool
    given_back: int = 0
    """Bytes by which the file of the ledger is smaller now."""
    stuck: tuple[str, ...] = ()
    """Documents that could not be removed, and why; their runs and plans stayed."""

    def told(self) -> str:
        """In one sentence."""
        some: dict[datetime, list[str]] = {}
        for name, (count, size) in self.removed.items():
            if count:
                since = self.audit_before if "audit" in name else self.before
                some.setdefault(since, []).append(f"{count:,} {name} ({size:,} bytes)")
        if not some:
            audit = f", and of the audit logs from before {self.audit_before:%Y-%m-%d},"
            return f"nothing from before {self.before:%Y-%m-%d}{audit} can be removed"
        verb = "would be" if self.dry_run else "are"
        also = f"; the file of the ledger is {self.given_back:,} bytes smaller" if self.given_back else ""
        parts = [f"from before {since:%Y-%m-%d} {verb} removed: {', '.join(each)}" for since, each in some.items()]
        return f"{'; '.join(parts)}{also}"


def age(told: str) -> timedelta:
    """`90d` or `12w`. Raises `ConfigurationError` for anything else, and for an age of no day."""
    found = _AGE.fullmatch(told.strip())
    days = int(found[1]) * _DAYS[found[2]] if found else 0
    if not days:
        raise ConfigurationError(
            f"{told!r} is no age", not_done="nothing was removed", next_step="give days or weeks, such as 90d or 12w"
        )
    return timedelta(days=days)


def prune(ledger: Ledger, before: datetime, *, audit_before: datetime | None = None, dry_run: bool = False) -> Pruned:
    """Documents go first: where it breaks off, what is left is found and removed the next time.

    `audit_before` is about the audit logs; where it is not given, they are kept for `AUDIT_KEPT`.
    """
    audit_before = audit_before or now() - age(AUDIT_KEPT)
    found = ledger.retention.outdated(before)
    if dry_run:
        weights = ledger.retention.weigh(found) | ledger.retention.weigh_audit(audit_before)
        return Pruned(before, audit_before, weights, dry_run)
    stuck: dict[str, str] = {}
    for run_id, location in ledger.retention.documents(found.runs).items():
        try:
            forget(location)
        except Exception as error:  # noqa: BLE001 -- clients of stores have errors of their own
            stuck[run_id] = f"{location}: {error}"
    free = replace(found, runs=tuple(run_id for run_id in found.runs if run_id not in stuck))
    removed = ledger.retention.remove(free, before) | ledger.retention.forget_audit(audit_before)
    given_back = ledger.retention.compact() if any(count for count, _ in removed.values()) else 0
    return Pruned(before, audit_before, removed, dry_run, given_back, tuple(stuck.values()))
