"""An incomplete read may add and update; it never removes, and says what it withheld."""

from __future__ import annotations

import pytest

from tests.builders import account, done, held_for, outcome, person, plan_of, policy, present, source, target

FINDINGS = ["page 7 of 12 was never answered"]
ENTRY = {"stash-users": "LICENSED_USER"}


@pytest.mark.parametrize("method", ["remove_access", "delete"])
def test_removals_are_withheld_counted_and_said(method: str):
    there = target(["ann", "bob"], {"stash-users": ["ann", "bob"], "dev": ["ann"]}, permissions=ENTRY)
    wanted = source(
        [person("ann", email="new@x"), "joe"], {"dev": [], "stash-users": ["ann", "joe"]}, findings=FINDINGS
    )
    plan = plan_of(wanted, there, present(["ann", "bob"]), policy(leavers={"method": method}))
    assert done(plan) == [("create", "joe", None), ("update", "ann", None), ("add_membership", "joe", "stash-users")]
    assert plan.header.withheld == {method: 1, "remove_membership": 1}
    assert plan.header.source_findings == tuple(FINDINGS)
    assert not plan.header.complete
    assert outcome(plan, "bob") == (
        "held",
        "not in the source any more; withheld, because the source was read incompletely",
    )
    assert outcome(plan, "ann")[0] == "updated"


def test_whoever_is_inactive_in_an_incomplete_read_is_held_too():
    there = target([account("ann", permission="LICENSED_USER")])
    plan = plan_of(source([person("ann", active=False)], findings=FINDINGS), there, present(["ann"]))
    assert plan.empty
    assert outcome(plan, "ann") == (
        "held",
        "inactive in the source; withheld, because the source was read incompletely",
    )


def test_whoever_only_keeps_a_membership_because_of_it_is_held():
    plan = plan_of(source(["ann"], {"dev": []}, findings=FINDINGS), target(["ann"], {"dev": ["ann"]}), present(["ann"]))
    assert plan.empty
    assert outcome(plan, "ann")[0] == "held"
    assert plan.header.outcomes == {"held": 1}


def test_what_is_withheld_does_not_trip_the_guard():
    there = target(["ann"], {"dev": ["ann"]}, permissions={"dev": "ADMIN"})
    rules = policy(guard={"administrators_touched": {"count": 0}, "deactivations": {"count": 0}})
    assert held_for(plan_of(source(findings=FINDINGS), there, present(["ann"]), rules)) == []


def test_a_complete_and_an_incomplete_read_are_different_plans():
    assert plan_of(source(["ann"]), target()).id != plan_of(source(["ann"], findings=FINDINGS), target()).id
