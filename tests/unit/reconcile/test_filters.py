"""Which people, by attributes and groups: several filters, the reason kept, only existing accounts (1.5 and 1.10)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from directory.errors import ConfigurationError
from reconcile.plan import Plan
from tests.builders import account, done, held_for, link, outcome, person, plan_of, policy, present, source, target

PEOPLE = [
    person("ann", kind="staff", dept="IT"),
    person("bob", kind="staff", dept="HR"),
    person("cem", kind="guest", dept="IT"),
    person("dora", kind=None, dept=None),
]
GROUPS = {"bb-dev": ["ann"], "bb-ops": ["bob"], "Contractors": ["cem"]}


def planned(groups: dict[str, list[str]] = GROUPS, nested: dict[str, list[str]] | None = None, **people: Any) -> Plan:
    rules = policy(people=people, groups={"assign": []})
    return plan_of(source(PEOPLE, groups, nested=nested), target(), rules=rules)


def created(plan: Plan) -> list[str]:
    return [name for kind, name, _ in done(plan) if kind == "create"]


def test_one_of_several_include_filters_is_enough_and_the_first_that_is_met_is_named():
    plan = planned(include=[{"name": "staff", "when": "kind = 'staff'"}, "dept = 'IT'"])
    assert created(plan) == ["ann", "bob", "cem"]
    assert outcome(plan, "ann") == ("created", "met: people.include, staff")
    assert outcome(plan, "cem") == ("created", "met: people.include, dept = 'IT'")
    assert outcome(plan, "dora") == ("filtered", "not met: people.include")


def test_what_stands_in_one_filter_must_all_be_met():
    plan = planned(include={"name": "developers of IT", "when": "dept = 'IT'", "groups": ["bb-*"]})
    assert created(plan) == ["ann"]
    assert outcome(plan, "ann") == ("created", "met: people.include, developers of IT")


def test_an_exclude_filter_wins_over_every_include_filter():
    plan = planned(include=["true"], exclude=["dept = 'HR'", {"groups": ["contractors"]}])
    assert created(plan) == ["ann", "dora"]
    assert outcome(plan, "bob") == ("filtered", "met: people.exclude, dept = 'HR'")
    assert outcome(plan, "cem") == ("filtered", "met: people.exclude, in contractors")


def test_groups_of_a_filter_count_nested_members():
    plan = planned(nested={"all": ["team"], "team": ["bb-dev"]}, include={"groups": ["ALL"]})
    assert created(plan) == ["ann"]


def test_an_expression_may_ask_for_the_groups_of_a_person():
    plan = planned(nested={"all": ["bb-dev"]}, include="array_contains(groups, 'all') OR array_length(groups) = 0")
    assert created(plan) == ["ann", "dora"]
    assert created(planned(exclude="array_to_string(groups, ',') LIKE '%bb-%'")) == ["cem", "dora"]
    assert created(planned(include="NOT array_contains(groups, 'bb-dev')")) == ["bob", "cem", "dora"]


def test_groups_may_be_carried_and_made_into_attributes_in_the_order_of_their_names():
    rules = policy(
        groups={"assign": []},
        attributes={
            "display_name": {"rules": [{"when": "array_contains(groups, 'b')", "combine": "{username} (b)"}]},
            "extra": {"groups": "groups"},
        },
    )
    plan = plan_of(source(["ann", "bob"], {"b": ["ann"], "a": ["ann", "bob"]}), target(), rules=rules)
    assert '"display_name":"ann (b)"' in plan.operations["after"][0]
    assert plan.verdicts["attributes"].to_list() == ['{"groups":["a","b"]}', '{"groups":["a"]}']


def test_a_column_of_the_source_that_is_called_groups_is_the_one_that_is_meant():
    people = [person("ann", groups="x"), person("bob", groups="y")]
    plan = plan_of(source(people, {"dev": ["bob"]}), target(), rules=policy(people={"include": "groups = 'x'"}))
    assert created(plan) == ["ann"]


def test_required_groups_and_filters_must_both_be_met_and_both_stand_in_the_reason():
    plan = planned(required_groups=["bb-dev", "bb-ops"], include={"name": "IT", "when": "dept = 'IT'"})
    assert outcome(plan, "ann") == ("created", "in the required group bb-dev; met: people.include, IT")
    assert outcome(plan, "bob") == ("filtered", "not met: people.include")
    assert outcome(plan, "cem") == ("filtered", "in no required group")


@pytest.mark.parametrize(("key", "finding"), [("include", "source"), ("exclude", "exclusion")])
def test_a_group_that_a_filter_names_and_the_source_has_lost_holds_the_plan(key: str, finding: str):
    asked: dict[str, Any] = {key: [{"when": "true"}, {"groups": ["bb-dev", "bb-gone", "gone-*", "/^gone/"]}]}
    plan = planned(**asked)
    assert held_for(plan) == [finding]
    assert plan.header.held[0].message == f"the group 'bb-gone' of people.{key}.1 is not in the source"


def test_a_condition_without_a_name_is_shortened_in_reasons():
    condition = "kind = 'staff' AND dept IN ('IT', 'HR', 'Sales', 'Legal', 'Research')"
    assert outcome(planned(include=condition), "ann") == (
        "created", f"met: people.include, {condition[:59]}…",
    )  # fmt: skip


@pytest.mark.parametrize("given", [{}, {"name": "x"}, [], [{"groups": []}], {"groups": ["/(/"]}, {"groups": [""]}, 3])
def test_a_filter_that_asks_nothing_is_refused(given: object):
    with pytest.raises(ValidationError):
        policy(people={"include": given})


def test_an_unknown_column_names_the_filter():
    with pytest.raises(ConfigurationError, match=r"people\.exclude\.1: the source has no column 'knid'.*'kind'"):
        planned(exclude=["true", {"when": "knid = 'guest'"}])


# Only users that exist already: the script that the product's documents show for it, as a key.


def test_only_existing_accounts_are_adopted_and_kept_right_and_nobody_gets_a_new_one():
    wanted = source(
        ["ann", person("2", "bob2", "bob@example.com"), person("3", "lee", "new@x"), "cem"],
        {"dev": ["ann", "2", "3", "cem"], "new": ["cem"]},
    )
    there = target(["ann", "bob", "old"], {"dev": []})
    plan = plan_of(wanted, there, present([link("3", "old")]), policy(people={"create": False}))
    assert done(plan) == [
        ("adopt", "ann", None),
        ("adopt", "bob", None),
        ("rename", "bob", None),
        ("rename", "old", None),
        ("update", "bob2", None),
        ("update", "lee", None),
        ("add_membership", "ann", "dev"),
        ("add_membership", "bob2", "dev"),
        ("add_membership", "lee", "dev"),
    ]
    assert outcome(plan, "cem") == ("filtered", "no account in the target, and people.create makes none")
    assert plan.verdicts.filter(external_id="cem")["grants"].to_list() == [None]


def test_only_existing_accounts_whoever_has_none_is_in_no_conflict_either():
    wanted = source([person("1", "ann"), person("2", "ann", "x@x"), person("3", None), person("4", "a/b")])
    plan = plan_of(wanted, target(), rules=policy(people={"create": False}))
    assert plan.empty
    assert plan.header.outcomes == {"filtered": 4}


def test_only_existing_accounts_a_returner_gets_access_back_without_a_further_switch():
    there = target([account("ann")], {"stash-users": []}, permissions={"stash-users": "LICENSED_USER"})
    remembered = present([link("ann", state="access_removed")], [("ann", "group", "stash-users")])
    plan = plan_of(source(["ann"]), there, remembered, policy(people={"create": False}))
    assert [kind for kind, *_ in done(plan)] == ["restore_access"]


def test_only_existing_accounts_a_linked_account_that_somebody_deleted_is_not_made_again():
    plan = plan_of(source(["ann"]), target(), present(["ann"]), policy(people={"create": False}))
    assert plan.empty
    assert outcome(plan, "ann")[0] == "filtered"
