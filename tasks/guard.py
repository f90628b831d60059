"""The gate between deciding and doing: a plan is stored, and passes if it is clear or approved."""

from __future__ import annotations

from ledger.opening import Ledger
from reconcile.plan import Plan
from tasks.plans import store_plan
from tasks.step import step

__all__ = ["guard"]


@step(shown=False)
async def guard(ledger: Ledger, plan: Plan) -> bool:
    """Store the plan and say whether it may be applied. What was decided on it counts for the same plan made again.

    What was held back of it is stored as the plan that it is.
    """
    if plan.waiting is not None:
        await guard(ledger, plan.waiting)
    stored = store_plan(ledger, plan)
    if not plan.held or stored.state == "approved":
        return True
    if stored.state != "rejected":
        ledger.plans.set_state(plan.id, "held")
    return False
