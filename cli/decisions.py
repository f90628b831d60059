"""`usersync approve`, `reject` and `plans`: what somebody decides on a held plan, and what waits for that."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, LedgerUrl
from cli.plans import PlanArgument

if TYPE_CHECKING:
    from ledger.plans import Decision

__all__ = ["approve", "list_plans", "reject"]

_MANY = 20
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Your name, which is kept with the decision.")]
Comment = Annotated[str | None, typer.Option("--comment", metavar="TEXT", help="Kept as well.")]


def approve(
    plan_id: PlanArgument,
    by: By,
    additions_only: Annotated[
        bool, typer.Option("--additions-only", help="Only what takes nothing away; the rest stays held.")
    ] = False,
    comment: Comment = None,
    ledger: LedgerUrl = None,
) -> None:
    """Let a held plan through. A flow run that waits for this goes on."""
    _decide(plan_id, "approve additions only" if additions_only else "approve", by, comment, ledger)


def reject(plan_id: PlanArgument, by: By, comment: Comment = None, ledger: LedgerUrl = None) -> None:
    """Refuse a held plan. Nobody is asked about it again, and a flow run that waits for this ends."""
    _decide(plan_id, "reject", by, comment, ledger)


def list_plans(
    sync: Annotated[str | None, typer.Option("--sync", metavar="NAME", help="Only plans of this sync.")] = None,
    held: Annotated[bool, typer.Option("--held", help="Only those that wait for a decision.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = _MANY,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the latest plans, where they stand, and which ones somebody is asked about."""
    from cli.books import looked_up
    from cli.output import answers, say, whole_json, width_of
    from cli.render.plan_list import plans_lines
    from tasks.records import listed_plan_as_json

    with looked_up(ledger) as book:
        found = book.plans.latest(sync=sync, state="held" if held else None, limit=limit)
        asked = {question.plan_id: question for question in book.questions.open(sync)}
        said = {stored.id: tuple(book.plans.decisions(stored.id)) for stored in found}
    if as_json:
        whole_json([listed_plan_as_json(stored, asked.get(stored.id), said[stored.id]) for stored in found])
        return
    console = answers()
    say(
        console,
        plans_lines(
            found, asked, {plan: tuple(all_of_it) for plan, all_of_it in said.items()}, width=width_of(console)
        ),
    )


def _decide(plan_id: str, decision: Decision, by: str, comment: str | None, ledger: str | None) -> None:
    from cli.books import looked_up
    from cli.output import answers
    from flows.deciding import decide

    with looked_up(ledger) as book:
        said = decide(book, plan_id, decision, by=by, comment=comment)
    console = answers()
    for line in said.lines:
        console.print(line, highlight=False, soft_wrap=True)
