"""All decisions of one run, in order: select, correlate, diff, guard. From two snapshots and a memory to a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from directory.snapshot import Completeness, SourceSnapshot, TargetSnapshot
from reconcile.correlate import correlate
from reconcile.diff import Difference, Present, diff
from reconcile.guard import judge
from reconcile.measure import Measures, measure
from reconcile.numbered import NumberedTarget, number_target
from reconcile.parting import part
from reconcile.plan import VERDICTS, Finding, Plan, PlanHeader, Waiting
from reconcile.policy import Guard, Policy
from reconcile.remembered_names import with_remembered_names
from reconcile.sanity import SourceStats, implausible, source_stats
from reconcile.select import Selection, select
from reconcile.verdicts import grants_of, judge_people

__all__ = ["Names", "decide", "guarded_plan", "let_in_unseen", "plan_selection", "source_findings"]

_LETTING_IN = ("create", "adopt", "restore_access")
_NAMED = 5


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
    selection = with_remembered_names(selection, present.memories)
    correlation = correlate(selection, numbered, present.links, policy.people)
    difference = diff(selection, numbered, correlation, present, policy, complete=complete)
    doubts = (
        *source_findings((*selection.findings, *selection.emptied), selection.unexcluded),
        *let_in_unseen(selection, difference, complete=complete),
        *implausible(source_stats(source, selection), last_good, policy.guard.source),
    )
    return guarded_plan(source.completeness, selection, difference, numbered, doubts, policy.guard, names)


def guarded_plan(
    completeness: Completeness,
    selection: Selection,
    difference: Difference,
    numbered: NumberedTarget,
    doubts: tuple[Finding, ...],
    guard: Guard,
    names: Names,
) -> Plan:
    """The plan that carries a difference out, held by its `doubts` and by what `guard` finds in it."""
    measures = measure(difference, numbered)
    held = (*doubts, *judge(measures, guard))
    per_person, grants = grants_of(selection)

    def plan(some: Difference, measures: Measures, held: tuple[Finding, ...], waiting: Plan | None = None) -> Plan:
        verdicts = judge_people(selection, some, per_person)
        note = None
        if waiting is not None:
            verdicts = _put_off(verdicts, some, waiting)
            note = Waiting(plan=waiting.id, operations=waiting.operations.height, findings=waiting.header.held)
        header = PlanHeader(
            sync=names.sync,
            source=names.source,
            target=names.target,
            complete=completeness.complete,
            source_findings=completeness.findings,
            withheld=some.withheld,
            counts=measures.counts,
            outcomes=dict(sorted(verdicts["outcome"].value_counts().iter_rows())),
            population=measures.population,
            managed_groups=some.managed_groups,
            feeds=some.feeds,
            left_behind=some.left_behind,
            seats_used=measures.seats_before,
            seats_after=measures.seats_after,
            seats_maximum=measures.seats_maximum,
            held=held,
            waiting=note,
        )
        return Plan(header=header, operations=some.operations, verdicts=verdicts, grants=grants, waiting=waiting)

    if held and guard.on_hold == "hold-kinds":
        parting = part(difference, numbered, held)
        # What goes on must be within the limits by itself: seats that only the rest would free are not there.
        if parting is not None and not judge(going := measure(parting.go_on, numbered), guard):
            rest = plan(parting.waits, measure(parting.waits, numbered), held)
            return plan(parting.go_on, going, (), rest)
    return plan(difference, measures, held)


def source_findings(implausible: tuple[str, ...], unexcluded: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with the groups that the sync file names; each holds the plan."""
    yield from (Finding(kind="source", measured=0, allowed=None, message=text) for text in implausible)
    yield from (Finding(kind="exclusion", measured=0, allowed=None, message=text) for text in unexcluded)


def let_in_unseen(selection: Selection, difference: Difference, *, complete: bool) -> Iterator[Finding]:
    """A finding where people get access while it is not known whether a group keeps them out."""
    if complete or not selection.keeps_out_by_groups:
        return
    entering = difference.operations.filter(pl.col("kind").is_in(_LETTING_IN))
    people = entering.unique("external_id", maintain_order=True)["username"]
    if len(people):
        yield Finding(
            kind="exclusion",
            measured=len(people),
            allowed=0,
            message=f"{len(people):,} people would be let in, and groups that keep people out were read incompletely",
            samples=tuple(people.head(_NAMED)),
        )


def _put_off(verdicts: pl.DataFrame, going: Difference, waiting: Plan) -> pl.DataFrame:
    """People of whom everything waits are held, and the reason names the plan that does."""
    waits = waiting.operations.join(going.operations, on="external_id", how="anti")["external_id"].drop_nulls()
    put_off = pl.col("external_id").is_in(waits.unique().implode())
    reason = pl.format("{}; waits for the approval of plan {}", pl.col("reason"), pl.lit(waiting.id[:8]))
    others = waiting.verdicts.select("external_id", pl.col("username").alias("name"), pl.col("reason").alias("why"))
    told = verdicts.join(others, on="external_id", how="full", coalesce=True).with_columns(
        pl.coalesce("username", "name").alias("username"),
        pl.when(put_off).then("why").otherwise("reason").alias("reason"),
    )
    return (
        told.with_columns(
            pl.when(put_off).then(pl.lit("held")).otherwise("outcome").alias("outcome"),
            pl.when(put_off).then(reason).otherwise("reason").alias("reason"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in VERDICTS.items())
        .sort("external_id")
    )
