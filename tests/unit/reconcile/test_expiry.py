from __future__ import annotations

from datetime import date, timedelta

import pytest

from reconcile.expiry import Expiry, expiring

TODAY = date(2026, 11, 24)


def known(days: int) -> Expiry:
    return Expiry(TODAY + timedelta(days=days), "source", "the source's secret")


@pytest.mark.parametrize(("days", "told"), [(15, False), (14, True), (0, True), (-400, True)])
def test_it_is_told_from_so_many_days_before_until_somebody_acts(days: int, told: bool) -> None:
    assert bool(expiring([known(days)], TODAY, within_days=14)) == told


def test_the_most_urgent_comes_first() -> None:
    found = expiring([known(9), known(-1), known(3)], TODAY, within_days=14)
    assert [one.days_left for one in found] == [-1, 3, 9]


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (12, "the source's secret expires in 12 days, on 2026-12-06"),
        (1, "the source's secret expires tomorrow, on 2026-11-25"),
        (0, "the source's secret expires today, on 2026-11-24"),
        (-2, "the source's secret expired on 2026-11-22"),
    ],
)
def test_the_message_says_what_and_when(days: int, message: str) -> None:
    (found,) = expiring([known(days)], TODAY, within_days=14)
    assert found.message == message
    assert "usersync check" in found.next_step
