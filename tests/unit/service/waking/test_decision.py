"""When an outbox is due, and for whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from connectors.sources.scim import Wake
from ledger.scim.store import Touched
from service.waking.decision import Due, due, pause_after

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WAKE = Wake(quiet_seconds=10, longest_seconds=60, people=3)


def touched(name: str, seconds_ago: float, kind: Literal["User", "Group"] = "User") -> Touched:
    return Touched(kind, name, "mark", NOON - timedelta(seconds=seconds_ago))


def test_nothing_touched_is_never_due() -> None:
    assert due([], WAKE, since=NOON - timedelta(days=1), now=NOON) is None


@pytest.mark.parametrize(
    ("latest", "first", "is_due"),
    [(9.9, 9.9, False), (10, 10, True), (0, 59, False), (0, 60, True), (12, 3600, True)],
    ids=["not quiet", "just quiet", "goes on", "goes on for too long", "quiet for long"],
)
def test_it_is_due_when_nothing_comes_any_more_or_for_too_long(latest: float, first: float, is_due: bool) -> None:
    found = due([touched("a", latest)], WAKE, since=NOON - timedelta(seconds=first), now=NOON)
    assert found == (Due(("a",), everybody=False) if is_due else None)


def test_the_latest_touch_of_anybody_counts() -> None:
    assert due([touched("a", 50), touched("b", 5)], WAKE, since=NOON - timedelta(seconds=50), now=NOON) is None


def test_a_handful_is_brought_up_to_date_one_by_one_and_more_all_together() -> None:
    rows = [touched(name, 20) for name in "dbca"]
    since = NOON - timedelta(seconds=20)
    assert due(rows[:3], WAKE, since=since, now=NOON) == Due(("b", "c", "d"), everybody=False)
    assert due(rows, WAKE, since=since, now=NOON) == Due((), everybody=True)
    assert due(rows[:1], Wake(people=0), since=since, now=NOON) == Due((), everybody=True)


def test_a_whole_group_means_everybody() -> None:
    rows = [touched("a", 20), touched("g", 20, "Group")]
    assert due(rows, WAKE, since=NOON - timedelta(seconds=20), now=NOON) == Due((), everybody=True)


def test_after_an_attempt_that_failed_it_waits_ever_longer() -> None:
    rows, since = [touched("a", 500)], NOON - timedelta(seconds=500)
    assert due(rows, WAKE, since=since, now=NOON, not_before=NOON + timedelta(seconds=1)) is None
    assert due(rows, WAKE, since=since, now=NOON, not_before=NOON) is not None
    minutes = [pause_after(failures) / timedelta(minutes=1) for failures in (1, 2, 3, 6, 7, 10_000)]
    assert minutes == [1, 2, 4, 32, 60, 60]
