"""The guard never gets laxer as a plan gets worse."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.guard import judge
from reconcile.measure import Measures, Shrinkage
from reconcile.policy import Guard, Limit
from tests.builders import plan_of, policy, present, source, target

PERSONS = ["a", "b", "c", "d", "e"]
GROUPS = ["dev", "ops"]

limits = st.builds(
    Limit,
    count=st.none() | st.integers(0, 8),
    percent=st.none() | st.floats(0, 100, allow_nan=False) | st.sampled_from([0.0, 5.0, 50.0, 100.0]),
)
guards = st.builds(
    Guard,
    deactivations=limits,
    deletions=limits,
    renames=limits,
    adoptions=limits,
    clearings=limits,
    memberships_removed=limits,
    memberships_removed_per_group=limits,
    groups_emptied=limits,
    administrators_touched=limits,
    administrators_made=limits,
    small_group=st.integers(1, 5),
    seats=st.booleans(),
)
kinds = st.sampled_from(["remove_access", "delete", "rename", "adopt"])


@st.composite
def shrinkages(draw: st.DrawFn, name: str) -> Shrinkage:
    before = draw(st.integers(1, 12))
    removed = draw(st.integers(1, before))
    return Shrinkage(name, before, removed, before - removed + draw(st.integers(0, 3)))


@st.composite
def measured(draw: st.DrawFn) -> Measures:
    names = draw(st.lists(st.sampled_from("vwxyz"), unique=True))
    return Measures(
        population=draw(st.integers(0, 40)),
        managed_memberships=draw(st.integers(0, 80)),
        managed_groups=5,
        counts=draw(st.dictionaries(kinds, st.integers(1, 10))),
        clearings=tuple(draw(st.lists(st.sampled_from("abcdef"), unique=True))),
        memberships_removed=draw(st.integers(0, 20)),
        shrinking=tuple(draw(shrinkages(name)) for name in names),
        administrators=tuple(draw(st.lists(st.sampled_from("abcdef"), unique=True))),
        administrators_made=tuple(draw(st.lists(st.sampled_from("abcdef"), unique=True))),
        seats_before=draw(st.integers(0, 10)),
        seats_after=draw(st.integers(0, 20)),
        seats_maximum=draw(st.none() | st.integers(0, 15)),
    )


@st.composite
def worsened(draw: st.DrawFn, one: Measures) -> Measures:
    """The same target under a plan that is worse in any of the measures, or in none."""
    more = st.integers(0, 3)
    counts = {kind: one.counts.get(kind, 0) + draw(more) for kind in ("remove_access", "delete", "rename", "adopt")}
    shrinking = []
    for group in one.shrinking:
        lost = draw(st.integers(0, group.before - group.removed))
        shrinking.append(replace(group, removed=group.removed + lost, after=group.after - lost))
    known = {group.group for group in one.shrinking}
    shrinking += [draw(shrinkages(name)) for name in "vwxyz" if name not in known and draw(st.booleans())]
    return replace(
        one,
        counts=counts,
        memberships_removed=one.memberships_removed + draw(more),
        shrinking=tuple(shrinking),
        administrators=(*one.administrators, *("x" * draw(more))),
        administrators_made=(*one.administrators_made, *("x" * draw(more))),
        seats_after=one.seats_after + draw(more),
    )


@settings(max_examples=settings().max_examples * 2, suppress_health_check=[HealthCheck.too_slow])
@given(guards, st.data())
def test_a_plan_that_is_worse_in_any_measure_is_held_for_at_least_the_same(guard: Guard, data: st.DataObject) -> None:
    one = data.draw(measured())
    worse = data.draw(worsened(one))
    before = {(finding.kind, finding.samples) for finding in judge(one, guard)}
    after = {(finding.kind, finding.samples) for finding in judge(worse, guard)}
    assert {kind for kind, _ in before} <= {kind for kind, _ in after}
    per_group = "memberships_removed_per_group"
    assert {found for found in before if found[0] == per_group} <= after


@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.too_slow])
@given(guards, st.data())
def test_a_source_that_lost_more_is_held_for_at_least_the_same(guard: Guard, data: st.DataObject) -> None:
    memberships = [(person, group) for person in PERSONS for group in GROUPS]
    administrators = data.draw(st.lists(st.sampled_from(PERSONS), unique=True))
    there = target(
        PERSONS,
        {"dev": PERSONS, "ops": PERSONS, "admins": administrators},
        permissions={"dev": "LICENSED_USER", "admins": "ADMIN"},
        seats=data.draw(st.none() | st.integers(0, 6)),
    )
    losses: list[tuple[str, str] | str] = [*memberships, *PERSONS]
    lost = data.draw(st.lists(st.sampled_from(losses), unique=True))
    less = lost[: data.draw(st.integers(0, len(lost)))]
    rules = policy(
        guard=guard.model_dump(), leavers={"method": data.draw(st.sampled_from(["remove_access", "delete"]))}
    )

    def held_after(losses: list[tuple[str, str] | str]) -> set[str]:
        left = source(
            [person for person in PERSONS if person not in losses],
            {group: [who for who in PERSONS if (who, group) not in losses] for group in GROUPS},
        )
        return {finding.kind for finding in plan_of(left, there, present(PERSONS), rules).header.held}

    assert held_after(less) <= held_after(lost)
