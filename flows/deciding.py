"""What somebody decides on a held plan, from the command line or over HTTP: the same refusals and the same words."""

from __future__ import annotations

import asyncio
import os
from typing import NamedTuple

from directory.errors import ConfigurationError, Fatal
from ledger.opening import Ledger
from ledger.plans import Decision, StoredPlan
from ledger.questions import Question
from tasks.consent import decided_on, store_divided
from tasks.plans import stored_plan

__all__ = ["Said", "decide"]

_UNDECIDED = frozenset({"stored", "held", "rejected", "approved"})


class Said(NamedTuple):
    """What became of a decision."""

    plan: StoredPlan
    """As it stands now."""
    lines: tuple[str, ...]
    """For whoever decided; those that begin with spaces belong to the one before."""


def decide(ledger: Ledger, plan_id: str, decision: Decision, *, by: str, comment: str | None) -> Said:
    """Note the decision, and let a flow run that waits for it go on. Not to be called from a running event loop.

    Raises ConfigurationError without a name and for a plan that is applied or refused already, UnknownRecord for none,
    and Fatal where the Prefect server whose flow run waits does not answer; nothing is decided then.
    """
    if not by.strip():
        raise ConfigurationError(
            "the decision needs a name", not_done="nothing was decided", next_step="give yours with --by"
        )
    stored = ledger.plans.get(plan_id)
    if stored.state not in _UNDECIDED:
        raise ConfigurationError(
            f"plan {stored.id[:8]} is {stored.state}, so there is nothing to decide",
            not_done="nothing was decided",
            next_step="`usersync plans --held` lists what waits for a decision",
        )
    asked = [question for question in ledger.questions.open(stored.sync) if question.plan_id == stored.id]
    went_on = _answered(asked, decision, by.strip(), comment)
    said = ledger.plans.decide(stored.id, decision, by=by.strip(), comment=comment)
    if went_on is not None:
        ledger.questions.close(went_on, "answered")
    lines = _told(ledger, said, decision, went_on, asked)
    return Said(ledger.plans.get(stored.id), tuple(lines))


def _answered(asked: list[Question], decision: Decision, by: str, comment: str | None) -> Question | None:
    """The question of a flow run that has the answer now."""
    if not asked or not os.environ.get("PREFECT_API_URL"):
        return None
    # Prefect takes two seconds to import, and none of these where no flow run asks.
    from httpx import HTTPError  # noqa: PLC0415

    from flows.asking import answer_question  # noqa: PLC0415

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
