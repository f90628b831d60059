"""The last reading: frames and watermark come back as they were put, and are replaced together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from ledger.opening import Ledger
from ledger.readings import StoredReading

NOW = datetime(2026, 11, 24, 6, 5, tzinfo=UTC)


def reading(watermark: str, people: list[str]) -> StoredReading:
    frames = {"people": pl.DataFrame({"external_id": people}), "groups": pl.DataFrame({"group_id": ["g"]})}
    return StoredReading(frames, watermark, NOW, NOW - timedelta(hours=3))


def test_there_is_none_at_first(book: Ledger):
    assert book.readings.get("okta") is None


def test_a_reading_comes_back_as_it_was_put_and_each_sync_has_its_own(book: Ledger):
    book.readings.put("okta", reading("mark-1", ["a", "b"]))
    book.readings.put("entra", reading("mark-9", ["z"]))
    found = book.readings.get("okta")
    assert found is not None
    assert (found.watermark, found.read_at, found.full_at) == ("mark-1", NOW, NOW - timedelta(hours=3))
    assert found.frames["people"].equals(pl.DataFrame({"external_id": ["a", "b"]}))


def test_a_later_one_replaces_frames_and_watermark_and_forgetting_leaves_none(book: Ledger):
    book.readings.put("okta", reading("mark-1", ["a"]))
    book.readings.put("okta", reading("mark-2", ["a", "b"]))
    found = book.readings.get("okta")
    assert found is not None
    assert found.watermark == "mark-2"
    assert found.frames["people"].height == 2
    book.readings.forget("okta")
    assert book.readings.get("okta") is None
