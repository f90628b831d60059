"""`guard.on_hold: hold-kinds`: additions go on, and what the guard stopped at waits as a plan of its own."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from reconcile.parting import HELD_KINDS
from reconcile.plan import KINDS as KINDS_OF_OPERATION
from reconcile.plan import Plan
from reconcile.policy import Guard
from reconcile.sanity import SourceStats
from tests.builders import (
    UNGUARDED,
    account,
    done,
    held_for,
    link,
    outcome,
    person,
    plan_of,
    policy,
    present,
    source,
    target,
)
from tests.model_target import Ledger, Model, carry_out
from tests.unit.reconcile.worlds import World, worlds

ENTRY = {"stash": "LICENSED_USER"}


def guarded(**limits: Any) -> dict[str, Any]:
    return {"guard": {**UNGUARDED, "on_hold": "hold-kinds", **limits}}


def waiting(plan: Plan) -> Plan:
    assert plan.waiting is not None
    assert plan.header.waiting is not None
    assert plan.header.waiting.plan == plan.waiting.id
    assert plan.header.waiting.operations == plan.waiting.operations.height
    assert plan.header.waiting.findings == plan.waiting.header.held
    assert not plan.held
    assert plan.waiting.held
    return plan.waiting


def test_additions_go_on_and_leavers_wait():
    there = target(["ann", "bob"], {"dev": [], "stash": ["ann", "bob"]}, permissions=ENTRY)
    plan = plan_of(
        source(["ann", "cem"], {"dev": ["ann", "cem"]}),
        there,
        present(["ann", "bob"]),
        policy(**guarded(deactivations={"count": 0})),
    )
    assert done(plan) == [
        ("create", "cem", None),
        ("add_membership", "ann", "dev"),
        ("add_membership", "cem", "dev"),
    ]
    rest = waiting(plan)
    assert done(rest) == [("remove_access", "bob", None)]
    assert held_for(rest) == ["deactivations"]
    assert outcome(plan, "bob") == ("held", f"not in the source any more; waits for the approval of plan {rest.id[:8]}")
    assert outcome(plan, "cem")[0] == "created"
    assert outcome(rest, "bob")[0] == "access_removed"
    assert plan.header.outcomes == {"created": 1, "held": 1, "updated": 1}


def test_a_mover_gains_and_what_they_would_lose_waits():
    there = target(["ann"], {"dev": ["ann"], "ops": []})
    rules = policy(**guarded(memberships_removed={"count": 0}))
    plan = plan_of(source(["ann"], {"dev": [], "ops": ["ann"]}), there, present(["ann"]), rules)
    assert done(plan) == [("add_membership", "ann", "ops")]
    assert done(waiting(plan)) == [("remove_membership", "ann", "dev")]
    assert outcome(plan, "ann")[0] == "updated"


def test_whatever_needs_an_adoption_waits_with_it():
    rules = policy(**guarded(adoptions={"count": 0}))
    plan = plan_of(source(["ann", "bob"], {"dev": ["ann", "bob"]}), target(["ann"], {"dev": []}), present(), rules)
    assert done(plan) == [("create", "bob", None), ("add_membership", "bob", "dev")]
    assert done(waiting(plan)) == [("adopt", "ann", None), ("add_membership", "ann", "dev")]


def test_whoever_would_get_a_name_that_stays_taken_waits_with_all_of_theirs():
    chain = source([person("p1", "b"), person("p2", "c"), person("p3", "a"), person("p4", "x")], {"dev": ["p3", "p4"]})
    there = target([account("a"), account("b")], {"dev": []})
    known = present([link("p1", "a"), link("p2", "b")])
    plan = plan_of(chain, there, known, policy(**guarded(renames={"count": 1})))
    assert done(plan) == [("create", "x", None), ("add_membership", "x", "dev")]
    assert {(kind, name) for kind, name, _ in done(waiting(plan))} >= {
        ("rename", "b"),
        ("rename", "a"),
        ("create", "a"),
        ("add_membership", "a"),
    }


@pytest.mark.parametrize(
    ("limits", "kind"),
    [({"seats": True}, "seats"), ({"administrators_made": {"count": 0}}, "administrators_made")],
    ids=["seats", "administrators"],
)
def test_where_additions_are_the_danger_the_whole_plan_waits(limits: dict[str, Any], kind: str):
    there = target(["ann"], {"adm": []}, permissions={"adm": "ADMIN"}, seats=0, seats_used=0)
    plan = plan_of(source(["ann"], {"adm": ["ann"]}), there, present(["ann"]), policy(**guarded(**limits)))
    assert plan.waiting is None
    assert held_for(plan) == [kind]


def test_additions_that_need_the_seats_of_those_who_wait_wait_too():
    there = target(["bob"], {"stash": ["bob"]}, permissions=ENTRY, seats=1, seats_used=1)
    rules = policy(groups={"always": ["stash"]}, **guarded(deactivations={"count": 0}, seats=True))
    plan = plan_of(source(["ann"]), there, present(["bob"]), rules)
    assert plan.waiting is None
    assert held_for(plan) == ["deactivations"]


def test_a_source_that_shrank_lets_additions_go_on():
    before = SourceStats(people=100, groups=1, memberships=2, null_percent={})
    there = target(["ann", "bob"], {"dev": ["ann"]})
    rules = policy(**guarded(source={"people_lost_percent": 5}))
    plan = plan_of(source(["ann", "bob"], {"dev": ["bob"]}), there, present(["ann", "bob"]), rules, last_good=before)
    assert done(plan) == [("add_membership", "bob", "dev")]
    assert done(waiting(plan)) == [("remove_membership", "ann", "dev")]


def test_leavers_lose_access_at_once_where_only_their_names_must_wait():
    there = target(["ann", "bob"], {"stash": ["bob"], "local": ["bob"]}, permissions=ENTRY)
    plan = plan_of(
        source(["ann"]),
        there,
        present(["ann", "bob"]),
        policy(leavers={"method": "anonymise", "strip_groups": True}, **guarded(anonymisations={"count": 0})),
    )
    assert done(plan) == [("remove_access", "bob", None), ("strip_groups", "bob", None)]
    assert done(waiting(plan)) == [("anonymise", "bob", None)]
    assert (plan.header.seats_after, waiting(plan).header.seats_after) == (0, 1)


def test_a_plan_of_dangerous_kinds_alone_waits_as_it_is():
    plan = plan_of(
        source(),
        target([account("bob", permission="ADMIN")]),
        present(["bob"]),
        policy(**guarded(deactivations={"count": 0})),
    )
    assert plan.waiting is None
    assert done(plan) == [("remove_access", "bob", None)]


def test_hold_all_is_the_default():
    rules = policy(guard={**UNGUARDED, "deactivations": {"count": 0}})
    there = target([account("bob", permission="ADMIN")])
    plan = plan_of(source(["ann"]), there, present(["bob"]), rules)
    assert plan.waiting is None
    assert plan.held
    assert plan.operations.height == 2


def test_every_limit_says_what_waits_because_of_it():
    whole = {"seats", "administrators_made", "pictures_reset"}
    limits = set(Guard.model_fields) - {"on_hold", "small_group", "source"}
    assert limits - whole <= HELD_KINDS.keys()
    assert not whole & HELD_KINDS.keys()
    assert set().union(*HELD_KINDS.values()) <= set(KINDS_OF_OPERATION)


KINDS = ("deactivations", "deletions", "renames", "adoptions", "memberships_removed")
LIMITS = st.sets(st.sampled_from(KINDS), min_size=2).map(lambda kinds: {key: {"count": 0} for key in sorted(kinds)})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), LIMITS)
def test_both_parts_make_the_whole_and_end_where_it_would(world: World, limits: dict[str, Any]) -> None:
    parted = world.policy.model_copy(update={"guard": policy(**guarded(**limits)).guard})
    plan = plan_of(world.source, world.target, world.present, parted)
    event("in two" if plan.waiting else "whole")
    if plan.waiting is None:
        return
    whole = plan_of(world.source, world.target, world.present, world.policy)
    both = pl.concat([plan.operations, plan.waiting.operations]).sort("seq")
    assert both.equals(whole.operations)

    at_once, one_by_one = Model.of(world.target), Model.of(world.target)
    carry_out(whole, at_once, Ledger.of(world.present))
    ledger = Ledger.of(world.present)
    carry_out(plan, one_by_one, ledger)
    carry_out(plan.waiting, one_by_one, ledger)
    assert by_name(one_by_one) == by_name(at_once)


def by_name(model: Model) -> dict[str, tuple[Any, ...]]:
    """Accounts and their groups by username: ids of new accounts follow the order in which they are made."""
    return {
        row["username"]: (row["email"], row["display_name"], row["permission"], model.groups_of(number))
        for number, row in model.accounts.items()
    }
