"""`usersync approve`, `reject` and `plans`: what somebody decides on a held plan, and what waits for that."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, LedgerUrl
from cli.plans import PlanArgument
from directory.errors import ConfigurationError, Fatal

if TYPE_CHECKING:
    from ledger.opening import Ledger
    from ledger.plans import Decided, Decision, StoredPlan
    from ledger.questions import Question

__all__ = ["approve", "list_plans", "reject"]

_MANY = 20
_UNDECIDED = frozenset({"stored", "held", "rejected", "approved"})
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

    with looked_up(ledger) as book:
        found = book.plans.latest(sync=sync, state="held" if held else None, limit=limit)
        asked = {question.plan_id: question for question in book.questions.open(sync)}
        said = {stored.id: tuple(book.plans.decisions(stored.id)) for stored in found}
    if as_json:
        whole_json([_as_json(stored, asked.get(stored.id), said[stored.id]) for stored in found])
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

    if not by.strip():
        raise ConfigurationError(
            "the decision needs a name", not_done="nothing was decided", next_step="give yours with --by"
        )
    with looked_up(ledger) as book:
        stored = book.plans.get(plan_id)
        if stored.state not in _UNDECIDED:
            raise ConfigurationError(
                f"plan {stored.id[:8]} is {stored.state}, so there is nothing to decide",
                not_done="nothing was decided",
                next_step="`usersync plans --held` lists what waits for a decision",
            )
        asked = [question for question in book.questions.open(stored.sync) if question.plan_id == stored.id]
        went_on = _answered(asked, decision, by.strip(), comment)
        said = book.plans.decide(stored.id, decision, by=by.strip(), comment=comment)
        if went_on is not None:
            book.questions.close(went_on, "answered")
        text = _told(book, said, decision, went_on, asked)
    console = answers()
    for line in text:
        console.print(line, highlight=False, soft_wrap=True)


def _answered(asked: list[Question], decision: Decision, by: str, comment: str | None) -> Question | None:
    """The question of a flow run that has the answer now."""
    if not asked or not os.environ.get("PREFECT_API_URL"):
        return None
    from httpx import HTTPError

    from flows.asking import answer_question

    for question in asked:
        try:
            if asyncio.run(answer_question(question, decision, by=by, comment=comment)):
                return question
        except (HTTPError, RuntimeError) as error:
            raise Fatal(
                f"the Prefect server that PREFECT_API_URL names does not answer: {error}",
                subject=f"flow run {question.flow_run_id}",
                not_done="nothing was decided",
                next_step="see to the server, or unset PREFECT_API_URL to decide in the ledger alone",
            ) from None
    return None


def _told(
    book: Ledger, stored: StoredPlan, decision: Decision, went_on: Question | None, asked: list[Question]
) -> list[str]:
    short = stored.id[:8]
    if went_on is not None:
        return [
            f"Plan {short}: {decision}. Flow run {went_on.flow_run_id} goes on with that.",
            "  It reads both sides anew; where they moved on, the plan is refused and made anew.",
        ]
    more = [
        f"  flow run {question.flow_run_id} waits still: answer there, or set PREFECT_API_URL and say it again"
        for question in asked
        if not os.environ.get("PREFECT_API_URL")
    ]
    if decision == "reject":
        return [f"Plan {short} is rejected; nobody is asked about it again.", *more]
    if decision == "approve":
        return [f"Plan {short} is approved.", f"  next: usersync apply {short}", *more]
    return [*_divided(book, stored), *more]


def _divided(book: Ledger, stored: StoredPlan) -> list[str]:
    from tasks.consent import decided_on, store_divided
    from tasks.plans import stored_plan

    said = decided_on(book, stored.id)
    _, plan = stored_plan(book, stored.id)
    if said is None:
        raise TypeError("a plan is divided because somebody said so")
    additions, rest = store_divided(book, plan, said)
    if additions is None:
        return [f"Nothing of plan {stored.id[:8]} only adds: all of it stays held."]
    if rest is None:
        return [
            f"Plan {stored.id[:8]} takes nothing away: all of it is approved.",
            f"  next: usersync apply {plan.id[:8]}",
        ]
    lines = [f"Plan {additions.id[:8]} has the {additions.operations.height:,} additions of plan {stored.id[:8]}"]
    if book.plans.get(additions.id).state == "held":
        lines[0] += ", and is held:"
        lines += [f"  {finding.message}" for finding in additions.header.held]
        lines += [f"  next: usersync approve {additions.id[:8]} --by NAME"]
    else:
        lines[0] += ", and is approved."
        lines += [f"  next: usersync apply {additions.id[:8]}"]
    return [*lines, f"  The other {rest.operations.height:,} operations stay held as plan {rest.id[:8]}."]


def _as_json(stored: StoredPlan, asked: Question | None, said: Sequence[Decided]) -> dict[str, Any]:
    return {
        "id": stored.id,
        "sync": stored.sync,
        "state": stored.state,
        "created_at": stored.created_at.isoformat(),
        "asked_by_flow_run": None if asked is None else asked.flow_run_id,
        "asked_until": None if asked is None else asked.open_until.isoformat(),
        "decisions": [
            {"decision": one.decision, "by": one.by, "at": one.at.isoformat(), "comment": one.comment} for one in said
        ],
    }
