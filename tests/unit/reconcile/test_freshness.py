"""Whether a stored plan still fits: what is to do, what is done already, what moved on."""

from __future__ import annotations

from typing import Any

import pytest

from directory.snapshot import TargetSnapshot
from reconcile.freshness import FRESHNESS, freshness
from reconcile.plan import Plan
from tests.builders import account, link, person, plan_of, policy, present, source, target


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


ENTRY = {"stash-users": "LICENSED_USER"}


def reasons(plan: Plan, now: TargetSnapshot) -> list[str | None]:
    return freshness(plan.operations, now)["because"].to_list()


def test_a_group_that_came_about_meanwhile_is_done_already() -> None:
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), target(["ann"]), present(["ann"]))
    assert standings(plan, target(["ann"], {"DEV": []})) == {
        ("create_group", None, "dev"): "already",
        ("add_membership", "ann", "dev"): "pending",
    }


def test_a_membership_that_went_meanwhile_is_done_already() -> None:
    plan = plan_of(source(["ann"], {"dev": []}), target(["ann"], {"dev": ["ann"]}), present(["ann"]))
    assert set(standings(plan, target(["ann"], {"dev": []})).values()) == {"already"}
    assert set(standings(plan, target(["ann"])).values()) == {"already"}
    assert set(standings(plan, target()).values()) == {"already"}


def test_a_group_that_went_meanwhile_makes_the_plan_stale() -> None:
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), target(["ann"], {"dev": []}), present(["ann"]))
    assert reasons(plan, target(["ann"])) == ["the group is gone"]


def test_access_that_is_gone_is_taken_already_and_what_is_left_is_to_do() -> None:
    there = target([account("ann", permission="LICENSED_USER")], {"stash-users": ["ann"]}, permissions=ENTRY)
    plan = plan_of(source(), there, present(["ann"]))
    key = ("remove_access", "ann", None)
    assert standings(plan, there) == {key: "pending"}
    assert standings(plan, target(["ann"], {"stash-users": []}, permissions=ENTRY)) == {key: "already"}
    assert standings(plan, target(["ann"], {"stash-users": ["ann"]}, permissions=ENTRY)) == {key: "pending"}
    grant = target([account("ann", permission="ADMIN")], {"stash-users": []}, permissions=ENTRY)
    assert standings(plan, grant) == {key: "pending"}
    assert standings(plan, target()) == {key: "already"}


def test_a_rename_that_was_done_is_done_and_what_follows_uses_the_new_name() -> None:
    wanted = source([person("1", "lee", "lee@x", "Lee")], {"dev": ["1"]})
    there = target(["ann"], {"dev": []})
    plan = plan_of(wanted, there, present([link("1", "ann")]))
    assert set(standings(plan, there).values()) == {"pending"}
    renamed = target([account("lee", "ann@example.com", "Ann", account_id="id of ann")], {"dev": []})
    assert standings(plan, renamed) == {
        ("rename", "ann", None): "already",
        ("update", "lee", None): "pending",
        ("add_membership", "lee", "dev"): "pending",
    }


def test_details_that_somebody_else_changed_do_not_fit_any_more() -> None:
    plan = plan_of(source([person("ann", email="new@x")]), target(["ann"]), present(["ann"]))
    assert standings(plan, target([account("ann", "new@x")])) == {("update", "ann", None): "already"}
    assert reasons(plan, target([account("ann", "third@x")])) == [
        "its name or e-mail address was changed by somebody else"
    ]


def test_an_anonymisation_is_to_do_until_the_name_is_replaced_and_fits_whatever_came_of_its_first_half() -> None:
    plan = plan_of(source(), target(["ann"]), present(["ann"]), policy(leavers={"method": "anonymise"}))
    pseudonym = "user-id of ann"
    mail = f"{pseudonym}@user.invalid"
    key = ("anonymise", "ann", None)
    assert standings(plan, target(["ann"])) == {key: "pending"}
    assert standings(plan, target([account("ann", mail, pseudonym)])) == {key: "pending"}
    done = account(pseudonym, mail, pseudonym, account_id="id of ann")
    assert standings(plan, target([done])) == {key: "already"}
    assert reasons(plan, target([account("ada", account_id="id of ann")])) == ["the account is called ada now"]
    assert reasons(plan, target()) == ["the account is gone"]


