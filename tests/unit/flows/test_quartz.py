"""Quartz's expressions, converted, against the times that the real Quartz gives, and against a slow way to tell."""

from __future__ import annotations

import asyncio
import calendar
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.errors import ConfigurationError
from flows.quartz import Converted, convert
from flows.schedules import Entry

REFERENCE = Path(__file__).with_name("quartz_reference")
CHANGES = {
    "Europe/Berlin": ("2026-10-25T01:00", "2027-03-28T01:00", "2027-10-31T01:00"),
    "America/New_York": ("2026-11-01T06:00", "2027-03-14T07:00", "2027-11-07T06:00"),
}
"""When the clocks change, in UTC."""
HOUR = timedelta(hours=1)


class Row(NamedTuple):
    expression: str
    timezone: str
    start: datetime
    end: datetime
    times: list[datetime]


def rows() -> list[Row]:
    found = []
    for line in (REFERENCE / "times.tsv").read_text(encoding="utf-8").splitlines():
        expression, timezone, start, end, times = line.split("\t")
        zone = ZoneInfo(timezone)
        if times != "refused":
            begin, until = (datetime.fromisoformat(each).replace(tzinfo=zone) for each in (start, end))
            fires = [datetime.fromisoformat(each) for each in times.split()]
            found.append(Row(expression, timezone, begin.astimezone(UTC), until.astimezone(UTC), fires))
    return found


def refused_by_quartz() -> set[str]:
    lines = (REFERENCE / "times.tsv").read_text(encoding="utf-8").splitlines()
    return {line.split("\t")[0] for line in lines if line.endswith("\trefused")}


def accepted(row: Row) -> Converted | None:
    try:
        return convert(row.expression)
    except ConfigurationError:
        return None


CONVERTED = [(row, done) for row in rows() if (done := accepted(row))]


def by_prefect(done: Converted, timezone: str, start: datetime, end: datetime, most: int) -> list[datetime]:
    entry = Entry("cron", done.cron, timezone) if done.cron else Entry("rrule", str(done.rrule), timezone)
    return [each.astimezone(UTC) for each in asyncio.run(entry.schedule().get_dates(most, start, end))]


def changing(moment: datetime, timezone: str) -> bool:
    """Within the hour before or after the clocks change."""
    changes = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in CHANGES[timezone])
    return any(change - HOUR <= moment < change + HOUR for change in changes)


def test_the_reference_is_large_enough_to_mean_something() -> None:
    assert len({row.expression for row, _ in CONVERTED}) >= 45
    assert sum(len(row.times) for row, _ in CONVERTED) > 4000


def test_prefect_fires_when_quartz_does_but_for_the_hours_around_a_change_of_the_clocks() -> None:
    for row, done in CONVERTED:
        last = row.times[-1] if row.times else row.end
        fires = by_prefect(done, row.timezone, row.start, last, len(row.times) + 10)
        usual = [each for each in fires if not changing(each, row.timezone)]
        assert usual == [each for each in row.times if not changing(each, row.timezone)], row[:3]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="does not apply: Prefect reckons otherwise from Python 3.13 on")
@pytest.mark.parametrize(
    ("timezone", "autumn", "spring"),
    [
        ("Europe/Berlin", "2026-10-25T01:00", "2027-03-28T01:00"),
        ("America/New_York", "2026-11-01T06:00", "2027-03-14T07:00"),
    ],
)
def test_in_the_hours_around_a_change_they_differ_as_documented(timezone: str, autumn: str, spring: str) -> None:
    """The hour that comes twice: Quartz fires in the second one, Prefect in the first one.

    The hour that is left out: Quartz leaves it out, Prefect fires an hour earlier.
    """
    back, forward = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (autumn, spring))
    twice = [(row, done) for row, done in CONVERTED if row.timezone == timezone and row.start < back < row.end]
    assert any(changing(each, timezone) for row, _ in twice for each in row.times)
    for row, done in twice:
        fires = by_prefect(done, timezone, row.start, row.end, 300)
        expected = [each - HOUR if changing(each, timezone) else each for each in row.times]
        assert [each for each in fires if back - HOUR <= each < back + HOUR] == [
            each for each in expected if back - HOUR <= each < back + HOUR
        ], row[:3]
    missing = convert("0 30 2 * * ?")
    start = forward - 6 * HOUR
    (early,) = by_prefect(missing, timezone, start, start + 12 * HOUR, 5)
    assert early == forward - HOUR / 2


