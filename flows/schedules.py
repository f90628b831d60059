"""Schedules as Prefect takes them: read from what people have, and those of a `prefect.yaml` looked through."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

from connectors.problems import Problem
from directory.errors import ConfigurationError
from flows.quartz import convert
from tasks.located_yaml import read_yaml

__all__ = ["Entry", "problems_of", "read_schedule"]

_INTERVAL = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE)
_SECONDS = (604_800, 86_400, 3600, 60, 1)
_CRON_FIELDS = 5
_NOT_DONE = "no schedule was made of it"


@dataclass(frozen=True)
class Entry:
    kind: Literal["cron", "interval", "rrule"]
    value: str | int
    """Of an interval, seconds."""
    timezone: str

    def text(self) -> str:
        """The entry under `schedules:` of a deployment; it is off, as those of the project's own `prefect.yaml`."""
        value = self.value if isinstance(self.value, int) else json.dumps(self.value)
        return f"- {{{self.kind}: {value}, timezone: {self.timezone}, active: false}}"

    def next_times(self, count: int, start: datetime) -> list[datetime]:
        """When Prefect starts runs, in the schedule's zone; fewer than `count`, or none, where it fires no more."""
        zone = ZoneInfo(self.timezone)
        return [moment.astimezone(zone) for moment in asyncio.run(self.schedule().get_dates(count, start))]

    def schedule(self) -> CronSchedule | IntervalSchedule | RRuleSchedule:
        """Prefect's own. Raises `ValueError` where Prefect does not take it."""
        given: dict[str, Any] = {self.kind: self.value, "timezone": self.timezone}
        if self.kind == "cron":
            return CronSchedule(**given)
        return IntervalSchedule(**given) if self.kind == "interval" else RRuleSchedule(**given)


def read_schedule(text: str, timezone: str, *, now: datetime) -> Entry:
    """Quartz (six or seven fields), cron (five), an interval such as `PT15M` (ISO 8601), or an RRULE (RFC 5545).

    Raises `ConfigurationError` for what cannot be had, with what is nearest to it, and for what never fires.
    """
    given = text.strip()
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"there is no time zone {timezone}", not_done=_NOT_DONE, next_step="give one such as Europe/Berlin or UTC"
        ) from None
    entry = _entry(given, timezone)
    why = _unfit(entry, now)
    if why:
        raise ConfigurationError(why[0], subject=f"schedule {given!r}", not_done=_NOT_DONE, next_step=why[1])
    return entry


def problems_of(path: Path, *, now: datetime) -> list[str]:
    """What is wrong with the schedules of a `prefect.yaml`, a line each, with the line of the file.

    Raises `ConfigurationError` where it cannot be read.
    """
    found = read_yaml(
        path, what="deployments", not_done="no schedule was looked at", instead="give the path of a prefect.yaml"
    )
    told = []
    for number, deployment in enumerate(found.raw.get("deployments") or []):
        for place, schedule in _schedules(deployment):
            for kind in ("cron", "interval", "rrule"):
                if kind not in schedule:
                    continue
                timezone = str(schedule.get("timezone") or "UTC")
                message = _judged(kind, schedule[kind], timezone, now)
                if message:
                    told.append(found.told(Problem(("deployments", number, *place, kind), message)))
    return told


def _schedules(deployment: Any) -> list[tuple[tuple[str | int, ...], dict[str, Any]]]:
    if not isinstance(deployment, dict):
        return []
    several = [(("schedules", number), each) for number, each in enumerate(deployment.get("schedules") or [])]
    places: list[tuple[tuple[str | int, ...], Any]] = [*several, (("schedule",), deployment.get("schedule"))]
    return [(place, each) for place, each in places if isinstance(each, dict)]


def _judged(kind: Any, value: Any, timezone: str, now: datetime) -> str | None:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"there is no time zone {timezone}"
    if kind == "cron" and len(str(value).split()) > _CRON_FIELDS:
        fields = len(str(value).split())
        said = f"{value!r} has {fields} fields: Prefect takes the sixth for seconds, Quartz has them first"
        return f"{said}. Next: `usersync schedule '{value}'` says what to write"
    why = _unfit(Entry(kind, value, timezone), now)
    return f"{why[0]}. Next: {why[1]}" if why else None


def _entry(given: str, timezone: str) -> Entry:
    if "FREQ=" in given.upper():
        return Entry("rrule", given, timezone)
    if given[:1] in {"P", "p"}:
        interval = _INTERVAL.fullmatch(given)
        parts = interval.groups() if interval else ()
        seconds = sum(int(part or 0) * size for part, size in zip(parts, _SECONDS, strict=False))
        if not seconds:
            raise ConfigurationError(
                "an interval has weeks, days, hours, minutes or seconds, such as PT15M or P1D",
                subject=f"schedule {given!r}",
                not_done=_NOT_DONE,
                next_step="for months and years give cron or an RRULE",
            )
        return Entry("interval", seconds, timezone)
    if len(given.split()) in {_CRON_FIELDS, 1}:
        return Entry("cron", given, timezone)
    converted = convert(given)
    return Entry("cron", converted.cron, timezone) if converted.cron else Entry("rrule", str(converted.rrule), timezone)


def _unfit(entry: Entry, now: datetime) -> tuple[str, str] | None:
    """Why Prefect would not run it, and what to do."""
    otherwise = (
        "for a last workday and the like give it as Quartz has it, such as '0 0 2 LW * ?'"
        if entry.kind == "cron"
        else "mend it"
    )
    try:
        entry.schedule()
    except ValueError:
        return f"{entry.value!r} is no {entry.kind} that Prefect takes", otherwise
    try:
        fires = entry.next_times(1, now)
    except ValueError:
        # Prefect's cron gives up with an error of this kind after looking 50 years ahead.
        fires = []
    if not fires:
        return f"{entry.value!r} never fires", "give days that there are"
    better = _without_gap(str(entry.value)) if entry.kind == "cron" else None
    if better:
        return f"Prefect's cron {entry.value!r} leaves out the 1st of March", f"write `rrule: {better}` instead"
    return None


def _without_gap(cron: str) -> str | None:
    """The RRULE that a list of days must be given as, see `flows.quartz`; up to the weekday the two crons are alike."""
    fields = cron.split()
    if len(fields) != _CRON_FIELDS or fields[4] not in {"*", "?"}:
        return None
    try:
        return convert(" ".join(("0", *fields[:4], "?"))).rrule
    except ConfigurationError:
        return None