def test_a_deletion_that_was_done_leaves_its_erasure_to_do_unless_somebody_else_has_the_name() -> None:
    plan = plan_of(source(), target(["ann"]), present(["ann"]), policy(leavers={"method": "erase"}))
    delete, erase = ("delete", "ann", None), ("erase", "ann", None)
    assert standings(plan, target(["ann"])) == {delete: "pending", erase: "pending"}
    assert standings(plan, target()) == {delete: "already", erase: "pending"}
    another = target([account("ann", account_id="somebody else")])
    assert standings(plan, another) == {delete: "already", erase: "stale"}


def test_groups_that_are_left_are_stripped_already() -> None:
    there = target(["ann"], {"local": ["ann"], "other": ["ann"]})
    plan = plan_of(source(), there, present(["ann"]), policy(leavers={"method": "keep", "strip_groups": True}))
    key = ("strip_groups", "ann", None)
    assert standings(plan, target(["ann"], {"local": [], "other": ["ann"]})) == {key: "pending"}
    assert standings(plan, target(["ann"], {"local": [], "other": []})) == {key: "already"}
    assert standings(plan, target([], {"local": []})) == {key: "already"}


def test_an_account_that_is_gone_cannot_be_adopted_renamed_updated_or_restored() -> None:
    wanted = source(["ada", person("1", "lee"), "mia"])
    remembered = present([link("1", "ann"), link("mia", state="access_removed")])
    plan = plan_of(wanted, target(["ada", "ann", "mia"]), remembered)
    assert set(plan.operations["kind"]) == {"adopt", "rename", "update", "restore_access"}
    assert set(reasons(plan, target())) == {"the account is gone"}


NAMESAKE = account("ann", account_id="somebody else")


@pytest.mark.parametrize("there", [[NAMESAKE], [NAMESAKE, account("moved", account_id="id of ann")]])
def test_what_was_planned_for_one_account_is_not_done_to_another_of_its_name(there: list[dict[str, Any]]) -> None:
    """Names are given anew; whoever has one now must not gain or lose what was reviewed for somebody else."""
    before = target(["ann"], {"dev": ["ann"], "ops": [], "stash-users": ["ann"]}, permissions=ENTRY)
    mover = source([person("ann", email="new@x")], {"dev": [], "ops": ["ann"], "stash-users": ["ann"]})
    groups = {"dev": ["ann"], "ops": [], "stash-users": ["ann"]}
    moved = plan_of(mover, before, present(["ann"]))
    leaves = plan_of(source([], {"dev": []}), before, present(["ann"]))
    deleted = plan_of(source(), before, present(["ann"]), policy(leavers={"method": "delete"}))
    returns = plan_of(source(["ann"], groups), before, present([link("ann", state="access_removed")]))
    now = target(there, groups, permissions=ENTRY)
    for plan in (moved, leaves, deleted, returns):
        assert not plan.empty
        assert "pending" not in standings(plan, now).values()


def test_an_account_that_somebody_renamed_is_named_in_the_reason() -> None:
    before = target([account("ann", permission="LICENSED_USER")])
    plan = plan_of(source(), before, present(["ann"]))
    now = target([account("moved", account_id="id of ann", permission="LICENSED_USER")])
    assert reasons(plan, now) == ["the account is called moved now"]


def test_no_operation_is_no_judgement() -> None:
    found = freshness(plan_of(source(), target()).operations, target(["ann"]))
    assert found.is_empty()
    assert dict(found.schema) == dict(FRESHNESS)
