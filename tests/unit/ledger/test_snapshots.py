"""The latest snapshot of each side comes back as it was put, and is written only when its rows changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import ledger.snapshots
from ledger.frame import dump
from ledger.opening import Ledger
from ledger.snapshots import StoredSnapshot, content_digest

NOW = datetime(2026, 11, 24, 6, 5, tzinfo=UTC)


def snapshot(people: list[str], read_at: datetime = NOW) -> StoredSnapshot:
    frames = {"people": pl.DataFrame({"external_id": people}), "groups": pl.DataFrame(schema={"name": pl.String()})}
    return StoredSnapshot(frames, read_at, {"principal": "svc"})


def test_there_is_none_at_first(book: Ledger):
    assert book.snapshots.get("okta", "source") is None


def test_each_sync_and_side_has_its_own_and_the_latest_counts(book: Ledger):
    book.snapshots.put("okta", "source", snapshot(["a"]))
    book.snapshots.put("okta", "target", snapshot(["x"]))
    book.snapshots.put("okta", "source", snapshot(["a", "b"], NOW + timedelta(hours=1)))
    found = book.snapshots.get("okta", "source")
    assert found is not None
    assert (found.read_at, found.about) == (NOW + timedelta(hours=1), {"principal": "svc"})
    assert found.frames["people"]["external_id"].to_list() == ["a", "b"]
    assert found.frames["groups"].schema == {"name": pl.String()}
    assert book.snapshots.get("entra", "source") is None


def test_the_same_rows_are_not_written_again(book: Ledger, monkeypatch: pytest.MonkeyPatch):
    written: list[int] = []

    def counting(frame: pl.DataFrame) -> bytes:
        written.append(frame.height)
        return dump(frame)

    monkeypatch.setattr(ledger.snapshots, "dump", counting)
    book.snapshots.put("okta", "source", snapshot(["a", "b"]))
    book.snapshots.put("okta", "source", snapshot(["b", "a"], NOW + timedelta(hours=1)))
    assert written == [2, 0]
    found = book.snapshots.get("okta", "source")
    assert found is not None
    assert found.read_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    "other",
    [["a"], ["a", "b", "b"], ["a", "c"], ["a", None]],
    ids=["fewer", "twice", "another", "null"],
)
def test_other_rows_have_another_digest(other: list[str | None]):
    def digest(people: list[str | None]) -> str:
        return content_digest({"people": pl.DataFrame({"external_id": people}, schema={"external_id": pl.String()})})

    assert digest(["a", "b"]) == digest(["b", "a"])
    assert digest(["a", "b"]) != digest(other)


def test_one_frame_comes_alone(book: Ledger):
    book.snapshots.put("okta", "source", snapshot(["a", "b"]))
    found = book.snapshots.frame("okta", "source", "people")
    assert found is not None
    assert found.collect()["external_id"].to_list() == ["a", "b"]
    assert book.snapshots.frame("okta", "target", "people") is None
    assert book.snapshots.frame("okta", "source", "memberships") is None
