"""A plan, summary first: what it does, what the guard says, then at most some rows a kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import polars as pl
from rich.text import Text

from cli.render.grid import grid, labelled, safe
from ledger.plans import StoredPlan
from reconcile.explain import by_hand, changes, kind_title, left_behind, why
from reconcile.plan import KINDS, Finding, Kind, Plan, PlanHeader
from reconcile.wording import OUTCOMES, count_of_people, value_in_words, way, what_changes

__all__ = [
    "FEW",
    "MANY",
    "TITLE_WIDTH",
    "next_command",
    "overview",
    "rows",
    "state",
    "verdict",
    "who_and_why",
]

FEW = 5
"""Rows a kind where a plan is told in passing."""
MANY = 20
"""Rows a kind where somebody asked to see it."""

TITLE_WIDTH = 19
"""Wide enough for every kind of operation."""

_COUNTED: tuple[Kind, ...] = (
    *("create", "update", "rename"),
    *("remove_access", "restore_access", "delete"),
    *("add_membership", "remove_membership", "create_group"),
    "adopt",
)
_COUNTED_IF_ANY: tuple[Kind, ...] = (
    "leave",
    "strip_groups",
    "anonymise",
    "erase",
    "set_aside",
    "release",
    "set_picture",
    "reset_picture",
)
"""Kinds that few sync files ask for."""
_COLUMNS = 3
_BETWEEN = 4


def overview(
    plan: Plan, *, width: int | None, findings: int | None = None, approved_by: str | None = None
) -> Iterator[Text]:
    """Counts, seats and the guard's verdict with at most so many of its findings."""
    header = plan.header
    yield Text.assemble(
        ("Plan ", "bold"), (plan.id[:8], "bold cyan"), safe(f"  {header.source} → {header.target}  ({header.sync})")
    )
    yield from _source(header, width)
    yield from labelled("people", count_of_people(header.outcomes), width=width)
    if header.seats_maximum is not None:
        seats = f"{header.seats_used:,} now, {header.seats_after:,} after, {header.seats_maximum:,} licensed"
        yield from labelled("seats", seats, width=width)
    if header.counts:
        yield Text()
        yield from _counts(header.counts, width)
        yield Text()
    else:
        yield from labelled(
            "to do",
            "nothing that can be taken back" if header.undoes else "nothing: the target is as the source says",
            width=width,
        )
    yield from _guard(plan, width, findings, approved_by)
    if drift := by_hand(plan):
        yield from labelled("drift", f"{drift}: usersync show {plan.id[:8]} --origin drift", width=width)
    staying = left_behind(header)
    for number, said in enumerate(staying[:FEW]):
        yield from labelled("" if number else "left behind", f"· {said}", width=width)
    if len(staying) > FEW:
        yield from labelled("", f"… {len(staying) - FEW} more groups: see the run's results", width=width)


def _source(header: PlanHeader, width: int | None) -> Iterator[Text]:
    if header.undoes:
        yield from labelled("undoes", f"run {header.undoes}; the source is not asked", width=width)
        for number, said in enumerate(header.not_undone):
            yield from labelled("" if number else "not undone", f"· {said}", width=width)
        return
    if header.complete:
        yield from labelled("source", "read completely", width=width)
        return
    withheld = ", ".join(f"{kind_title(kind)} {count:,}" for kind, count in header.withheld.items())
    what = f"READ INCOMPLETELY, so nothing is removed (withheld: {withheld or 'nothing'})"
    yield from labelled("source", what, width=width, style="bold yellow")
    for finding in header.source_findings:
        yield from labelled("", f"· {finding}", width=width)


