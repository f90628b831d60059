"""`usersync schedule`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson

__all__ = ["schedule"]

_TIMES = 5


def schedule(
    expression: Annotated[
        str | None,
        typer.Argument(
            metavar="SCHEDULE",
            help="Quartz ('0 0 2 ? * MON-FRI'), cron with five fields, an interval (PT15M) or an RRULE.",
        ),
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")] = "UTC",
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Look through the schedules of a prefect.yaml instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what to write in prefect.yaml for a schedule and when it fires, or what is wrong with those in a file."""
    if (expression is None) == (check is None):
        raise typer.BadParameter("give a schedule, or a file with --check")
    if check is not None:
        _look_through(check, as_json=as_json)
    elif expression is not None:
        _convert(expression, timezone, as_json=as_json)


def _convert(expression: str, timezone: str, *, as_json: bool) -> None:
    from cli.output import answers, whole_json
    from flows.schedules import read_schedule
    from ledger.instant import now

    at = now()
    entry = read_schedule(expression, timezone, now=at)
    times = entry.next_times(_TIMES, at)
    if as_json:
        next_times = [moment.isoformat() for moment in times]
        whole_json({"kind": entry.kind, "value": entry.value, "timezone": timezone, "next_times": next_times})
        return
    console = answers()
    console.print(entry.text(), soft_wrap=True, markup=False, highlight=False)
    console.print()
    for moment in times:
        console.print(f"{moment:%a %Y-%m-%d %H:%M %Z}", highlight=False)


def _look_through(path: Path, *, as_json: bool) -> None:
    from cli.output import answers, whole_json
    from flows.schedules import problems_of
    from ledger.instant import now

    problems = problems_of(path, now=now())
    if as_json:
        whole_json({"problems": problems})
    else:
        console = answers()
        for problem in problems:
            console.print(problem, soft_wrap=True, markup=False, highlight=False)
        if not problems:
            console.print(f"The schedules of {path} are as Prefect takes them.", soft_wrap=True, markup=False)
    raise typer.Exit(1 if problems else 0)
