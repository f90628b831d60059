"""Quartz's cron expressions as what Prefect has: cron with five fields, or iCalendar's RRULE (RFC 5545, 3.3.10).

Quartz (org.quartz.CronExpression 2.3.2) has seconds first and 1 for Sunday. Prefect takes six fields as well, with the
seconds last: a Quartz expression given as it is means something else there, so it is converted or refused, never kept.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from directory.errors import ConfigurationError

__all__ = ["Converted", "convert"]

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WORKDAYS = "MO,TU,WE,TH,FR"
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LAST_IN_EVERY_MONTH = 28


@dataclass(frozen=True)
class Converted:
    """One of the two."""

    cron: str | None = None
    rrule: str | None = None


@dataclass(frozen=True)
class _Field:
    name: str
    first: int
    last: int
    names: Mapping[str, int]

    def numbers(self, text: str) -> frozenset[int]:
        """What a field without `?`, `L`, `W` and `#` stands for. Raises `ValueError` where it stands for nothing."""
        return frozenset(number for part in text.split(",") for number in self._part(part))

    def _part(self, part: str) -> Iterable[int]:
        span, slash, step_text = part.partition("/")
        step = int(step_text) if slash and step_text.isdecimal() else 1
        if slash and not (step_text.isdecimal() and 1 <= step <= self.last):
            raise ValueError(f"{part} has no step that fits")
        begin, dash, end = span.partition("-")
        if span in {"*", ""} and (span or slash):
            low, high = self.first, self.last
        elif dash:
            low, high = self._number(begin), self._number(end)
        else:
            low = self._number(begin)
            high = self.last if slash else low
        size = self.last - self.first + 1
        # A range may go over the end: 22-2 is five hours, FRI-MON four days.
        high += size if high < low else 0
        return ((number - self.first) % size + self.first for number in range(low, high + 1, step))

    def _number(self, text: str) -> int:
        number = self.names.get(text, int(text) if text.isdecimal() else -1)
        if not self.first <= number <= self.last:
            raise ValueError(f"{text or 'nothing'} is not between {self.first} and {self.last}")
        return number

    def whole(self, numbers: frozenset[int]) -> bool:
        return len(numbers) == self.last - self.first + 1

    def written(self, numbers: frozenset[int], names: tuple[str, ...] = ()) -> str:
        """As a field of cron; `names` are those of the numbers, from the first one on."""
        if self.whole(numbers):
            return "*"
        runs: list[list[int]] = []
        for number in sorted(numbers):
            if runs and number == runs[-1][-1] + 1:
                runs[-1].append(number)
            else:
                runs.append([number])

        def named(number: int) -> str:
            return names[number - self.first] if names else str(number)

        return ",".join(
            f"{named(run[0])}-{named(run[-1])}" if len(run) > 2 else ",".join(map(named, run)) for run in runs
        )


_SECOND = _Field("seconds", 0, 59, {})
_MINUTE = _Field("minutes", 0, 59, {})
_HOUR = _Field("hours", 0, 23, {})
_DAY = _Field("day of month", 1, 31, {})
_MONTH = _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
_WEEKDAY = _Field("day of week", 1, 7, {name: number for number, name in enumerate(_DAYS, 1)})


def convert(expression: str) -> Converted:
    """What Prefect is to be given for a Quartz expression of six or seven fields.

    Raises `ConfigurationError` where Quartz would not take it, where it never fires, and where Prefect has nothing
    like it; with the nearest expression that can be converted, where there is one.
    """
    fields = expression.upper().split()
    if len(fields) not in {6, 7}:
        raise _refused(expression, f"Quartz has six or seven fields, this has {len(fields)}")
    nearest, reasons = _mended(expression, fields)
    if reasons:
        raise _refused(expression, "; ".join(reasons), nearest=" ".join(nearest))
    _, minute, hour, day, month, weekday = nearest
    minutes, hours, months = (
        _numbers(expression, field, text) for field, text in ((_MINUTE, minute), (_HOUR, hour), (_MONTH, month))
    )
    at = f"{_MINUTE.written(minutes)} {_HOUR.written(hours)}"
    in_months = _MONTH.written(months, _MONTHS)
    if weekday != "?":
        return Converted(cron=f"{at} * {in_months} {_weekdays(expression, weekday)}")
    if day == "L":
        return Converted(cron=f"{at} L {in_months} *")
    if re.search("[LW]", day):
        return Converted(rrule=_rules(expression, day, minutes, hours, months))
    days = _numbers(expression, _DAY, day)
    if min(days) > max(_LONGEST[month - 1] for month in months):
        said = f"it never fires: there is no {min(days)} in {_MONTH.written(months, _MONTHS)}"
        raise _refused(expression, said, nearest=f"0 {minute} {hour} L {month} ?")
    if _skips_first_of_march(days, months):
        return Converted(rrule=_rule(f"BYMONTHDAY={_listed(days)}", minutes, hours, months))
    return Converted(cron=f"{at} {_DAY.written(days)} {in_months} *")


def _skips_first_of_march(days: Collection[int], months: Collection[int]) -> bool:
    """Whether Prefect's cron leaves out days at the beginning of March.

    From the last day of February that counts, it goes on by as many days as there are up to the next day of the list,
    as if February had them: with `1,31` that is the 3rd of March (croniter as in Prefect 3.8.8, measured).
    """
    beyond = min((day for day in days if day > _LAST_IN_EVERY_MONTH), default=0)
    return min(days) < beyond - _LAST_IN_EVERY_MONTH and {2, 3} <= set(months)


def _mended(expression: str, fields: list[str]) -> tuple[list[str], list[str]]:
    """The six fields nearest to what was asked that can be converted, and why what was asked cannot."""
    second, minute, hour, day, month, weekday, *year = fields
    reasons = []
    if _numbers(expression, _SECOND, second) != {0}:
        reasons.append("Prefect's schedules fire on whole minutes")
        second = "0"
    if year not in ([], ["*"]):
        reasons.append("Prefect's cron has no year")
    if day == weekday == "?":
        reasons.append("one of day of month and day of week must be given")
        day = "*"
    elif "?" not in {day, weekday}:
        reasons.append("Quartz takes only one of day of month and day of week; the other is ?")
        day, weekday = ("?", weekday) if day == "*" else (day, "?")
    if weekday == "?" and re.search(r",.*[LW]|[LW].*,", day):
        reasons.append("L and W stand alone: make one schedule for each part of the list")
        day = next(part for part in day.split(",") if re.search("[LW]", part))
    if re.search(r",.*(#|L)|(#|L).*,", weekday):
        reasons.append("L and # stand alone: make one schedule for each part of the list")
        weekday = next(part for part in weekday.split(",") if re.search("#|L", part))
    number = re.fullmatch(r"(\d+)W", day)
    if number and _LAST_IN_EVERY_MONTH <= int(number[1]) <= _DAY.last:
        reasons.append(
            f"not every month goes on beyond day {number[1]}, and Quartz does odd things in those that do not"
        )
        day = "LW" if int(number[1]) > _LAST_IN_EVERY_MONTH else f"{_LAST_IN_EVERY_MONTH - 1}W"
    before_last = re.fullmatch(r"L-(\d+)(W?)", day)
    # A workday may be a day further back.
    most = _LAST_IN_EVERY_MONTH - (2 if day.endswith("W") else 1)
    if before_last and int(before_last[1]) > most:
        reasons.append("not every month has so many days before its last one")
        day = f"L-{most}{before_last[2]}"
    return [second, minute, hour, day, month, weekday], reasons


def _weekdays(expression: str, text: str) -> str:
    """Days of the week for cron, which has 0 for Sunday where Quartz has 1."""
    if text == "L":
        return "SAT"
    last = re.fullmatch(r"(\w+)L", text)
    if last:
        (day,) = _numbers(expression, _WEEKDAY, last[1])
        return f"L{day - 1}"
    nth = re.fullmatch(r"(\w+)#([1-5])", text)
    if nth:
        (day,) = _numbers(expression, _WEEKDAY, nth[1])
        return f"{day - 1}#{nth[2]}"
    return _WEEKDAY.written(_numbers(expression, _WEEKDAY, text), _DAYS)


def _rules(expression: str, day: str, minutes: frozenset[int], hours: frozenset[int], months: frozenset[int]) -> str:
    def rule(days: str) -> str:
        return _rule(days, minutes, hours, months)

    if day == "LW" and len(minutes) == len(hours) == 1:
        # A position counts moments, not days, so this is right only where there is one moment a day.
        return rule(f"BYDAY={_WORKDAYS};BYSETPOS=-1")
    last = re.fullmatch(r"L(?:-(\d+))?(W?)", day)
    if last:
        before = int(last[1] or 0)
        if not last[2]:
            return rule(f"BYMONTHDAY={-before - 1}")
        if before == 0:
            near = {"-1": _WORKDAYS, "-3,-2": "FR"}
        else:
            near = {str(-before - 1): _WORKDAYS, str(-before - 2): "FR", str(-before): "MO"}
    else:
        number = re.fullmatch(r"(\d+)W", day)
        if not number or int(number[1]) < 1 or int(number[1]) > _DAY.last:
            raise _refused(expression, f"{_DAY.name}: {day} is not a day")
        middle = int(number[1])
        # The nearest workday is in the same month: Saturday the 1st gives Monday the 3rd.
        near = {"1": _WORKDAYS, "2,3": "MO"}
        if middle > 1:
            near = {str(middle): _WORKDAYS, str(middle - 1): "FR", str(middle + 1): "MO"}
    lines = (rule(f"BYMONTHDAY={days};BYDAY={weekdays}") for days, weekdays in near.items())
    return "\n".join(f"RRULE:{line}" for line in lines)


def _rule(days: str, minutes: frozenset[int], hours: frozenset[int], months: frozenset[int]) -> str:
    parts = ["FREQ=MONTHLY"]
    if not _MONTH.whole(months):
        parts.append(f"BYMONTH={_listed(months)}")
    return ";".join([*parts, days, f"BYHOUR={_listed(hours)}", f"BYMINUTE={_listed(minutes)}", "BYSECOND=0"])


def _listed(numbers: frozenset[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _numbers(expression: str, field: _Field, text: str) -> frozenset[int]:
    try:
        return field.numbers(text)
    except ValueError as error:
        raise _refused(expression, f"{field.name}: {error}") from None


def _refused(expression: str, why: str, *, nearest: str | None = None) -> ConfigurationError:
    return ConfigurationError(
        why,
        subject=f"schedule {expression!r}",
        not_done="no schedule was made of it",
        next_step=f"the nearest that can be had: `usersync schedule '{nearest}'`" if nearest else "mend it",
    )
