"""From where an incremental source goes on: the last reading that was acted upon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.contract import Reading
from directory.snapshot import Completeness, SourceSnapshot
from ledger.opening import Ledger
from ledger.readings import StoredReading
from tasks.extract import Extracted

__all__ = ["keep_reading", "last_reading"]


def last_reading(ledger: Ledger, sync: str, *, most_hours: float) -> Reading | None:
    """The reading to go on from; None where there is none, or where everything was last read longer ago.

    What a vendor does not report, deletions mostly, is found by the full read that then follows.
    """
    stored = ledger.readings.get(sync)
    if stored is None or datetime.now(UTC) - stored.full_at >= timedelta(hours=most_hours):
        return None
    snapshot = SourceSnapshot(
        Completeness(),
        stored.read_at,
        0,
        people=stored.frames["people"],
        groups=stored.frames["groups"],
        memberships=stored.frames["memberships"],
    )
    return Reading(snapshot, stored.watermark)


def keep_reading(ledger: Ledger, sync: str, extracted: Extracted) -> None:
    """Keep a reading after its plan was applied or found empty: before that, a lost run would lose its changes.

    A reading that no other can go on from is forgotten, so that the next read is a full one.
    """
    snapshot, watermark = extracted.reading.snapshot, extracted.reading.watermark
    if watermark is None or not snapshot.completeness.complete:
        if ledger.readings.get(sync) is not None:
            ledger.readings.forget(sync)
        return
    before = None if extracted.whole else ledger.readings.get(sync)
    full_at = snapshot.read_at if before is None else before.full_at
    frames = {"people": snapshot.people, "groups": snapshot.groups, "memberships": snapshot.memberships}
    ledger.readings.put(sync, StoredReading(frames, watermark, snapshot.read_at, full_at))
