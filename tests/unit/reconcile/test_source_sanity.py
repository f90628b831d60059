"""A source that shrank or lost an attribute since the last good run is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.sanity import SourceStats, implausible, source_stats
from reconcile.select import select
from tests.builders import held_for, person, plan_of, policy, source, target

STATS: dict[str, Any] = {
    "people": 100,
    "groups": 50,
    "memberships": 1_000,
    "null_percent": {"email": 2.0, "username": 0.0},
}


def found(policy_source: dict[str, float | None] | None = None, **now: Any) -> list[str]:
    limits = policy(guard={"source": policy_source or {}}).guard.source
    return [finding.kind for finding in implausible(SourceStats(**{**STATS, **now}), SourceStats(**STATS), limits)]


@pytest.mark.parametrize(
    ("now", "kinds"),
    [
        ({}, []),
        ({"people": 200, "groups": 99, "memberships": 9_999}, []),
        ({"people": 90}, []),
        ({"people": 89}, ["people_lost"]),
        ({"groups": 40}, []),
        ({"groups": 39}, ["groups_lost"]),
        ({"memberships": 799}, ["memberships_lost"]),
        ({"null_percent": {"email": 12.0}}, []),
        ({"null_percent": {"email": 12.1}}, ["attribute_emptied"]),
        ({"null_percent": {"display_name": 10.1}}, ["attribute_emptied"]),
        ({"people": 0, "groups": 0, "memberships": 0}, ["people_lost", "groups_lost", "memberships_lost"]),
    ],
)
def test_each_measure_has_its_limit(now: dict[str, Any], kinds: list[str]):
    assert found(**now) == kinds


def test_a_limit_can_be_lifted_or_be_none_at_all():
    assert found({"people_lost_percent": None}, people=0) == []
    assert found({"people_lost_percent": 0}, people=99) == ["people_lost"]
    assert found({"attribute_nulls_percent": None}, null_percent={"email": 100.0}) == []


def test_the_first_run_has_nothing_to_compare_with():
    assert implausible(SourceStats(people=0, groups=0, memberships=0), None, policy().guard.source) == ()


def test_only_active_people_are_measured():
    snapshot = source(
        [person("ann", email=None), person("bob"), person("cem", email=None, active=False)], {"dev": ["ann"]}
    )
    stats = source_stats(snapshot, select(snapshot, policy()))
    assert stats == SourceStats(
        people=2, groups=1, memberships=1, null_percent={"username": 0.0, "email": 50.0, "display_name": 0.0}
    )


def test_an_implausible_source_holds_the_plan_and_says_so():
    plan = plan_of(source(["ann"]), target(), last_good=SourceStats(people=10, groups=0, memberships=0))
    assert held_for(plan) == ["people_lost"]
    assert plan.header.held[0].message == (
        "the source has 1 active people, 9 fewer than at the last good run (10); at most 1 may go at once"
    )