@pytest.mark.parametrize("expression", sorted(refused_by_quartz()))
def test_what_quartz_refuses_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationError):
        convert(expression)


@pytest.mark.parametrize(
    ("expression", "why", "nearest"),
    [
        ("30 0 2 * * ?", "whole minutes", "0 0 2 * * ?"),
        ("* * * * * ?", "whole minutes", "0 * * * * ?"),
        ("0 0 2 ? * MON 2027", "no year", "0 0 2 ? * MON"),
        ("30 0 2 ? * MON 2027-2029", "no year", "0 0 2 ? * MON"),
        ("0 0 2 * * *", "only one of", "0 0 2 ? * *"),
        ("0 0 2 1 * MON", "only one of", "0 0 2 1 * ?"),
        ("0 0 2 ? * ?", "must be given", "0 0 2 * * ?"),
        ("0 0 2 1,L * ?", "stand alone", "0 0 2 L * ?"),
        ("0 0 2 ? * 6#3,6#1", "stand alone", "0 0 2 ? * 6#3"),
        ("0 0 2 28W * ?", "beyond day 28", "0 0 2 27W * ?"),
        ("0 0 2 31W * ?", "beyond day 31", "0 0 2 LW * ?"),
        ("0 0 2 L-30 * ?", "so many days", "0 0 2 L-27 * ?"),
        ("0 0 2 30,31 2 ?", "never fires", "0 0 2 L 2 ?"),
    ],
)
def test_a_refusal_names_what_is_nearest_and_that_can_be_had(expression: str, why: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refusal:
        convert(expression)
    assert f"`usersync schedule '{nearest}'`" in str(refusal.value)
    assert convert(nearest) != Converted()


@pytest.mark.parametrize("expression", ["0 0 0", "0 2 * * MON", "0 0 2 ? * FOO", "0 0/0 2 * * ?", "0 0 2 0W * ?", ""])
def test_what_is_no_expression_of_quartz_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationError):
        convert(expression)


def test_a_list_of_days_of_which_prefects_cron_would_skip_some_in_march_becomes_a_rule() -> None:
    start, end = datetime(2027, 2, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC)
    done = convert("0 0 2 1,31 * ?")
    assert done.rrule is not None
    days = [f"{each:%m-%d}" for each in by_prefect(done, "UTC", start, end, 9)]
    assert days == ["02-01", "03-01", "03-31"]
    as_cron = by_prefect(Converted(cron="0 2 1,31 * *"), "UTC", start, end, 9)
    assert [f"{each:%m-%d}" for each in as_cron] == ["02-01", "03-31"], "Prefect can do it now: keep it as cron"


