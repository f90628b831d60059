"""Which groups are given, and where memberships are taken away."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.builders import account, done, operations, plan_of, policy, present, source, target


def test_a_missing_membership_is_added_by_the_shortest_path():
    wanted = source(["ann"], {"dev": ["ann"]}, nested={"all": ["it", "dev"], "it": ["dev"]})
    plan = plan_of(wanted, target(["ann"], {"all": [], "it": [], "dev": ["ann"]}), present(["ann"]))
    assert operations(plan) == [
        ("add_membership", "ann", "all", "all > dev"),
        ("add_membership", "ann", "it", "it > dev"),
    ]


def test_a_missing_group_is_created_first():
    plan = plan_of(source(["ann"], {"Dev": ["ann"]}), target(["ann"]), present(["ann"]))
    assert done(plan) == [("create_group", None, "Dev"), ("add_membership", "ann", "Dev")]


def test_a_group_that_nobody_gets_is_not_created():
    assert plan_of(source(["ann"], {"dev": []}), target(["ann"]), present(["ann"])).empty


def test_create_false_leaves_out_memberships_of_missing_groups():
    wanted = source(["ann"], {"dev": ["ann"], "ops": ["ann"]})
    plan = plan_of(wanted, target(["ann"], {"ops": []}), present(["ann"]), policy(groups={"create": False}))
    assert done(plan) == [("add_membership", "ann", "ops")]


def test_a_membership_that_the_source_does_not_give_is_removed():
    plan = plan_of(source(["ann"], {"dev": []}), target(["ann"], {"dev": ["ann"]}), present(["ann"]))
    assert operations(plan) == [("remove_membership", "ann", "dev", "not a member in the source")]


def test_a_local_account_stays_in_a_managed_group():
    plan = plan_of(
        source(["ann"], {"dev": ["ann"]}), target(["ann", "local"], {"dev": ["ann", "local"]}), present(["ann"])
    )
    assert plan.empty


def test_a_local_group_keeps_its_managed_members():
    plan = plan_of(source(["ann"], {"dev": []}), target(["ann"], {"local": ["ann"]}), present(["ann"]))
    assert plan.empty


@pytest.mark.parametrize(
    ("groups", "given"),
    [
        ({"assign": ["bb-*"]}, {"bb-dev", "bb-ops"}),
        ({"assign": ["BB-D?V"]}, {"bb-dev"}),
        ({"assign": ["bb-*"], "ignore": ["*-ops"]}, {"bb-dev"}),
        ({"assign": ["/^bb-(dev|qa)$/"]}, {"bb-dev"}),
        ({"assign": ["/dev/"]}, {"bb-dev", "devel.x"}),
        ({"assign": ["/DEV/"]}, set()),
        ({"assign": ["devel.?"]}, {"devel.x"}),
        ({"assign": ["devel??"]}, {"devel.x"}),
        ({"assign": ["d.vel*"]}, set()),
        ({"assign": []}, set()),
        ({"ignore": ["*"]}, set()),
    ],
)
def test_patterns_choose_the_groups(groups: dict[str, list[str]], given: set[str]):
    wanted = source(["ann"], {name: ["ann"] for name in ("bb-dev", "bb-ops", "devel.x")})
    plan = plan_of(wanted, target(["ann"]), present(["ann"]), policy(groups=groups))
    assert {group for _, group, _ in operations(plan, "add_membership")} == given


@pytest.mark.parametrize("pattern", ["", "/(/", "/(?=x)/"])
def test_a_pattern_that_cannot_run_is_refused_when_it_is_read(pattern: str):
    with pytest.raises(ValidationError):
        policy(groups={"assign": [pattern]})


def test_remove_from_nothing_removes_nothing():
    plan = plan_of(
        source(["ann"], {"dev": []}),
        target(["ann"], {"dev": ["ann"]}),
        present(["ann"]),
        policy(groups={"remove_from": []}),
    )
    assert plan.empty


def test_remove_from_names_the_groups_whether_assigned_or_not():
    plan = plan_of(
        source(["ann"], {"dev": [], "ops": []}),
        target(["ann"], {"Dev": ["ann"], "ops": ["ann"], "other": ["ann"]}),
        present(["ann"]),
        policy(groups={"remove_from": ["d*", "/^other$/"]}),
    )
    assert done(plan) == [("remove_membership", "ann", "Dev"), ("remove_membership", "ann", "other")]


def test_a_group_that_was_assigned_before_and_vanished_from_the_source_loses_its_managed_members():
    there = target(["ann", "local"], {"Old": ["ann", "local"]})
    plan = plan_of(source(["ann"]), there, present(["ann"], managed_groups=["old", "gone"]))
    assert done(plan) == [("remove_membership", "ann", "Old")]
    assert plan.header.managed_groups == ("Old",)


def test_everybody_gets_the_groups_that_are_always_given():
    wanted = source(["ann", "bob"], {"stash-users": ["ann"]})
    there = target(["ann", "bob"], {"Stash-Users": []})
    plan = plan_of(wanted, there, present(["ann", "bob"]), policy(groups={"always": ["stash-users"]}))
    assert operations(plan) == [
        ("add_membership", "ann", "Stash-Users", "groups.always"),
        ("add_membership", "bob", "Stash-Users", "groups.always"),
    ]


def test_an_always_given_group_is_not_taken_away_again_and_not_given_to_leavers():
    there = target(["ann", "bob"], {"stash-users": ["ann", "bob"]})
    plan = plan_of(source(["ann"]), there, present(["ann", "bob"]), policy(groups={"always": ["STASH-users"]}))
    assert done(plan) == [("remove_access", "bob", None)]


def test_source_groups_that_differ_in_case_feed_one_target_group():
    wanted = source(["ann", "bob"], {"Dev": ["ann"], "dev": ["bob"]})
    plan = plan_of(wanted, target(["ann", "bob"]), present(["ann", "bob"]))
    assert done(plan) == [
        ("create_group", None, "Dev"),
        ("add_membership", "ann", "Dev"),
        ("add_membership", "bob", "Dev"),
    ]
    again = target(["ann", "bob"], {"dEV": ["ann", "bob"]})
    assert plan_of(wanted, again, present(["ann", "bob"])).empty


def test_a_group_keeps_the_spelling_of_the_target():
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), target(["ann"], {"DEV": []}), present(["ann"]))
    assert done(plan) == [("add_membership", "ann", "DEV")]


def test_names_are_folded_without_breaking_unicode():
    wanted = source(["ann"], {"İSTANBUL": ["ann"], "STRAẞE": ["ann"], "ΑΣ": ["ann"]})
    there = target(["ann"], {"i̇stanbul": ["ann"], "straße": ["ann"], "ας": ["ann"]})
    assert plan_of(wanted, there, present(["ann"])).empty


def test_memberships_of_a_read_only_account_are_left_alone():
    there = target([account("ann", mutable_details=False, mutable_groups=False)], {"dev": [], "ops": ["ann"]})
    plan = plan_of(source(["ann"], {"dev": ["ann"], "ops": []}), there, present(["ann"]))
    assert plan.empty


def test_a_target_that_shows_a_group_in_two_spellings_has_one_membership():
    there = target(["ann"], {"dev": ["ann"], "DEV": ["ann"]})
    plan = plan_of(source(["ann"], {"Dev": []}), there, present(["ann"]))
    assert done(plan) == [("remove_membership", "ann", "DEV")]


def test_an_empty_name_cannot_be_always_given():
    with pytest.raises(ValidationError):
        policy(groups={"always": [""]})


def test_dangling_and_repeated_memberships_change_nothing():
    wanted = source(["ann"], {"dev": ["ann", "ann", "nobody"]}, nested={"dev": ["dev"]})
    plan = plan_of(wanted, target(["ann"], {"dev": []}), present(["ann"]))
    assert done(plan) == [("add_membership", "ann", "dev")]


def test_nothing_anywhere_is_a_plan_with_nothing_to_do():
    plan = plan_of(source(), target())
    assert plan.empty
    assert not plan.held
    assert plan.verdicts.height == 0
    assert len(plan.id) == 64
    assert plan_of(source(), target(["local"], {"local": ["local"]})).empty
