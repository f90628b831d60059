"""The decisions of `reconcile`, as steps: normalize, select, and diff (which correlates, compares and guards)."""

from __future__ import annotations

from connectors.contract import ReadScope
from directory.normalize import normalize_source
from directory.snapshot import SourceSnapshot, TargetSnapshot
from reconcile.decide import Names, plan_selection
from reconcile.diff import Present
from reconcile.plan import Plan
from reconcile.policy import Policy
from reconcile.sanity import SourceStats
from reconcile.select import Selection
from reconcile.select import select as select_people
from tasks.step import step

__all__ = ["diff", "normalize", "scope_of", "select"]


@step(shown=False)
async def normalize(snapshot: SourceSnapshot) -> SourceSnapshot:
    """One spelling for names; rows that name nobody make the read incomplete."""
    return normalize_source(snapshot)


@step(shown=False)
async def select(snapshot: SourceSnapshot, policy: Policy) -> Selection:
    """Whom the sync is about, and which groups they get."""
    return select_people(snapshot, policy)


@step(shown=False)
async def diff(
    source: SourceSnapshot,
    selection: Selection,
    target: TargetSnapshot,
    present: Present,
    policy: Policy,
    names: Names,
    last_good: SourceStats | None,
) -> Plan:
    """The plan, with what the guard says of it."""
    return plan_selection(source, selection, target, present, policy, names, last_good)


def scope_of(selection: Selection, assigned_before: frozenset[str], policy: Policy) -> ReadScope:
    """The groups whose members matter. All of them where any group may be taken from, or may tell who is inactive."""
    if policy.groups.remove_from or policy.leavers.strips or policy.inactive.looks_at_groups:
        return ReadScope()
    return ReadScope(frozenset(selection.groups["name"]) | assigned_before)
