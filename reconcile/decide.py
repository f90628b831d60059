"""All decisions of one run, in order: select, correlate, diff, guard. From two snapshots and a memory to a plan."""

from __future__ import annotations

from dataclasses import dataclass

from directory.snapshot import SourceSnapshot, TargetSnapshot
from reconcile.correlate import correlate
from reconcile.diff import Present, diff
from reconcile.guard import judge
from reconcile.measure import measure
from reconcile.numbered import number_target
from reconcile.plan import Finding, Plan, PlanHeader
from reconcile.policy import Policy
from reconcile.sanity import SourceStats, implausible, source_stats
from reconcile.select import Selection, select
from reconcile.verdicts import grants_of, judge_people

__all__ = ["Names", "decide", "plan_selection"]


@dataclass(frozen=True)
class Names:
    """What the plan is called by."""

    sync: str
    source: str
    target: str


def decide(
    source: SourceSnapshot,
    target: TargetSnapshot,
    present: Present,
    policy: Policy,
    names: Names,
    last_good: SourceStats | None = None,
) -> Plan:
    """Make the plan from a normalised source. Raises `ConfigurationError` for an expression that cannot be used."""
    return plan_selection(source, select(source, policy), target, present, policy, names, last_good)


def plan_selection(
    source: SourceSnapshot,
    selection: Selection,
    target: TargetSnapshot,
    present: Present,
    policy: Policy,
    names: Names,
    last_good: SourceStats | None = None,
) -> Plan:
    """As `decide`, for a selection that was made before (it tells which groups of the target must be read)."""
    complete = source.completeness.complete
    numbered = number_target(target)
    correlation = correlate(selection, numbered, present.links, policy.people)
    difference = diff(selection, numbered, correlation, present, policy, complete=complete)
    measures = measure(difference, numbered)
    held = (
        *(Finding(kind="source", measured=0, allowed=None, message=text) for text in selection.findings),
        *implausible(source_stats(source, selection), last_good, policy.guard.source),
        *judge(measures, policy.guard),
    )
    per_person, grants = grants_of(selection)
    verdicts = judge_people(selection, difference, per_person)
    header = PlanHeader(
        sync=names.sync,
        source=names.source,
        target=names.target,
        complete=complete,
        source_findings=source.completeness.findings,
        withheld=difference.withheld,
        counts=measures.counts,
        outcomes=dict(sorted(verdicts["outcome"].value_counts().iter_rows())),
        population=measures.population,
        managed_groups=difference.managed_groups,
        feeds=difference.feeds,
        left_behind=difference.left_behind,
        seats_used=measures.seats_before,
        seats_after=measures.seats_after,
        seats_maximum=measures.seats_maximum,
        held=held,
    )
    return Plan(header=header, operations=difference.operations, verdicts=verdicts, grants=grants)
