"""What somebody said of a held plan, and what of the plan that is made then may be applied because of it."""

from __future__ import annotations

from typing import NamedTuple

from ledger.opening import Ledger
from ledger.plans import Decided
from reconcile.additions import Divided, divide, same_operations
from reconcile.plan import Plan
from tasks.plans import store_plan, stored_plan

__all__ = ["Answer", "Consent", "consented", "decided_on", "store_divided"]


class Answer(NamedTuple):
    plan_id: str
    """The plan that was asked about, by its full id."""
    decided: Decided


class Consent(NamedTuple):
    plan: Plan
    """The plan to go on with, through the guard as ever."""
    note: str = ""
    """What has to be said of the plan that was asked about, where it is another one."""


def consented(ledger: Ledger, plan: Plan, answer: Answer, *, also_the_rest: bool) -> Consent:
    """The plan that was just made, let through as far as somebody said so of the very same one.

    `also_the_rest`: where only a part of a plan had waited, the plan that is made once the other part is applied does
    the same under another id.
    """
    stored, asked = stored_plan(ledger, answer.plan_id)
    decided = answer.decided
    if plan.id != asked.id and not (also_the_rest and same_operations(plan, asked)):
        if stored.state in {"held", "approved"}:
            ledger.plans.set_state(asked.id, "superseded")
        return Consent(
            plan,
            f"plan {asked.id[:8]}, on which {decided.by} decided, is refused: the source or the target has moved on "
            f"since, so plan {plan.id[:8]} was made",
        )
    store_plan(ledger, plan)
    if decided.decision == "approve":
        ledger.plans.approve(plan.id, by=decided.by, comment=decided.comment)
        return Consent(plan)
    parts = store_divided(ledger, plan, decided)
    if parts.additions is None:
        return Consent(plan, f"nothing of plan {plan.id[:8]} only adds, so all of it still waits")
    return Consent(parts.additions)


def store_divided(ledger: Ledger, plan: Plan, decided: Decided) -> Divided:
    """Approve the additions of a stored plan and hold the rest; a plan that takes nothing is approved as it is.

    Additions that the guard finds something new about stay held: nobody has seen that.
    """
    parts = divide(plan)
    if parts.additions is None:
        return parts
    if parts.rest is None:
        ledger.plans.approve(plan.id, by=decided.by, comment=decided.comment)
        return parts
    store_plan(ledger, parts.rest)
    ledger.plans.set_state(parts.rest.id, "held")
    store_plan(ledger, parts.additions)
    ledger.plans.set_state(plan.id, "superseded")
    if set(parts.additions.header.held) <= set(plan.header.held):
        said = f"the additions of plan {plan.id[:8]}" + (f": {decided.comment}" if decided.comment else "")
        ledger.plans.approve(parts.additions.id, by=decided.by, comment=said)
    else:
        ledger.plans.set_state(parts.additions.id, "held")
    return parts


def decided_on(ledger: Ledger, plan_id: str) -> Decided | None:
    """The last word on a plan, by its full id."""
    return next(reversed(ledger.plans.decisions(plan_id)), None)
