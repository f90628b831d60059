"""From where an incremental source goes on: the last reading that was acted upon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from connectors.contract import Reading
from directory.snapshot import SourceSnapshot
from ledger.opening import Ledger
from ledger.readings import StoredReading
from tasks.extract import Extracted

__all__ = ["keep_reading", "last_reading"]


def last_reading(ledger: Ledger, sync: str, *, most_hours: float) -> Reading | None:
    """The reading to go on from; None where there is none, or where everything was last read longer ago.

    What a vendor does not report, deletions mostly, is found by the full read that then follows.
    """
    full_at = ledger.readings.full_at(sync)
    if full_at is None or datetime.now(UTC) - full_at >= timedelta(hours=most_hours):
        return None
    stored = ledger.readings.get(sync)
    if stored is None:
        return None
    return Reading(SourceSnapshot.kept(stored.frames, stored.read_at), stored.watermark)


def keep_reading(ledger: Ledger, sync: str, extracted: Extracted) -> None:
    """Keep a reading after its plan was applied or found empty: before that, a lost run would lose its changes.

    A reading that no other can go on from is forgotten, so that the next read is a full one.
    """
    snapshot, watermark = extracted.reading.snapshot, extracted.reading.watermark
    if watermark is None or not snapshot.completeness.complete:
        if ledger.readings.full_at(sync) is not None:
            ledger.readings.forget(sync)
        return
    full_at = (None if extracted.whole else ledger.readings.full_at(sync)) or snapshot.read_at
    ledger.readings.put(sync, StoredReading(snapshot.frames, watermark, snapshot.read_at, full_at))
