"""How a run ended, which runs there were, and what a run meant for everybody or for one person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
from rich.text import Text

from cli.render.grid import grid, hanging, labelled, safe
from cli.render.plan import TITLE_WIDTH, who_and_why
from ledger.runs import Run
from reconcile.explain import kind_title
from reconcile.wording import OUTCOMES, count_of_people, what_changes
from tasks.ending import Ending

__all__ = ["ending_lines", "people_lines", "person_lines", "run_lines", "runs_lines"]

_STYLES = {
    "succeeded": "bold green",
    "nothing_to_do": "bold green",
    "planned": "bold green",
    "partial": "bold yellow",
    "held": "bold yellow",
    "rejected": "bold yellow",
    "running": "bold",
}
_PARTS = re.compile(r" (?=(?:Not done|Next): )")


def ending_lines(ending: Ending, *, width: int | None, reasons_told: bool) -> Iterator[Text]:
    """Status, what happened, what to do next. `reasons_told` leaves out why it is held."""
    title, style = _status(ending.status)
    what, *further = _PARTS.split(ending.message)
    if ending.status == "held" and reasons_told:
        what = "nothing of the plan was applied"
    said = what if what.startswith(title.lower()) else f"{title}: {what}"
    for number, line in enumerate(hanging(said[:1].upper() + said[1:], width=width)):
        if number == 0:
            line.stylize(style, 0, len(title))
        yield line
    for part in further:
        if part.startswith("Not done: "):
            yield from labelled("not done", part.removeprefix("Not done: ").rstrip("."), width=width)
    if set(ending.applied) - {"done"}:
        yield from labelled("operations", _spelled(ending.applied), width=width)
    yield from labelled("run", ending.run_id, width=width)
    if ending.status != "nothing_to_do":
        yield from labelled("next", ending.next_step, width=width, style="bold")


def runs_lines(runs: Sequence[Run], *, width: int | None) -> Iterator[Text]:
    """One line a run, newest first, and below it why it did not succeed."""
    head = ("RUN", "SYNC", "MODE", "STATUS", "TOOK", "PLAN", "APPLIED")
    table = [head, *(_run_row(run) for run in runs)]
    first, *lines = grid(table, width=width, right=(4, 6), whole=(0, 3, 5), indent=0)
    first.stylize("dim")
    yield first
    for run, line in zip(runs, lines, strict=True):
        yield line
        if run.error:
            yield from grid([(_PARTS.split(run.error)[0].splitlines()[0],)], width=width, styles={0: "dim"}, indent=4)


def _run_row(run: Run) -> tuple[str, ...]:
    applied = run.header.get("applied") or {}
    done, total = applied.get("done", 0), sum(applied.values())
    return (
        run.id,
        run.sync,
        run.mode,
        run.status.replace("_", " "),
        _took(run.started_at, run.ended_at),
        (run.plan_id or "")[:8],
        "" if not total else f"{done:,}" if done == total else f"{done:,} of {total:,}",
    )


def _took(begun: datetime, ended: datetime | None) -> str:
    seconds = ((ended or datetime.now(UTC)) - begun).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def run_lines(run: Run, *, document: str | None, width: int | None) -> Iterator[Text]:
    """What a run says about itself."""
    header = run.header
    yield Text.assemble(_status(run.status), ("  run ", "dim"), (run.id, "bold"), f"  {run.mode} of {safe(run.sync)}")
    yield from labelled("started", f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC", width=width)
    yield from labelled("took", _took(run.started_at, run.ended_at), width=width)
    if run.plan_id:
        guard = f", guard: {header['guard']}" if header.get("guard") else ""
        yield from labelled("plan", f"{run.plan_id[:8]}{guard}", width=width)
    if run.error:
        yield from labelled("why", _PARTS.split(run.error)[0], width=width)
    if header.get("applied"):
        yield from labelled("operations", _spelled(header["applied"]), width=width)
    yield from labelled("people", count_of_people(header.get("outcomes") or {}), width=width)
    if header.get("requests"):
        requests = ", ".join(f"{count:,} to the {side}" for side, count in header["requests"].items())
        yield from labelled("requests", requests, width=width)
    if document:
        yield from labelled("document", document, width=width)
    if header.get("next"):
        yield from labelled("next", header["next"], width=width)


def people_lines(people: pl.DataFrame, run_id: str, *, most: int | None, width: int | None) -> Iterator[Text]:
    """People by outcome, those that need somebody first; the unchanged and the filtered are only counted."""
    for outcome, title in OUTCOMES.items():
        theirs = people.filter(pl.col("outcome") == outcome)
        if theirs.is_empty():
            continue
        yield Text()
        yield Text.assemble((title, "bold"), (f"  {theirs.height:,}", "dim"))
        shown = theirs if most is None else theirs.head(most)
        yield from grid([_person_row(row) for row in shown.iter_rows(named=True)], width=width, styles={2: "dim"})
        if theirs.height > shown.height:
            more = f"  … {theirs.height - shown.height:,} more  usersync results {run_id} --outcome {outcome} --all"
            yield Text(more, style="dim")


def _person_row(row: dict[str, Any]) -> tuple[str, str, str]:
    errors = [operation["error"] for operation in row["operations"] if operation["error"]]
    kinds: dict[str, int] = {}
    for operation in row["operations"]:
        kinds[operation["kind"]] = kinds.get(operation["kind"], 0) + 1
    done = ", ".join(kind_title(kind) + (f" ({count})" if count > 1 else "") for kind, count in kinds.items())
    why = row["reason"] or ""
    if row.get("next_stage"):
        why += f"; next: {kind_title(row['next_stage'])} on {row['next_stage_on']}"
    return row["username"] or row["external_id"], done, errors[0] if errors else why


def person_lines(row: dict[str, Any], *, width: int | None) -> Iterator[Text]:
    """One person of a run (a row of `PEOPLE_RESULTS`): outcome, why, groups, every operation and what became of it."""
    yield from who_and_why(row, width=width)
    if not row["operations"]:
        return
    yield Text()
    yield Text("  operations (times in UTC)", style="dim")
    for one in row["operations"]:
        when = f"{one['status'].replace('_', ' '):<9}{(one['at'] or '')[11:19]:<10}"
        yield from labelled(
            f"{when}{kind_title(one['kind'])}",
            what_changes(one),
            width=width,
            indent=4,
            margin=len(when) + TITLE_WIDTH,
        )
        if one["error"]:
            yield from labelled("", f"error: {one['error']}", width=width, style="red", indent=4, margin=len(when))


def _status(status: str) -> tuple[str, str]:
    return status.replace("_", " ").capitalize(), _STYLES.get(status, "bold red")


def _spelled(applied: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in applied.items())