Days = tuple[str, str, Callable[[date], bool]]
"""Day of month, day of week, and which days are meant."""
NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def last_of(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def quartz_number(day: date) -> int:
    return day.isoweekday() % 7 + 1


def nearest_workday(day: date, wanted: int) -> bool:
    """Whether it is the workday of its month that is nearest to one of its days."""
    workdays = [number for number in range(1, last_of(day) + 1) if date(day.year, day.month, number).isoweekday() <= 5]
    # No two are equally near: a weekend has two days.
    return day.day == min(workdays, key=lambda number: abs(number - wanted))


def in_list(days: frozenset[int]) -> Days:
    return ",".join(map(str, sorted(days))), "?", lambda day: day.day in days


def in_steps(first: int, step: int) -> Days:
    return f"{first}/{step}", "?", lambda day: day.day >= first and (day.day - first) % step == 0


def between(first: int, last: int) -> Days:
    around = set(range(first, last + 1)) if first <= last else {*range(first, 8), *range(1, last + 1)}
    return "?", f"{NAMES[first - 1]}-{last}", lambda day: quartz_number(day) in around


def last_weekday(number: int) -> Days:
    return "?", f"{number}L", lambda day: quartz_number(day) == number and day.day > last_of(day) - 7


def nth_weekday(number: int, nth: int) -> Days:
    return "?", f"{number}#{nth}", lambda day: quartz_number(day) == number and (day.day - 1) // 7 + 1 == nth


DAYS: st.SearchStrategy[Days] = st.one_of(
    st.just(("*", "?", lambda day: True)),
    st.frozensets(st.integers(1, 31), min_size=1, max_size=6).map(in_list),
    st.builds(in_steps, st.integers(1, 31), st.integers(1, 31)),
    st.integers(0, 27).map(
        lambda n: (f"L-{n}" if n else "L", "?", lambda day: day.day == last_of(day) - n),
    ),
    st.integers(0, 26).map(
        lambda n: (f"L-{n}W" if n else "LW", "?", lambda day: nearest_workday(day, last_of(day) - n)),
    ),
    st.integers(1, 27).map(lambda n: (f"{n}W", "?", lambda day: nearest_workday(day, n))),
    st.builds(between, st.integers(1, 7), st.integers(1, 7)),
    st.integers(1, 7).map(last_weekday),
    st.builds(nth_weekday, st.integers(1, 7), st.integers(1, 5)),
)
MINUTES = st.frozensets(st.integers(0, 59), min_size=1, max_size=3)
HOURS = st.one_of(
    st.frozensets(st.integers(0, 23), min_size=1, max_size=3).map(lambda some: (",".join(map(str, some)), some)),
    st.builds(
        lambda first, step: (f"{first}/{step}", frozenset(range(first, 24, step))), st.integers(0, 23), st.just(5)
    ),
)
MONTHS = st.one_of(
    st.just(("*", frozenset(range(1, 13)))),
    st.frozensets(st.integers(1, 12), min_size=1, max_size=5).map(lambda some: (",".join(map(str, some)), some)),
)


def listed(day_of_month: str) -> list[int]:
    """The days that stand there as numbers; the 1st, which every month has, where none do."""
    if "/" in day_of_month:
        return [int(day_of_month.partition("/")[0])]
    return [int(part) for part in day_of_month.split(",") if part.isdecimal()] or [1]


@settings(deadline=None, max_examples=60)
@given(days=DAYS, minutes=MINUTES, hours=HOURS, months=MONTHS, first=st.dates(date(2026, 1, 1), date(2029, 1, 1)))
def test_a_converted_expression_fires_on_the_days_and_minutes_that_it_says(
    days: Days,
    minutes: frozenset[int],
    hours: tuple[str, frozenset[int]],
    months: tuple[str, frozenset[int]],
    first: date,
) -> None:
    day_of_month, day_of_week, meant = days
    expression = f"0 {','.join(map(str, minutes))} {hours[0]} {day_of_month} {months[0]} {day_of_week}"
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    year = [first + timedelta(days=number) for number in range(366)]
    expected = [
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        for day in year
        if day.month in months[1] and meant(day)
        for hour in sorted(hours[1])
        for minute in sorted(minutes)
    ]
    if not any(number <= calendar.monthrange(2028, month)[1] for number in listed(day_of_month) for month in months[1]):
        with pytest.raises(ConfigurationError, match="never fires"):
            convert(expression)
        return
    done = convert(expression)
    few = expected[:400]
    # A year without the 29th of February, say: Prefect's cron would look for it in the next years.
    end = few[-1] if few else begin + timedelta(days=365)
    fires = by_prefect(done, "UTC", begin, end, len(few) + 1)
    assert list(takewhile(lambda each: each <= end, fires)) == few
