"""Who is kept out is not let in by what was not read, and an attribute that went empty shuts nobody out."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.plan import Plan
from reconcile.sanity import SourceStats
from tests.builders import UNGUARDED, done, held_for, link, outcome, person, plan_of, policy, present, source, target

ENTRY = {"stash-users": "LICENSED_USER"}
LOST = ["page 3 of the members of contractors never came"]
HOLD_KINDS = {**UNGUARDED, "on_hold": "hold-kinds"}
EXCLUDING: list[dict[str, Any]] = [
    {"exclude": {"groups": ["contractors"]}},
    {"exclude": {"groups": ["contr*"]}},
    {"exclude": "array_contains(groups, 'contractors')"},
    {"include": "NOT array_contains(groups, 'contractors')"},
]


def planned(people: dict[str, Any], remembered: list[Any] | None = None, findings: list[str] | None = None) -> Plan:
    wanted = source(["ann"], {"contractors": []}, findings=LOST if findings is None else findings)
    there = target(["ann"] if remembered else [], {"stash-users": []}, permissions=ENTRY)
    rules = policy(people=people, groups={"assign": [], "always": ["stash-users"]}, guard=HOLD_KINDS)
    return plan_of(wanted, there, present(remembered or []), rules)


@pytest.mark.parametrize("people", EXCLUDING, ids=["by-name", "by-pattern", "by-expression", "include-whoever-is-not"])
@pytest.mark.parametrize("state", [None, "access_removed"], ids=["joiner", "returner"])
def test_an_incomplete_read_lets_nobody_in_whom_a_group_may_keep_out(people: dict[str, Any], state: str | None):
    remembered = [link("ann", state=state)] if state else []
    plan = planned(people, remembered)
    assert held_for(plan) == ["exclusion"]
    assert plan.waiting is None
    assert plan.header.held[0].samples == ("ann",)
    assert not planned(people, remembered, findings=[]).held


def test_an_incomplete_read_is_not_held_for_who_is_inside_already_or_where_no_group_keeps_anybody_out():
    inside = planned(EXCLUDING[0], ["ann"])
    assert held_for(inside) == []
    assert done(inside) == [("add_membership", "ann", "stash-users")]
    assert held_for(planned({"exclude": "username = 'bob'"})) == []
    assert held_for(planned({"include": {"groups": ["contractors"]}})) == []


def test_a_group_that_kept_people_out_and_vanished_lets_nobody_in_where_only_the_dangerous_part_is_held():
    rules = policy(people={"exclude": {"groups": ["contractors"]}}, guard=HOLD_KINDS)
    plan = plan_of(source(["ann", "bob"]), target(["bob"]), present(["bob"]), rules)
    assert held_for(plan) == ["exclusion"]
    assert plan.waiting is None
    assert done(plan) == [("create", "ann", None)]


def test_an_attribute_that_went_empty_takes_nothing_from_those_it_drops_while_the_rest_goes_on():
    before = SourceStats(people=3, groups=0, memberships=0, null_percent={"email": 0.0})
    rules = policy(attributes={"email": {"otherwise": "drop"}}, groups={"always": ["stash-users"]}, guard=HOLD_KINDS)
    there = target(["ann", "bob"], {"stash-users": ["ann", "bob"]}, permissions=ENTRY)
    plan = plan_of(
        source([person("ann", email=None), "bob", "new"]), there, present(["ann", "bob"]), rules, last_good=before
    )
    assert done(plan) == [("create", "new", None), ("add_membership", "new", "stash-users")]
    assert plan.waiting is not None
    assert done(plan.waiting) == [("remove_access", "ann", None)]


def test_an_incomplete_read_drops_nobody_who_has_an_account():
    rules = policy(attributes={"email": {"otherwise": "drop"}})
    there = target(["ann"], {"stash-users": ["ann"]}, permissions=ENTRY)
    plan = plan_of(source([person("ann", email=None)], findings=LOST), there, present(["ann"]), rules)
    assert plan.empty
    assert plan.header.withheld == {"remove_access": 1}
    assert outcome(plan, "ann")[0] == "held"


def test_who_gets_no_account_keeps_nobody_from_the_name():
    wanted = source([person("1", "lee"), person("2", "lee", "other@example.com")])
    plan = plan_of(wanted, target(["old"]), present([link("1", "old")]), policy(people={"create": False}))
    assert done(plan) == [("rename", "old", None), ("update", "lee", None)]
    assert outcome(plan, "2")[0] == "filtered"
