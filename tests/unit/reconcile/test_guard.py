"""Where the guard stops: every measure, at its limit and one over."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from reconcile.plan import Plan
from reconcile.policy import Limit, Policy
from tests.builders import UNGUARDED, account, held_for, link, person, plan_of, policy, present, source, target

TWENTY = [f"u{number:02}" for number in range(20)]
ENTRY = {"stash-users": "LICENSED_USER", "admins": "ADMIN", "roots": "SYS_ADMIN"}


def guarded(**limits: Any) -> Policy:
    return policy(guard={**UNGUARDED, **limits})


@pytest.mark.parametrize(
    ("limit", "population", "allowed"),
    [
        (Limit(), 100, None),
        (Limit(count=0), 100, 0),
        (Limit(count=7), 0, 7),
        (Limit(percent=5), 100, 5),
        (Limit(percent=5), 19, 1),
        (Limit(percent=5), 0, 1),
        (Limit(percent=5), 59, 2),
        (Limit(percent=0), 100, 0),
        (Limit(percent=0.001), 100, 1),
        (Limit(percent=100), 3, 3),
        (Limit(percent=1.15), 100_000, 1_150),
        (Limit(percent=0.29), 100_000, 290),
        (Limit(count=3, percent=5), 100, 3),
        (Limit(count=30, percent=5), 100, 5),
        (Limit(count=0, percent=5), 100, 0),
    ],
)
def test_a_limit_allows_the_smaller_of_its_two_figures(limit: Limit, population: int, allowed: int | None):
    assert limit.allowed(population) == allowed


@pytest.mark.parametrize("limit", [{"count": -1}, {"percent": -1}, {"percent": 101}, {"most": 3}])
def test_an_impossible_limit_is_refused(limit: dict[str, int]):
    with pytest.raises(ValidationError):
        guarded(deactivations=limit)


def leaving(count: int, **limits: Any) -> Plan:
    there = target(TWENTY, {"stash-users": TWENTY}, permissions=ENTRY)
    wanted = source(TWENTY[count:], {"stash-users": TWENTY[count:]})
    return plan_of(wanted, there, present(TWENTY), guarded(**limits))


def test_deactivations_are_a_share_of_the_managed_accounts():
    assert held_for(leaving(2, deactivations={"percent": 10})) == []
    plan = leaving(3, deactivations={"percent": 10})
    assert held_for(plan) == ["deactivations"]
    finding = plan.header.held[0]
    assert (finding.measured, finding.allowed) == (3, 2)
    assert finding.message == "3 deactivations, at most 2 allowed (limit 10 % of 20)"
    assert plan.header.population == 20


def test_access_that_goes_with_all_other_groups_counts_as_a_deactivation():
    there = target(["ann", "bob"], {"stash-users": ["ann"], "local": ["ann", "bob"]},
                   permissions={"stash-users": "LICENSED_USER"})  # fmt: skip
    rules = policy(leavers={"method": "keep", "strip_groups": True}, guard={**UNGUARDED, "deactivations": {"count": 0}})
    assert held_for(plan_of(source(), there, present(["ann", "bob"]), rules)) == ["deactivations"]
    assert plan_of(source(), there, present(["ann", "bob"]), rules).header.held[0].measured == 1


def test_a_held_plan_still_says_all_that_it_would_do():
    plan = leaving(3, deactivations={"count": 0})
    assert plan.held
    assert plan.header.counts == {"remove_access": 3}


def test_deletions_have_a_limit_of_their_own():
    rules = policy(
        leavers={"method": "delete"}, guard={**UNGUARDED, "deletions": {"count": 1}, "deactivations": {"count": 0}}
    )
    assert held_for(plan_of(source(["a", "b"]), target(["a", "b", "c"]), present(["a", "b", "c"]), rules)) == []
    assert held_for(plan_of(source(["a"]), target(["a", "b", "c"]), present(["a", "b", "c"]), rules)) == ["deletions"]


def test_renames_and_adoptions_are_counted():
    wanted = source([person("1", "new-a"), person("2", "new-b"), "c", "d"])
    there = target(["a", "b", "c", "d"])
    remembered = present([link("1", "a"), link("2", "b")])
    assert held_for(plan_of(wanted, there, remembered, guarded(renames={"count": 2}, adoptions={"count": 2}))) == []
    plan = plan_of(wanted, there, remembered, guarded(renames={"count": 1}, adoptions={"count": 1}))
    assert held_for(plan) == ["renames", "adoptions"]


def test_memberships_removed_are_a_share_of_those_that_managed_accounts_have_in_managed_groups():
    there = target([*TWENTY, "local"], {"dev": [*TWENTY, "local"], "other": TWENTY})
    rules = guarded(memberships_removed={"percent": 10})
    assert held_for(plan_of(source(TWENTY, {"dev": TWENTY[2:]}), there, present(TWENTY), rules)) == []
    plan = plan_of(source(TWENTY, {"dev": TWENTY[3:]}), there, present(TWENTY), rules)
    assert held_for(plan) == ["memberships_removed"]
    assert plan.header.held[0].message == "3 memberships removed, at most 2 allowed (limit 10 % of 20)"


def test_what_leavers_lose_counts_as_memberships_removed():
    assert held_for(leaving(3, memberships_removed={"count": 2})) == ["memberships_removed"]


def test_one_group_may_not_shrink_too_far():
    there = target(TWENTY, {"dev": TWENTY[:10], "small": TWENTY[:9]})
    rules = guarded(memberships_removed_per_group={"percent": 50}, small_group=10)
    assert held_for(plan_of(source(TWENTY, {"dev": TWENTY[:5], "small": []}), there, present(TWENTY), rules)) == []
    plan = plan_of(source(TWENTY, {"dev": TWENTY[:4], "small": []}), there, present(TWENTY), rules)
    assert held_for(plan) == ["memberships_removed_per_group"]
    assert plan.header.held[0].message == ("the group dev loses 6 of 10 members, at most 5 allowed (limit 50 % of 10)")
    assert plan.header.held[0].samples == ("dev",)


def test_a_group_may_not_be_emptied_unless_it_is_small():
    there = target(TWENTY, {"dev": TWENTY[:10], "small": TWENTY[:9]})
    rules = guarded(groups_emptied={"count": 0})
    assert held_for(plan_of(source(TWENTY, {"dev": TWENTY[:1], "small": []}), there, present(TWENTY), rules)) == []
    plan = plan_of(source(TWENTY, {"dev": [], "small": []}), there, present(TWENTY), rules)
    assert held_for(plan) == ["groups_emptied"]
    assert plan.header.held[0].samples == ("dev",)


def test_a_group_whose_members_are_exchanged_is_not_emptied():
    there = target(TWENTY, {"dev": TWENTY[:10]})
    plan = plan_of(source(TWENTY, {"dev": TWENTY[10:]}), there, present(TWENTY), guarded(groups_emptied={"count": 0}))
    assert plan.header.counts == {"add_membership": 10, "remove_membership": 10}
    assert held_for(plan) == []


def test_a_group_with_local_members_is_not_emptied():
    there = target([*TWENTY, "local"], {"dev": [*TWENTY, "local"]})
    plan = plan_of(source(TWENTY, {"dev": []}), there, present(TWENTY), guarded(groups_emptied={"count": 0}))
    assert held_for(plan) == []


def test_a_share_of_emptied_groups_is_one_of_the_managed_groups():
    names = [f"g{number}" for number in range(4)]
    there = target(TWENTY, dict.fromkeys(names, TWENTY))
    rules = guarded(groups_emptied={"percent": 75})
    three = source(TWENTY, {name: [] if name != "g3" else TWENTY for name in names})
    worse = source(TWENTY, {name: [] if name != "g3" else TWENTY[1:] for name in names})
    assert held_for(plan_of(three, there, present(TWENTY), rules)) == []
    assert held_for(plan_of(worse, there, present(TWENTY), rules)) == []
    strict = guarded(groups_emptied={"percent": 74})
    assert held_for(plan_of(three, there, present(TWENTY), strict)) == ["groups_emptied"]
    assert held_for(plan_of(worse, there, present(TWENTY), strict)) == ["groups_emptied"]


@pytest.mark.parametrize(
    ("row", "groups"),
    [
        (account("ann", permission="ADMIN"), {"dev": ["ann"]}),
        (account("ann", permission="SYS_ADMIN"), {"dev": ["ann"]}),
        (account("ann"), {"dev": ["ann"], "admins": ["ann"]}),
        (account("ann"), {"dev": ["ann"], "roots": ["ann"]}),
    ],
)
@pytest.mark.parametrize(
    "wanted",
    [
        source([], {"dev": []}),
        source(["ann"], {"dev": []}),
        source([person("ann", "new")], {"dev": ["ann"]}),
    ],
    ids=["leaves", "loses a membership", "is renamed"],
)
def test_administrators_are_not_touched(row: dict[str, Any], groups: dict[str, list[str]], wanted: Any):
    there = target([row], groups, permissions=ENTRY)
    plan = plan_of(wanted, there, present(["ann"]), guarded(administrators_touched={"count": 0}))
    assert held_for(plan) == ["administrators_touched"]
    assert plan.header.held[0].samples == ("ann",)


def test_an_administrator_is_not_adopted_or_deleted_unseen():
    there = target([account("ann", permission="ADMIN")])
    rules = policy(guard={**UNGUARDED, "administrators_touched": {"count": 0}}, leavers={"method": "delete"})
    assert held_for(plan_of(source(["ann"]), there, rules=rules)) == ["administrators_touched"]
    assert held_for(plan_of(source(), there, present(["ann"]), rules)) == ["administrators_touched"]


@pytest.mark.parametrize("group", ["admins", "roots"])
def test_nobody_becomes_an_administrator_unseen(group: str):
    there = target([account("ann")], {"dev": [], group: []}, permissions=ENTRY)
    rules = guarded(administrators_made={"count": 0})
    made = plan_of(source(["ann", "bob"], {group: ["ann", "bob"]}), there, present(["ann"]), rules)
    assert held_for(made) == ["administrators_made"]
    assert made.header.held[0].samples == ("ann", "bob")
    assert held_for(plan_of(source(["ann"], {"dev": ["ann"]}), there, present(["ann"]), rules)) == []


def test_who_is_an_administrator_already_is_not_made_one():
    there = target([account("ann", permission="ADMIN")], {"admins": []}, permissions=ENTRY)
    plan = plan_of(
        source(["ann"], {"admins": ["ann"]}), there, present(["ann"]), guarded(administrators_made={"count": 0})
    )
    assert held_for(plan) == []


@pytest.mark.parametrize("taken", [("permission", "SYS_ADMIN"), ("group", "admins")])
def test_a_returner_does_not_become_an_administrator_again_unseen(taken: tuple[str, str]):
    there = target([account("ann")], {"admins": []}, permissions=ENTRY)
    plan = plan_of(
        source(["ann"]),
        there,
        present([link("ann", state="access_removed")], memories=[("ann", *taken)]),
        guarded(administrators_made={"count": 0}),
    )
    assert held_for(plan) == ["administrators_made"]


def test_an_administrator_may_gain_and_be_updated():
    there = target([account("ann", permission="ADMIN")], {"dev": []})
    wanted = source([person("ann", display_name="Dr Ann")], {"dev": ["ann"]})
    plan = plan_of(wanted, there, present(["ann"]), guarded(administrators_touched={"count": 0}))
    assert plan.header.counts == {"add_membership": 1, "update": 1}
    assert held_for(plan) == []


def seated(wanted: list[str], there: list[str], seats: int, **more: Any) -> Plan:
    return plan_of(
        source(wanted, {"stash-users": wanted}),
        target(there, {"stash-users": there}, permissions=ENTRY, seats=seats, **more),
        present(there),
        guarded(seats=True),
    )


def test_a_plan_that_needs_more_seats_than_the_licence_has_is_held():
    assert held_for(seated(["a", "b", "c"], ["a"], seats=3)) == []
    plan = seated(["a", "b", "c"], ["a"], seats=2)
    assert held_for(plan) == ["seats"]
    assert plan.header.held[0].message == "the plan needs 3 seats, the licence has 2 (1 are taken now)"
    assert (plan.header.seats_used, plan.header.seats_after, plan.header.seats_maximum) == (1, 3, 2)


def test_leavers_free_seats_for_joiners():
    assert held_for(seated(["b", "c"], ["a", "b"], seats=2)) == []


def test_seats_that_others_take_are_counted():
    assert held_for(seated(["a", "b"], ["a"], seats=10, seats_used=10)) == ["seats"]
    assert held_for(seated(["a"], ["a"], seats=10, seats_used=12)) == []


def test_an_unlimited_licence_holds_nothing():
    plan = plan_of(
        source(["a"], {"s": ["a"]}), target([], {"s": []}, permissions={"s": "ADMIN"}), rules=guarded(seats=True)
    )
    assert held_for(plan) == []


def test_a_group_without_a_permission_takes_no_seat():
    there = target([], {"dev": []}, seats=0)
    assert held_for(plan_of(source(["a"], {"dev": ["a"]}), there, rules=guarded(seats=True))) == []


def test_an_adopted_account_that_has_a_seat_needs_no_second_one():
    there = target([account("a", permission="LICENSED_USER")], {"stash-users": []}, permissions=ENTRY, seats=1)
    plan = plan_of(source(["a"], {"stash-users": ["a"]}), there, rules=guarded(seats=True))
    assert plan.header.seats_after == 1
    assert held_for(plan) == []


def test_an_inactive_account_takes_no_seat():
    there = target([account("a", active=False)], {"stash-users": []}, permissions=ENTRY, seats=0)
    plan = plan_of(source(["a"], {"stash-users": ["a"]}), there, present(["a"]), guarded(seats=True))
    assert plan.header.seats_after == 0


def test_a_returner_needs_a_seat():
    there = target(["a"], {"stash-users": []}, permissions=ENTRY, seats=0)
    remembered = present([link("a", state="access_removed")], [("a", "group", "stash-users")])
    assert held_for(plan_of(source(["a"]), there, remembered, guarded(seats=True))) == ["seats"]


def test_without_a_word_the_guard_has_limits():
    plan = plan_of(
        source(TWENTY[5:]), target(TWENTY, {"stash-users": TWENTY}, permissions=ENTRY), present(TWENTY), Policy()
    )
    assert "deactivations" in held_for(plan)
