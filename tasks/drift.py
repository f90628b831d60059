"""Tell apart what the source, the sync file and hands in the target have changed."""

from __future__ import annotations

from dataclasses import replace

from directory.errors import ConfigurationError
from ledger.opening import Ledger
from reconcile.drift import origins
from reconcile.plan import Plan
from reconcile.policy import Policy
from reconcile.select import Selection, select
from tasks.snapshots import last_acted_on

__all__ = ["with_origins"]


def with_origins(ledger: Ledger, plan: Plan, selection: Selection, policy: Policy) -> Plan:
    """The plan, and what waits of it, with the origin of each operation, where a run that ended well tells what was
    wanted then."""
    if plan.empty:
        return plan
    before = last_acted_on(ledger, plan.header.sync)
    if before is None:
        return plan
    then = select(before.source, before.policy)
    by_new_rules = None
    if before.policy != policy:
        try:
            by_new_rules = select(before.source, policy)
        except ConfigurationError:
            # The new rules name a column that the source did not have then: what they change cannot be told apart.
            by_new_rules = None
    links = ledger.links.frame(plan.header.sync)

    def told(part: Plan) -> Plan:
        return replace(part, origins=origins(part.operations, selection, then, by_new_rules, links))

    return replace(told(plan), waiting=None if plan.waiting is None else told(plan.waiting))
