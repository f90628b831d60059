"""What somebody is asked about a held plan, in markdown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import polars as pl

from reconcile.additions import divide
from reconcile.explain import changes, headline, kind_title
from reconcile.plan import REMOVING, Plan

__all__ = ["additions_in_words", "question"]

_SHOWN = 10


def question(plan: Plan, *, open_until: datetime) -> str:
    """Counts, what the guard found, the first ten who are affected, and what each answer does."""
    short = plan.id[:8]
    lines = [
        f"## May plan {short} be applied?",
        "",
        _safe(headline(plan)),
        "",
        "| operation | planned |",
        "| --- | ---: |",
    ]
    lines += [f"| {kind_title(kind)} | {count:,} |" for kind, count in plan.header.counts.items()]
    lines += ["", "### What the guard found", ""]
    lines += [f"- {_safe(finding.message)}" for finding in plan.header.held]
    lines += ["", "### Who is affected", "", *_affected(plan), ""]
    lines += [
        f"All of it: `usersync show {short}`, or the table of changes of this run.",
        "",
        "### What happens then",
        "",
    ]
    lines += _answers(plan, open_until)
    return "\n".join(lines)


def _affected(plan: Plan) -> list[str]:
    """Those who would lose something, if anybody does."""
    taken = plan.operations.filter(pl.col("kind").is_in(list(REMOVING)))
    shown = plan if taken.is_empty() else replace(plan, operations=taken)
    rows, more = changes(shown, most=_SHOWN)
    lines = []
    for row in rows.iter_rows(named=True):
        detail = "".join(f" ({_safe(row[name])})" for name in ("detail",) if row[name])
        why = f": {_safe(row['why'])}" if row["why"] else ""
        lines.append(f"- {row['what']} {_safe(row['who'] or '')}{detail}{why}")
    return [*lines, f"- … and {more:,} more"] if more else lines


def additions_in_words(plan: Plan) -> str:
    """What approving the additions only would do."""
    additions, rest = divide(plan)
    if additions is None:
        return "nothing of it only adds, so all of it stays held"
    if rest is None:
        return "the same, for nothing is taken away"
    return f"{additions.operations.height:,} operations are applied, {rest.operations.height:,} stay held"


def _answers(plan: Plan, open_until: datetime) -> list[str]:
    return [
        "- *approve*: both sides are read anew. If that makes this plan again it is applied; if not, it is refused.",
        f"- *approve additions only*: the same, but {additions_in_words(plan)}.",
        "- *reject*: nothing is applied, and this plan is not asked about again.",
        f"- No answer by {open_until:%Y-%m-%d %H:%M} UTC: nothing is applied, and the run fails.",
    ]


def _safe(said: str) -> str:
    """Names come from people: nothing of them is to be read as markdown or HTML."""
    return "".join(f"\\{letter}" if letter in r"\`*_[]<>#|!~" else letter for letter in said.replace("\n", " "))
