"""Whom a sync is about: required groups, conditions, activity."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from directory.errors import ConfigurationError
from tests.builders import (
    account,
    done,
    held_for,
    operations,
    outcome,
    person,
    plan_of,
    policy,
    present,
    source,
    target,
)


def test_without_a_rule_everybody_active_is_synced():
    plan = plan_of(source(["ann"]), target())
    assert done(plan) == [("create", "ann", None)]
    assert outcome(plan, "ann") == ("created", "everybody of the source is synced")


def test_a_required_group_lets_nested_members_in_and_the_reason_shows_the_path():
    wanted = source(["ann", "bob", "cem"], {"Staff": ["bob"], "dev": ["ann"]}, nested={"Staff": ["it"], "it": ["dev"]})
    plan = plan_of(wanted, target(), rules=policy(people={"required_groups": ["staff"]}, groups={"assign": []}))
    assert done(plan) == [("create", "ann", None), ("create", "bob", None)]
    assert outcome(plan, "ann") == ("created", "in the required group Staff > it > dev")
    assert outcome(plan, "bob") == ("created", "in the required group Staff")
    assert outcome(plan, "cem") == ("filtered", "in no required group")


def test_one_of_several_required_groups_is_enough():
    wanted = source(["ann", "bob"], {"dev": ["ann"], "ops": ["bob"]})
    plan = plan_of(wanted, target(), rules=policy(people={"required_groups": ["dev", "ops"]}, groups={"assign": []}))
    assert plan.header.counts == {"create": 2}
    assert not plan.held


def test_a_required_group_that_vanished_holds_the_plan():
    plan = plan_of(
        source(["ann"], {"dev": ["ann"]}), target(), rules=policy(people={"required_groups": ["dev", "Staff"]})
    )
    assert held_for(plan) == ["source"]
    assert plan.header.held[0].message == "the required group 'Staff' is not in the source"


def test_a_required_group_without_members_holds_the_plan():
    wanted = source(["ann"], {"dev": []}, nested={"dev": ["empty"]})
    plan = plan_of(wanted, target(["ann"]), present(["ann"]), policy(people={"required_groups": ["Dev"]}))
    assert held_for(plan) == ["source"]
    assert plan.header.held[0].message == "the required group 'Dev' has no member"


def test_include_wants_true_and_null_counts_as_false():
    people = [person("ann", level=3), person("bob", level=1), person("cem", level=None)]
    plan = plan_of(source(people), target(), rules=policy(people={"include": "level > 2"}))
    assert done(plan) == [("create", "ann", None)]
    assert outcome(plan, "bob") == ("filtered", "not met: people.include")
    assert outcome(plan, "cem") == ("filtered", "not met: people.include")


def test_exclude_wants_true_and_null_counts_as_false():
    people = [person("ann", kind="human"), person("bob", kind="robot"), person("cem", kind=None)]
    plan = plan_of(source(people), target(), rules=policy(people={"exclude": "kind = 'robot'"}))
    assert done(plan) == [("create", "ann", None), ("create", "cem", None)]
    assert outcome(plan, "bob") == ("filtered", "met: people.exclude, kind = 'robot'")


def test_an_inactive_person_is_a_leaver():
    there = target(["ann"], {"stash-users": ["ann"]}, permissions={"stash-users": "LICENSED_USER"})
    plan = plan_of(source([person("ann", active=False)]), there, present(["ann"]))
    assert operations(plan) == [("remove_access", "ann", None, "inactive in the source")]
    assert outcome(plan, "ann") == ("access_removed", "inactive in the source")


def test_an_inactive_person_without_an_account_gets_none():
    plan = plan_of(source([person("ann", active=False)]), target())
    assert plan.empty
    assert outcome(plan, "ann") == ("filtered", "inactive in the source")


def test_attributes_are_sql_over_the_columns_of_the_source():
    people = [person("1", None, "Ann.Lee@Example.com", None, first="Ann", last="Lee")]
    rules = policy(
        attributes={"username": "lower(split_part(email, '@', 1))", "display_name": "concat_ws(' ', first, last)"}
    )
    plan = plan_of(source(people), target(), rules=rules)
    assert plan.operations["after"].to_list() == [
        '{"username":"ann.lee","display_name":"Ann Lee","email":"Ann.Lee@Example.com"}'
    ]


def test_a_literal_and_an_aggregate_count_for_everybody():
    rules = policy(attributes={"display_name": "'Somebody'"}, people={"include": "count(*) > 1"})
    plan = plan_of(source(["ann", "bob"]), target(), rules=rules)
    assert plan.header.counts == {"create": 2}
    assert '"display_name":"Somebody"' in plan.operations["after"][1]


@pytest.mark.parametrize("people", [[], ["ann"]])
def test_every_expression_is_judged_even_where_it_fits_nobody(people: list[str]):
    with pytest.raises(
        ConfigurationError, match=r"attributes\.email: the source has no column 'emial'.*did you mean 'email'"
    ):
        plan_of(source(people), target(), rules=policy(attributes={"email": "lower(emial)"}))


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"people": {"include": "CAST(username AS INT) = 1"}}, "people.include"),
        ({"people": {"include": ["true", "username + 1"]}}, "people.include.1"),
        ({"attributes": {"username": {"rules": [{"sql": "lower(tags)"}]}}}, "attributes.username.rules.0"),
        (
            {"attributes": {"username": {"rules": [{"when": "username", "sql": "email"}]}}},
            "attributes.username.rules.0",
        ),
        ({"attributes": {"email": {"column": "tags"}}}, "attributes.email.column"),
        ({"attributes": {"username": "unnest(tags)"}}, "attributes.username"),
    ],
)
def test_an_impossible_expression_is_one_error_that_names_its_key(sections: dict[str, object], key: str):
    people = [person("ann", tags=["a", "b", "c"]), person("bob", tags=["d"])]
    with pytest.raises(ConfigurationError) as error:
        plan_of(source(people), target(), rules=policy(**sections))
    assert error.value.subject == key
    assert error.value.not_done == "nothing was planned and nothing was written"


@pytest.mark.parametrize(
    "sections",
    [
        {"attributes": {"username": "lower("}},
        {"attributes": {"username": "nosuch(email)"}},
        {"attributes": {"email": ""}},
        {"attributes": {"extra": {"department": "department."}}},
        {"people": {"exclude": "username IN (SELECT 1 FROM elsewhere)"}},
    ],
    ids=["cut off", "unknown function", "empty", "further attribute", "subquery"],
)
def test_an_expression_that_cannot_be_read_is_refused_with_the_sync_file(sections: dict[str, object]):
    with pytest.raises(ValidationError, match="the expression cannot be used"):
        policy(**sections)


def test_a_blank_attribute_is_none():
    plan = plan_of(source([person("ann", "  ")]), target())
    assert outcome(plan, "ann")[0] == "conflict"
    assert "no username" in outcome(plan, "ann")[1]


def test_a_protected_account_is_left_alone_although_its_person_is_wanted():
    there = target([account("root", "old@example.com"), "usersync"], {"dev": []})
    wanted = source(["root", "usersync"], {"dev": ["root", "usersync"]})
    for remembered in (present(), present(["root", "usersync"])):
        plan = plan_of(wanted, there, remembered, policy(people={"protect": ["ro*"]}))
        assert plan.empty
        assert outcome(plan, "root")[0] == "filtered"
        assert "protected" in outcome(plan, "root")[1]
        assert outcome(plan, "usersync")[0] == "filtered"


def test_a_protected_name_is_neither_created_nor_given_by_a_rename():
    there = target(["ann"])
    wanted = source(["Root", person("ann", "rooted")])
    plan = plan_of(wanted, there, present(["ann"]), policy(people={"protect": ["root*"]}))
    assert "create" not in plan.header.counts
    assert "rename" not in plan.header.counts
    assert outcome(plan, "Root")[0] == "filtered"
    assert outcome(plan, "ann")[0] == "conflict"
    assert "protected" in outcome(plan, "ann")[1]


def test_protected_leavers_keep_everything():
    there = target(["root", "usersync"], {"dev": ["root", "usersync"]}, permissions={"dev": "LICENSED_USER"})
    plan = plan_of(source([], {"dev": []}), there, present(["root", "usersync"]), policy(people={"protect": ["root"]}))
    assert plan.empty
