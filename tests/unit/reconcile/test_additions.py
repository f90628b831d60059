"""The additions of a plan only: both parts make the whole, and nothing that is taken is among the additions."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import event, given

from reconcile.additions import divide, same_operations
from reconcile.plan import REMOVING, Plan
from tests.builders import (
    UNGUARDED,
    done,
    held_for,
    outcome,
    plan_of,
    policy,
    present,
    source,
    target,
)
from tests.model_target import Ledger, Model, carry_out
from tests.unit.reconcile.test_parting import by_name
from tests.unit.reconcile.worlds import World, worlds

ENTRY = {"stash": "LICENSED_USER"}


def plan_with_a_leaver(**guard: object) -> Plan:
    there = target(["ann", "bob"], {"dev": [], "stash": ["ann", "bob"]}, permissions=ENTRY)
    return plan_of(
        source(["ann", "cem"], {"dev": ["ann", "cem"]}),
        there,
        present(["ann", "bob"]),
        policy(guard={**UNGUARDED, "deactivations": {"count": 0}, **guard}),
    )


def test_joiners_go_on_and_the_leaver_waits_as_a_plan_of_its_own():
    plan = plan_with_a_leaver()
    additions, rest = divide(plan)
    assert additions is not None
    assert rest is not None
    assert done(additions) == [
        ("create", "cem", None),
        ("add_membership", "ann", "dev"),
        ("add_membership", "cem", "dev"),
    ]
    assert done(rest) == [("remove_access", "bob", None)]
    assert (held_for(additions), held_for(rest)) == ([], ["deactivations"])
    assert additions.waiting is rest
    assert additions.header.waiting is not None
    assert (additions.header.waiting.plan, additions.header.waiting.operations) == (rest.id, 1)
    assert len({plan.id, additions.id, rest.id}) == 3
    assert outcome(additions, "bob")[0] == "held"
    assert f"waits for the approval of plan {rest.id[:8]}" in outcome(additions, "bob")[1]
    assert (outcome(rest, "bob")[0], outcome(rest, "cem")[0]) == ("access_removed", "unchanged")
    assert additions.header.counts == {"add_membership": 2, "create": 1}


def test_a_plan_that_only_takes_has_no_additions_and_one_that_only_adds_no_rest():
    there = target(["ann", "bob"], {"dev": ["ann"], "stash": ["ann", "bob"]}, permissions=ENTRY)
    takes = plan_of(source(["ann"], {"dev": ["ann"]}), there, present(["ann", "bob"]), policy(guard=UNGUARDED))
    adds = plan_of(source(["ann"], {"dev": ["ann"]}), target([], {"dev": []}), present([]), policy(guard=UNGUARDED))
    assert divide(takes) == (None, takes)
    assert divide(adds) == (adds, None)


def test_what_is_given_against_the_guard_stays_held_among_the_additions():
    there = target(["ann", "bob"], {"root": [], "stash": ["ann", "bob"]}, permissions={**ENTRY, "root": "ADMIN"})
    plan = plan_of(
        source(["ann"], {"root": ["ann"]}),
        there,
        present(["ann", "bob"]),
        policy(guard={**UNGUARDED, "deactivations": {"count": 0}, "administrators_made": {"count": 0}}),
    )
    assert sorted(held_for(plan)) == ["administrators_made", "deactivations"]
    additions, rest = divide(plan)
    assert additions is not None
    assert rest is not None
    assert held_for(additions) == ["administrators_made"]


@pytest.mark.parametrize(("maximum", "held"), [(2, ["seats"]), (3, [])])
def test_seats_that_only_the_rest_would_free_are_not_there(maximum: int, held: list[str]):
    there = target(["ann", "bob"], {"dev": [], "stash": ["ann", "bob"]}, permissions=ENTRY, seats=maximum)
    plan = plan_of(
        source(["ann", "cem"], {"dev": ["ann", "cem"]}),
        there,
        present(["ann", "bob"]),
        policy(guard={**UNGUARDED, "deactivations": {"count": 0}, "seats": True}, groups={"always": ["stash"]}),
    )
    assert held_for(plan) == ["deactivations"]
    additions, _ = divide(plan)
    assert additions is not None
    assert held_for(additions) == held


@given(worlds())
def test_both_parts_make_the_whole_and_end_where_it_would(world: World) -> None:
    plan = plan_of(world.source, world.target, world.present, world.policy)
    additions, rest = divide(plan)
    event("in two" if additions and rest else "whole")
    if plan.empty:
        assert (additions, rest) == (None, None)
        return
    if additions is None or rest is None:
        assert plan in (additions, rest)
        return
    assert pl.concat([additions.operations, rest.operations]).sort("seq").equals(plan.operations)
    assert not set(additions.operations["kind"]) & (REMOVING | {"rename", "set_aside"})
    assert not same_operations(additions, rest)
    assert same_operations(rest, rest)
    for part in (additions, rest):
        assert sum(part.header.counts.values()) == part.operations.height
        assert sum(part.header.outcomes.values()) == part.verdicts.height == plan.verdicts.height

    at_once, one_by_one = Model.of(world.target), Model.of(world.target)
    carry_out(plan, at_once, Ledger.of(world.present))
    ledger = Ledger.of(world.present)
    carry_out(additions, one_by_one, ledger)
    carry_out(rest, one_by_one, ledger)
    assert by_name(one_by_one) == by_name(at_once)
