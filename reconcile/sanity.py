"""Whether a source is plausible at all, judged against the last good run."""

from __future__ import annotations

import polars as pl
from pydantic import BaseModel, ConfigDict

from directory.snapshot import SourceSnapshot
from reconcile.plan import Finding
from reconcile.policy import SourceSanity, share
from reconcile.select import Selection

__all__ = ["SourceStats", "implausible", "source_stats"]

_WATCHED = ("username", "email", "display_name")


class SourceStats(BaseModel):
    """The size and shape of a source at one run, kept in the ledger for the next."""

    model_config = ConfigDict(frozen=True)

    people: int
    groups: int
    memberships: int
    null_percent: dict[str, float] = {}
    """Per mapped attribute, the percentage of the active people who have no value."""


def source_stats(snapshot: SourceSnapshot, selection: Selection) -> SourceStats:
    """Measure a source. People are counted as they come, active ones for the null shares."""
    active = selection.people.filter("active")
    shares = {
        name: 0.0 if active.height == 0 else round(100 * active[name].null_count() / active.height, 3)
        for name in _WATCHED
    }
    return SourceStats(
        people=active.height,
        groups=snapshot.groups.height,
        memberships=snapshot.memberships.select(pl.len()).item(),
        null_percent=shares,
    )


def implausible(now: SourceStats, before: SourceStats | None, limits: SourceSanity) -> tuple[Finding, ...]:
    """What shrank too far since the last good run. Nothing is compared on the first run."""
    if before is None:
        return ()
    findings = [
        _shrunk("people_lost", "active people", before.people, now.people, limits.people_lost_percent),
        _shrunk("groups_lost", "groups", before.groups, now.groups, limits.groups_lost_percent),
        _shrunk(
            "memberships_lost", "memberships", before.memberships, now.memberships, limits.memberships_lost_percent
        ),
        *(
            _emptied(name, before.null_percent.get(name, 0.0), share, limits.attribute_nulls_percent)
            for name, share in now.null_percent.items()
        ),
    ]
    return tuple(finding for finding in findings if finding is not None)


def _shrunk(kind: str, what: str, before: int, now: int, percent: float | None) -> Finding | None:
    lost = before - now
    if percent is None or lost <= 0:
        return None
    allowed = share(percent, before)
    if lost <= allowed:
        return None
    return Finding(
        kind=kind,
        measured=lost,
        allowed=allowed,
        message=f"the source has {now:,} {what}, {lost:,} fewer than at the last good run ({before:,}); "
        f"at most {allowed:,} may go at once",
    )


def _emptied(name: str, before: float, now: float, points: float | None) -> Finding | None:
    grown = now - before
    if points is None or grown <= points:
        return None
    return Finding(
        kind="attribute_emptied",
        measured=round(grown),
        allowed=int(points),
        message=f"{now:.1f} % of the active people have no {name}; at the last good run it was {before:.1f} %",
    )
