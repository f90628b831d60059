"""Whether a stored plan still fits: what is to do, what is done already, what moved on."""

from __future__ import annotations

from directory.snapshot import TargetSnapshot
from reconcile.freshness import freshness
from reconcile.plan import Plan
from tests.builders import plan_of, present, source, target


def standings(plan: Plan, now: TargetSnapshot) -> dict[tuple[str, str | None, str | None], str]:
    judged = plan.operations.join(freshness(plan.operations, now), on="seq", maintain_order="left")
    return {
        (kind, name, group): standing
        for kind, name, group, standing in judged.select("kind", "username", "group", "standing").rows()
    }


def test_everything_is_to_do_while_the_target_is_as_it_was() -> None:
    there = target(["usersync", "ann"], {"old": ["ann"]})
    plan = plan_of(source(["ann", "bob"], {"dev": ["ann", "bob"]}), there, present(["ann"], managed_groups=["old"]))
    assert set(standings(plan, there).values()) == {"pending"}
    assert {kind for kind, _, _ in standings(plan, there)} == {
        "create_group",
        "create",
        "add_membership",
        "remove_membership",
    }


def test_a_membership_that_came_about_meanwhile_is_done_already() -> None:
    there = target(["usersync", "ann"], {"dev": []})
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), there, present(["ann"]))
    now = target(["usersync", "ann"], {"dev": ["ann"]})
    assert standings(plan, now) == {("add_membership", "ann", "dev"): "already"}


def test_a_membership_of_an_account_that_is_gone_does_not_fit_any_more() -> None:
    there = target(["usersync", "ann"], {"dev": []})
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), there, present(["ann"]))
    assert standings(plan, target(["usersync"], {"dev": []})) == {("add_membership", "ann", "dev"): "stale"}


def test_an_account_of_the_name_that_shall_be_created_does_not_fit() -> None:
    plan = plan_of(source(["ann"]), target(["usersync"]))
    assert standings(plan, target(["usersync", "ann"])) == {("create", "ann", None): "stale"}
