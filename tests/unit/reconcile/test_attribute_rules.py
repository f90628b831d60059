"""What an attribute becomes: presets, their order, and the four answers where none applies (feature table 1.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.builders import account, done, link, outcome, person, plan_of, policy, present, source, target

JANE = person(
    "1",
    "Jane.Doe@corp.com",
    "jane@corp.com",
    None,
    given_name="Jane",
    family_name="Doe",
    nickname=" ",
    department="R&D",
    level=3,
    guest="jane_m_corp.com#EXT#@tenant.onmicrosoft.com",
)


def display(*rules: dict[str, Any], **settings: Any) -> str | None:
    """The display name that rules make for a new account of Jane's; `jane` is what is made of nothing."""
    given = {"display_name": {"rules": rules, **settings}, "username": "'jane'"}
    plan = plan_of(source([JANE]), target(), rules=policy(attributes=given))
    name: str | None = json.loads(plan.operations["after"][0])["display_name"]
    return name


@pytest.mark.parametrize(
    ("rule", "made"),
    [
        ({"strip_domain": "username"}, "Jane.Doe"),
        ({"strip_domain": "department"}, "jane"),
        ({"guest_address": "guest"}, "jane_m@corp.com"),
        ({"guest_address": "username"}, "jane"),
        ({"first_of": ["nickname", "given_name"]}, "Jane"),
        ({"first_of": ["nickname"]}, "jane"),
        ({"combine": "{given_name}.{family_name}"}, "Jane.Doe"),
        ({"combine": "{family_name}, {given_name} ({level})"}, "Doe, Jane (3)"),
        ({"combine": "{{{ given_name }}}"}, "{Jane}"),
        ({"combine": "{given_name} {nickname}"}, "jane"),
        ({"match": {"column": "username", "pattern": r"^(.*)\.(.*)@corp", "to": "$2 $1"}}, "Doe Jane"),
        ({"match": {"column": "username", "pattern": r"(?P<name>\w+)@", "to": "${name}1$$ of $0"}}, "Doe1$ of Doe@"),
        ({"match": {"column": "username", "pattern": "(?i)^JANE(x)?", "to": "[$1]"}}, "[]"),
        ({"match": {"column": "username", "pattern": "^jane", "to": "found"}}, "jane"),
        ({"match": {"column": "level", "pattern": r"^\d$", "to": "a digit"}}, "a digit"),
        ({"lookup": {"column": "department", "table": {"R&D": "research", "IT": "it"}}}, "research"),
        ({"lookup": {"column": "department", "table": {"r&d": "research"}}}, "jane"),
        ({"sql": "upper(given_name)"}, "JANE"),
        ({"sql": "nullif(given_name, 'Jane')"}, "jane"),
        ({"sql": "upper(given_name)", "when": "level > 2"}, "JANE"),
        ({"sql": "upper(given_name)", "when": "level > 3"}, "jane"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_each_preset_makes_its_value_or_does_not_apply(rule: dict[str, Any], made: str):
    assert display(rule, otherwise="clear") == made


def test_the_first_rule_that_applies_wins():
    assert display({"sql": "nickname"}, {"sql": "given_name"}, {"sql": "family_name"}) == "Jane"
    assert display({"when": "level > 3", "sql": "given_name"}, {"strip_domain": "email"}) == "jane"


def test_a_value_is_trimmed_as_names_from_the_source_are():
    assert display({"sql": "' ' || given_name || '  '"}) == "Jane"


# What should happen if no transformation applies: use untransformed values, ignore, clear, filter the user.


def answered(otherwise: str | None, attribute: str = "display_name", **own: Any) -> Any:
    """The plan for Ann, whose account has everything, when a rule for IT alone meets somebody of no department."""
    rule = {"when": "department = 'IT'", "sql": "'someone in IT'"}
    section = {"rules": [rule]} | ({} if otherwise is None else {"otherwise": otherwise})
    people = [person("ann", **{"department": None, **own}), person("bob", department="IT")]
    return plan_of(
        source(people, {"dev": ["ann"]}),
        target(["ann"], {"dev": []}),
        present(["ann"]),
        policy(attributes={attribute: section}),
    )


@pytest.mark.parametrize("otherwise", ["untransformed", None])
def test_no_rule_applies_and_the_value_stays_as_the_source_has_it(otherwise: str | None):
    plan = answered(otherwise, display_name="Ann Lee")
    update = plan.operations.filter(kind="update").row(0, named=True)
    assert json.loads(update["after"])["display_name"] == "Ann Lee"


def test_the_untransformed_value_may_come_from_another_column():
    assert display({"sql": "nickname"}, column="family_name") == "Doe"


def test_no_rule_applies_and_the_attribute_is_ignored_so_the_account_keeps_its_value():
    plan = answered("ignore", display_name="Ann Lee")
    assert ("add_membership", "ann", "dev") in done(plan)
    assert "update" not in plan.header.counts


def test_no_rule_applies_and_the_attribute_is_cleared_although_the_source_has_a_value():
    plan = answered("clear", display_name="Ann Lee")
    update = plan.operations.filter(kind="update").row(0, named=True)
    assert json.loads(update["before"])["display_name"] == "Ann"
    assert json.loads(update["after"]) == {"display_name": "ann", "email": "ann@example.com"}


@pytest.mark.parametrize("attribute", ["username", "email", "display_name"])
def test_no_rule_applies_and_the_person_is_dropped_so_a_linked_account_is_a_leavers(attribute: str):
    plan = answered("drop", attribute)
    assert outcome(plan, "ann") == ("filtered", f"dropped: no rule of attributes.{attribute} applies")
    there = target(["ann"], {"stash-users": ["ann"]}, permissions={"stash-users": "LICENSED_USER"})
    rules = policy(attributes={attribute: {"rules": [{"lookup": {"column": "email", "table": {"x": "y"}}}],
                                           "otherwise": "drop"}})  # fmt: skip
    left = plan_of(source(["ann"]), there, present(["ann"]), rules)
    assert done(left) == [("remove_access", "ann", None)]
    assert outcome(left, "ann") == ("access_removed", f"dropped: no rule of attributes.{attribute} applies")


def test_without_rules_the_answer_is_for_those_whose_column_is_empty():
    rules = policy(attributes={"email": {"otherwise": "drop"}})
    plan = plan_of(source([person("ann", email=None), person("bob")]), target(), rules=rules)
    assert done(plan) == [("create", "bob", None)]


def test_an_ignored_username_leaves_the_account_its_own():
    rules = policy(attributes={"username": {"otherwise": "ignore"}})
    people = [person("1", None), person("2", None, email="lee@x"), person("3", None)]
    there = target(["old", account("lee", "lee@x", None)], {"dev": []})
    plan = plan_of(source(people, {"dev": ["1", "2", "3"]}), there, present([link("1", "old")]), rules)
    assert ("add_membership", "old", "dev") in done(plan)
    assert ("adopt", "lee", None) in done(plan)
    assert "rename" not in plan.header.counts
    assert plan.verdicts["username"].to_list() == ["old", "lee", None]
    assert outcome(plan, "3")[0] == "conflict"


@pytest.mark.parametrize("answer", ["untransformed", "clear"])
def test_a_username_cannot_be_cleared_so_the_person_is_in_conflict(answer: str):
    rules = policy(attributes={"username": {"otherwise": answer}})
    plan = plan_of(source([person("ann", None, None, None)]), target(["ann"]), present(["ann"]), rules)
    assert outcome(plan, "ann")[0] == "conflict"
    assert plan.empty


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "exactly one of"),
        ({"when": "true"}, "this one has none"),
        ({"sql": "email", "strip_domain": "email"}, "sql and strip_domain"),
        ({"first_of": []}, "at least 1"),
        ({"strip_domain": "^.*$"}, "the name of one column"),
        ({"combine": "nothing"}, "at least one column"),
        ({"combine": "{given_name} {"}, "a brace has no other"),
        ({"combine": "{*}"}, "the name of one column"),
        ({"match": {"column": "email", "pattern": "(", "to": "x"}}, "the regular expression ( cannot be used"),
        ({"match": {"column": "email", "pattern": "(?=x)", "to": "x"}}, "cannot be used"),
        ({"match": {"column": "email", "pattern": "(x)", "to": "$2"}}, "captures no $2"),
        ({"match": {"column": "email", "pattern": "(?P<a>x)", "to": "${b}"}}, "captures no $b"),
        ({"lookup": {"column": "email", "table": {}}}, "at least 1"),
        ({"lookup": {"column": "email", "table": {"NO": False}}}, "valid string"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_rule_that_can_never_work_is_refused(rule: dict[str, Any], said: str):
    with pytest.raises(ValidationError) as error:
        policy(attributes={"username": {"rules": [rule]}})
    assert said in str(error.value)


def test_further_attributes_are_carried_with_their_types_and_change_no_operation():
    extra = {
        "department": "department",
        "active": "level > 2",
        "skills": "skills",
        "grade": "level * 0.5",
        "site": {"column": "office", "rules": [{"lookup": {"column": "office", "table": {"B": "Be"}}}]},
        "none": "nickname",
    }
    ann = person("ann", department='R"D', level=3, skills=["a", "b"], office="B", nickname=None)
    bob = person("bob", department=None, level=None, skills=None, office="Z", nickname=None)
    wanted, there, remembered = source([ann, bob]), target(["ann", "bob"]), present(["ann", "bob"])
    plan = plan_of(wanted, there, remembered, policy(attributes={"extra": extra}))
    carried = {row["external_id"]: json.loads(row["attributes"]) for row in plan.verdicts.iter_rows(named=True)}
    assert carried == {
        "ann": {"department": 'R"D', "active": True, "skills": ["a", "b"], "grade": "1.5", "site": "Be", "none": None},
        "bob": {"department": None, "active": None, "skills": None, "grade": None, "site": "Z", "none": None},
    }  # fmt: skip
    assert plan.empty
    assert plan.id == plan_of(wanted, there, remembered).id


def test_attributes_may_have_any_name_and_groups_may_be_counted():
    extra = {"person": "person", "reason": "reason", "count": "array_length(groups)"}
    people = [person("ann", person="a", reason="b", wanted="c"), person("bob", person=None, reason=None, wanted=None)]
    rules = policy(people={"include": "wanted = 'c'"}, attributes={"extra": extra})
    plan = plan_of(source(people, {"dev": ["ann"], "ops": ["ann"]}), target(), rules=rules)
    assert plan.verdicts["attributes"].to_list() == [
        '{"person":"a","reason":"b","count":2}',
        '{"person":null,"reason":null,"count":0}',
    ]


def test_a_further_attribute_may_drop_people_too():
    extra = {"cost_centre": {"column": "cc", "otherwise": "drop"}}
    plan = plan_of(
        source([person("ann", cc="1"), person("bob", cc=None)]), target(), rules=policy(attributes={"extra": extra})
    )
    assert done(plan) == [("create", "ann", None)]
    assert outcome(plan, "bob") == ("filtered", "dropped: no rule of attributes.extra.cost_centre applies")


def test_who_is_gone_from_the_source_carries_nothing():
    there = target([account("ann", permission="LICENSED_USER")])
    plan = plan_of(source(), there, present(["ann"]), policy(attributes={"extra": {"e": "email"}}))
    assert plan.verdicts["attributes"].to_list() == [None]
