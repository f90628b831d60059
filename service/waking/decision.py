"""When a connector's outbox is due, and for whom. Pure: what there is comes in, what to do goes out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from connectors.sources.scim import Wake
from ledger.scim.store import Touched

__all__ = ["Due", "due", "pause_after"]

_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)


class Due(NamedTuple):
    """What shall be run now."""

    people: tuple[str, ...]
    """The receiver's ids of who is brought up to date one by one; nobody where `everybody` is."""
    everybody: bool


def due(
    touched: Sequence[Touched], wake: Wake, *, since: datetime, now: datetime, not_before: datetime | None = None
) -> Due | None:
    """None where it is better to wait, or where nothing was touched.

    `since` is when the first of what waits was touched, which the rows do not tell: each has the time of its latest
    touch. Before `not_before` nothing is due, since the last attempt did not end well.
    """
    if not touched or (not_before is not None and now < not_before):
        return None
    quiet = now - max(one.at for one in touched) >= timedelta(seconds=wake.quiet_seconds)
    if not quiet and now - since < timedelta(seconds=wake.longest_seconds):
        return None
    people = tuple(sorted({one.resource_id for one in touched if one.kind == "User"}))
    everybody = len(people) > wake.people or any(one.kind != "User" for one in touched)
    return Due((), everybody=True) if everybody else Due(people, everybody=False)


def pause_after(failures: int) -> timedelta:
    """How long to wait after so many attempts in a row that did not end well."""
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
