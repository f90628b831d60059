"""A plan, summary first: what it does, what the guard says, then at most some rows a kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl
from rich.text import Text

from cli.render.grid import grid, labelled, safe
from ledger.plans import StoredPlan
from reconcile.explain import changes, kind_title, why
from reconcile.plan import KINDS, Plan, PlanHeader

__all__ = [
    "FEW",
    "MANY",
    "OUTCOMES",
    "count_of_people",
    "next_command",
    "overview",
    "rows",
    "sides",
    "state",
    "verdict",
]

FEW = 5
"""Rows a kind where a plan is told in passing."""
MANY = 20
"""Rows a kind where somebody asked to see it."""

OUTCOMES = {
    "failed": "failed",
    "held": "held",
    "conflict": "in conflict",
    "created": "created",
    "updated": "updated",
    "renamed": "renamed",
    "reactivated": "reactivated",
    "access_removed": "access removed",
    "deleted": "deleted",
    "unchanged": "unchanged",
    "filtered": "filtered out",
}
"""Outcomes as people read them, those that need somebody first."""

_COUNTED = (
    ("create", "update", "rename"),
    ("remove_access", "restore_access", "delete"),
    ("add_membership", "remove_membership", "create_group"),
    ("adopt",),
)


def overview(plan: Plan, *, width: int | None, approved_by: str | None = None) -> Iterator[Text]:
    """Counts, seats and the guard's verdict."""
    header = plan.header
    yield Text.assemble(
        ("Plan ", "bold"), (plan.id[:8], "bold cyan"), safe(f"  {header.source} → {header.target}  ({header.sync})")
    )
    yield from _source(plan, width)
    yield from labelled("people", count_of_people(header.outcomes), width=width)
    yield Text()
    yield from _counts(header.counts)
    yield Text()
    if header.seats_maximum is not None:
        seats = f"{header.seats_used:,} now, {header.seats_after:,} after, {header.seats_maximum:,} licensed"
        yield from labelled("seats", seats, width=width)
    yield from _guard(header, width, approved_by)


def _source(plan: Plan, width: int | None) -> Iterator[Text]:
    header = plan.header
    if header.complete:
        yield from labelled("source", f"read completely, {plan.verdicts.height:,} people", width=width)
        return
    withheld = ", ".join(f"{kind_title(kind)} {count:,}" for kind, count in header.withheld.items())
    what = f"READ INCOMPLETELY, so nothing is removed ({withheld or 'nothing was to be'})"
    yield from labelled("source", "\n".join([what, *(f"· {found}" for found in header.source_findings)]), width=width)


def count_of_people(outcomes: dict[str, int]) -> str:
    """Such as `461 created, 12 updated`; those that need somebody first."""
    named = [f"{outcomes[name]:,} {words}" for name, words in OUTCOMES.items() if outcomes.get(name)]
    return ", ".join(named) or "nobody"


def _counts(counts: dict[str, int]) -> Iterator[Text]:
    figures = [[(kind_title(kind), counts.get(kind, 0)) for kind in line] for line in _COUNTED]
    widths = [max(len(f"{line[place][1]:,}") for line in figures if place < len(line)) for place in range(3)]
    for line in figures:
        text = Text("  ")
        for place, (title, count) in enumerate(line):
            piece = f"{title:<18}{count:>{widths[place]},}"
            text.append(f"{piece}    ", style="" if count else "dim")
        text.rstrip()
        yield text


def _guard(header: PlanHeader, width: int | None, approved_by: str | None) -> Iterator[Text]:
    if not header.held:
        losing = header.counts.get("remove_access", 0) + header.counts.get("delete", 0)
        verdict = f"clear ({losing:,} of {header.population:,} managed accounts lose access)"
        yield from labelled("guard", verdict, width=width, style="green")
        return
    verdict = f"HELD, approved by {approved_by}" if approved_by else "HELD: nothing of it is applied unless approved"
    yield from labelled("guard", verdict, width=width, style="bold yellow")
    for finding in header.held:
        such_as = f" (such as {', '.join(finding.samples)})" if finding.samples else ""
        yield from labelled("", f"· {finding.message}{such_as}", width=width)


def rows(plan: Plan, *, width: int | None, most: int | None, kind: str | None = None) -> Iterator[Text]:
    """The operations of each kind (or of one), `most` of them at most, and the people in conflict."""
    for one in KINDS if kind is None else (kind,):
        total = plan.header.counts.get(one, 0)
        if not total:
            continue
        yield Text()
        yield Text.assemble((kind_title(one), "bold"), (f"  {total:,}", "dim"))
        shown, more = changes(plan, most=total if most is None else most, kind=one)
        yield from grid(shown.select("who", "detail", "why").rows(), width=width, styles={2: "dim"})
        if more:
            yield _more(more, f"usersync show {plan.id[:8]} --kind {one} --all")
    if kind is None:
        yield from _conflicts(plan, width, most)


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
        yield Text.assemble((safe(row["username"] or row["external_id"]), "bold"), f"  {OUTCOMES[row['outcome']]}")
        yield from labelled("id", row["external_id"], width=width)
        yield from labelled("why", row["reason"] or "(no reason)", width=width)
        yield from _groups(row["groups"], width)
        theirs = plan.operations.filter(pl.col("external_id") == row["external_id"])
        yield from _operations(theirs, width)


def _groups(groups: list[dict[str, Any]] | None, width: int | None) -> Iterator[Text]:
    if not groups:
        return
    yield Text()
    yield Text("  groups that the source gives", style="dim")
    yield from grid([(one["group"], one["path"]) for one in groups], width=width, styles={1: "dim"}, indent=4)


def _operations(theirs: pl.DataFrame, width: int | None) -> Iterator[Text]:
    if theirs.is_empty():
        return
    yield Text()
    yield Text("  planned", style="dim")
    yield from grid(
        [
            (kind_title(row["kind"]), row["group"] or "", sides(row["before"], row["after"]), row["reason"] or "")
            for row in theirs.iter_rows(named=True)
        ],
        width=width,
        styles={3: "dim"},
        indent=4,
    )


def sides(before: str | None, after: str | None) -> str:
    """`before → after` of an operation's JSON objects."""
    old, new = (_spelled(side) for side in (before, after))
    if old and new:
        return f"{old} → {new}"
    return new or (f"{old} → (none)" if old else "")


def _spelled(side: str | None) -> str:
    if side is None:
        return ""
    return ", ".join(_value(name, value) for name, value in json.loads(side).items() if value not in (None, [], ""))


def _value(name: str, value: Any) -> str:
    return f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"


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