def _counts(counts: dict[str, int], width: int | None) -> Iterator[Text]:
    digits = max(len(f"{count:,}") for count in counts.values())
    cell = TITLE_WIDTH + digits + _BETWEEN
    columns = _COLUMNS if width is None else max(1, min(_COLUMNS, (width - 2 + _BETWEEN) // cell))
    counted = (*_COUNTED, *(kind for kind in _COUNTED_IF_ANY if counts.get(kind)))
    for start in range(0, len(counted), columns):
        line = Text("  ")
        for kind in counted[start : start + columns]:
            count = counts.get(kind, 0)
            figure = f"{kind_title(kind):<{TITLE_WIDTH}}{count:>{digits},}{' ' * _BETWEEN}"
            line.append(figure, style="" if count else "dim")
        line.rstrip()
        yield line


def _guard(plan: Plan, width: int | None, most: int | None, approved_by: str | None) -> Iterator[Text]:
    header = plan.header
    if not header.held:
        losing = header.counts.get("remove_access", 0) + header.counts.get("delete", 0)
        measured = f"{losing:,} of {header.population:,} managed accounts lose access"
        verdict = f"clear ({measured if header.population else 'no account is managed yet'})"
        yield from labelled("guard", verdict, width=width, style="green")
        if header.waiting is not None:
            rest = f"{header.waiting.operations:,} operations WAIT as plan {header.waiting.plan[:8]}"
            yield from labelled(
                "", f"{rest}: usersync show {header.waiting.plan[:8]}", width=width, style="bold yellow"
            )
            yield from _findings(header.waiting.findings[:most], width)
        return
    verdict = f"HELD, and approved by {approved_by}" if approved_by else "HELD: nothing is applied unless approved"
    yield from labelled("guard", verdict, width=width, style="bold yellow")
    yield from _findings(header.held[:most], width)
    if most is not None and len(header.held) > most:
        yield from labelled("", f"… {len(header.held) - most} more: usersync show {plan.id[:8]}", width=width)


def _findings(found: Iterable[Finding], width: int | None) -> Iterator[Text]:
    for finding in found:
        others = [sample for sample in finding.samples if sample not in finding.message]
        such_as = f" (such as {', '.join(others)})" if others else ""
        yield from labelled("", f"· {finding.message}{such_as}", width=width)


def rows(
    plan: Plan, *, width: int | None, most: int | None, kind: str | None = None, origin: str | None = None
) -> Iterator[Text]:
    """The operations of each kind (or of one, or of one origin), `most` of them at most, and the people in conflict."""
    whole = plan
    if origin is not None:
        chosen = plan.origins.filter(pl.col("origin") == origin)
        plan = replace(plan, operations=plan.operations.join(chosen, on="seq", how="semi", maintain_order="left"))
    counts = dict(plan.operations["kind"].value_counts().iter_rows())
    for one in KINDS if kind is None else (kind,):
        total = counts.get(one, 0)
        if not total:
            continue
        yield Text()
        yield Text.assemble((kind_title(one), "bold"), (f"  {total:,}", "dim"))
        shown, more = changes(plan, most=total if most is None else most, kind=one)
        table = [_change(one, *row) for row in shown.select("who", "detail", "why").rows()]
        yield from grid(table, width=width, styles={2: "dim"})
        if more:
            only = f" --origin {origin}" if origin else ""
            yield _more(more, f"usersync show {whole.id[:8]} --kind {one}{only} --all")
    if kind is None and origin is None:
        yield from _conflicts(plan, width, most)


def _change(kind: str, who: str, detail: str, reason: str) -> tuple[str, str, str]:
    if kind == "add_membership":
        return who, detail, way(detail, reason)
    return who, "" if detail == who else detail, reason


def _conflicts(plan: Plan, width: int | None, most: int | None) -> Iterator[Text]:
    found = plan.verdicts.filter(pl.col("outcome") == "conflict")
    if not found.height:
        return
    yield Text()
    yield Text.assemble(("in conflict, left as they are", "bold yellow"), (f"  {found.height:,}", "dim"))
    named = found.select(pl.coalesce("username", "external_id"), pl.col("reason").fill_null(""))
    shown = named if most is None else named.head(most)
    yield from grid(shown.rows(), width=width)
    if found.height > shown.height:
        yield _more(found.height - shown.height, f"usersync show {plan.id[:8]} --all")


def _more(count: int, command: str) -> Text:
    return Text.assemble((f"  … {count:,} more", "dim"), (f"  {command}", "dim"))


def verdict(plan: Plan, person: str, *, width: int | None) -> Iterator[Text]:
    """What the plan makes of a person, and why; nothing where it does not know them."""
    for row in why(plan, person).iter_rows(named=True):
        yield from who_and_why(row, width=width)
        theirs = plan.operations.filter(pl.col("external_id") == row["external_id"])
        if theirs.is_empty():
            continue
        yield Text()
        yield Text("  planned", style="dim")
        for operation in theirs.iter_rows(named=True):
            yield from labelled(
                kind_title(operation["kind"]), what_changes(operation), width=width, indent=4, margin=TITLE_WIDTH
            )


def who_and_why(row: dict[str, Any], *, width: int | None) -> Iterator[Text]:
    """A person's name, outcome, reason, and groups with the way to each."""
    yield Text.assemble((safe(row["username"] or row["external_id"]), "bold"), f"  {OUTCOMES[row['outcome']]}")
    yield from labelled("id", row["external_id"], width=width)
    yield from labelled("why", row["reason"] or "(no reason)", width=width)
    if row.get("next_stage"):
        yield from labelled("next", f"{kind_title(row['next_stage'])} on {row['next_stage_on']}", width=width)
    if carried := json.loads(row.get("attributes") or "{}"):
        said = [value_in_words(name, "(none)" if value is None else value) for name, value in carried.items()]
        yield from labelled("carried", "; ".join(said), width=width)
    if row["groups"]:
        yield Text()
        yield Text("  groups that the source gives", style="dim")
        pairs = [(one["group"], way(one["group"], one["path"])) for one in row["groups"]]
        yield from grid(pairs, width=width, styles={1: "dim"}, indent=4)


def state(stored: StoredPlan, *, width: int | None) -> Iterator[Text]:
    """Where a stored plan stands."""
    text = f"{stored.state}, made {stored.created_at:%Y-%m-%d %H:%M} UTC"
    if stored.approved_at is not None:
        text += f"; approved by {stored.approved_by} {stored.approved_at:%Y-%m-%d %H:%M} UTC"
    yield from labelled("state", text, width=width)


def next_command(stored: StoredPlan, plan: Plan, *, width: int | None) -> Iterator[Text]:
    """What can be done with a plan now."""
    command = f"usersync apply {plan.id[:8]}"
    match stored.state:
        case "held":
            text = f"if it is right, {command} --approved-by NAME; if not, mend the source and run the sync again"
        case "stored" | "approved" if not plan.empty:
            text = command
        case "partial":
            text = f"{command} does what is missing"
        case _:
            text = f"usersync plan {plan.header.sync}"
    yield Text()
    yield from labelled("next", text, width=width, style="bold")
