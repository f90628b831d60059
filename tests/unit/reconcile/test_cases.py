"""A case of a policy test holds when what comes out is what it expects, and says every difference when not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from directory.errors import ConfigurationError
from reconcile.cases import Case, failures_of
from reconcile.policy import Policy

RULES: dict[str, Any] = {
    "groups": {"assign": ["bb-*"], "always": ["stash-users"]},
    "people": {"exclude": "kind = 'ext'"},
    "attributes": {"username": "lower(split_part(username, '@', 1))"},
}
ANN = {
    "username": "Ann@x",
    "external_id": "p1",
    "email": "ann@x",
    "display_name": "Ann",
    "kind": "staff",
    "groups": ["bb-dev", "pay"],
}
AS_SHOULD_BE = {"email": "ann@x", "display_name": "Ann", "permission": None, "groups": ["Stash-Users", "bb-dev"]}


def failures(expect: dict[str, Any], people: list[dict[str, Any]] | None = None, **case: Any) -> list[str]:
    whole = {"people": [ANN] if people is None else people, "expect": expect, **case}
    return list(failures_of(Case.model_validate(whole), Policy.model_validate(RULES)))


def test_a_joiner_comes_out_as_expected():
    assert failures({"accounts": {"ANN": AS_SHOULD_BE}, "outcomes": {"p1": "created", "ann": "created"}}) == []


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"accounts": {}}, "there is an account ann that the case does not expect"),
        ({"accounts": {"ann": {}, "bob": {}}}, "there is no account bob (nobody would be called so)"),
        ({"accounts": {"ann": {"email": "a@x"}}}, "ann has the email 'ann@x', expected 'a@x'"),
        ({"accounts": {"ann": {"email": None}}}, "ann has the email 'ann@x', expected None"),
        ({"accounts": {"ann": {"groups": ["stash-users"]}}}, "ann is in bb-dev, which the case does not expect"),
        ({"accounts": {"ann": {"groups": ["stash-users", "bb-dev", "pay"]}}}, "ann is not in pay"),
        ({"outcomes": {"p1": "updated"}}, "p1 is created (everybody of the source is synced), expected updated"),
        ({"outcomes": {"p9": "updated"}}, "p9 is nobody of whom the plan says anything"),
        (
            {"outcomes": {"p1": {"outcome": "created", "reason": "group"}}},
            "p1 is created because 'everybody of the source is synced', expected 'group'",
        ),
        ({"held": True}, "the plan is not held, expected that it is held"),
        ({"held": ["seats"]}, "the plan is not held, expected seats"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_comes_out_otherwise_is_told(expect: dict[str, Any], said: str):
    assert failures(expect) == [said]


def test_a_person_who_is_filtered_has_no_account_and_the_reason_is_told():
    left_out = [{**ANN, "kind": "ext"}]
    assert (
        failures({"accounts": {}, "outcomes": {"p1": {"outcome": "filtered", "reason": "people.exclude"}}}, left_out)
        == []
    )
    assert failures({"accounts": {"ann": {}}}, left_out) == [
        "there is no account ann (filtered: met: people.exclude, kind = 'ext')"
    ]


def test_movers_leavers_and_returners_are_seen_as_they_are_afterwards():
    accounts = [
        {"username": "ann", "linked_to": "p1", "groups": ["bb-dev", "bb-old", "local"], "email": "old@x"},
        {"username": "bob", "linked_to": "p2", "groups": ["stash-users", "local"], "permission": "ADMIN"},
        {"username": "cem", "linked_to": "p3", "access_removed": True},
        {"username": "root", "groups": ["stash-users"]},
    ]
    cem = {"username": "Cem@x", "external_id": "p3", "email": "c@x", "kind": "staff"}
    said = failures(
        {
            "accounts": {
                "ann": AS_SHOULD_BE | {"groups": ["bb-dev", "local", "stash-users"]},
                "bob": {"groups": ["local"], "permission": None},
                "cem": {"groups": ["local", "stash-users"]},
            },
            "outcomes": {"p2": "access_removed", "p3": "reactivated"},
            "held": ["administrators_touched", "memberships_removed"],
        },
        [ANN, cem],
        accounts=accounts,
        target_groups={"stash-users": "LICENSED_USER"},
        assigned_before=["bb-old"],
        memories={"p3": ["local"]},
    )
    assert said == []


def test_nested_groups_and_an_incomplete_read_are_as_in_a_run():
    person = {**ANN, "groups": ["inner"]}
    linked = [{"username": "ann", "linked_to": "p1", "groups": ["bb-x"], "email": "ann@x", "display_name": "Ann"}]
    expect = {"accounts": {"ann": {"groups": ["stash-users", "bb-all", "bb-x"]}}}
    nested = {"bb-all": ["inner"]}
    assert failures(expect, [person], nested=nested, accounts=linked, assigned_before=["bb-x"], incomplete=True) == []


def test_a_renamed_account_is_looked_for_by_its_new_name():
    linked = [{"username": "annie", "linked_to": "p1", "groups": ["stash-users", "bb-dev"]}]
    assert failures({"accounts": {"ann": AS_SHOULD_BE}}, accounts=linked) == []


def test_a_case_that_expects_nothing_is_refused():
    with pytest.raises(ValidationError, match="expects nothing"):
        Case.model_validate({"people": [ANN], "expect": {}})


def test_an_attribute_that_nobody_in_the_case_has_is_named():
    with pytest.raises(ConfigurationError, match="no column 'kind'"):
        failures({"held": False}, [{"username": "ann"}])


def test_a_plan_that_would_be_held_in_part_is_judged_as_a_whole():
    leaver = [{"username": "bob", "linked_to": "p2", "permission": "ADMIN"}]
    rules = Policy.model_validate({"guard": {"on_hold": "hold-kinds"}})
    expect = {"accounts": {"bob": {"permission": None}, "ann": {}}, "held": ["administrators_touched"]}
    case = Case.model_validate({"people": [{**ANN, "username": "ann"}], "accounts": leaver, "expect": expect})
    assert failures_of(case, rules) == ()
