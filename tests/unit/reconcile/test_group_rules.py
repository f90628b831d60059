"""What source groups are called in the target, and which groups are left to be managed by hand."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.builders import done, operations, outcome, plan_of, policy, present, source, target


def given(groups: list[str], **rules: Any) -> set[str]:
    """The target groups that somebody who is in all of these source groups gets."""
    wanted = source(["ann"], {name: ["ann"] for name in groups})
    plan = plan_of(wanted, target(["ann"]), present(["ann"]), policy(groups=rules))
    return {group for _, group, _ in operations(plan, "add_membership")}


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        pytest.param(
            {"exact": "BB Users", "to": "stash-users"}, {"stash-users", "AAD-dev", "team-x (ext)"}, id="exact"
        ),
        pytest.param({"exact": " bb users ", "to": " su "}, {"su", "AAD-dev", "team-x (ext)"}, id="exact-without-case"),
        pytest.param({"search": "aad-", "to": ""}, {"BB Users", "dev", "team-x (ext)"}, id="search-and-replace"),
        pytest.param({"search": " ", "to": "-"}, {"BB-Users", "AAD-dev", "team-x-(ext)"}, id="every-occurrence"),
        pytest.param({"search": "(ext)", "to": "$1"}, {"BB Users", "AAD-dev", "team-x $1"}, id="search-is-no-regex"),
        pytest.param(
            {"match": "^team-(.) .*$", "to": "bb_$1_all"}, {"BB Users", "AAD-dev", "bb_x_all"}, id="regex-with-a-part"
        ),
        pytest.param(
            {"match": "(?i)^aad-(?P<team>.+)$", "to": "${team}$$"},
            {"BB Users", "dev$", "team-x (ext)"},
            id="regex-with-a-named-part",
        ),
        pytest.param({"match": "[aA]", "to": "o"}, {"BB Users", "ooD-dev", "teom-x (ext)"}, id="regex-every-match"),
    ],
)
def test_group_transformations_by_exact_name_search_and_replace_or_regex(rule: dict[str, str], names: set[str]):
    assert given(["BB Users", "AAD-dev", "team-x (ext)"], rename=[rule]) == names


def test_the_first_rule_that_fits_decides_and_no_rule_sees_what_another_made():
    rules = [{"exact": "dev", "to": "ops"}, {"exact": "ops", "to": "dev"}, {"match": "^d", "to": "x"}]
    assert given(["dev", "ops", "d2"], rename=rules) == {"ops", "dev", "x2"}


def test_drop_groups_that_dont_match():
    rules = [{"match": "^bb-", "to": "stash-"}, {"exact": "Keep", "to": "Keep"}]
    assert given(["bb-dev", "Keep", "other"], rename=rules, drop_unmatched=True) == {"stash-dev", "Keep"}


def test_a_group_that_would_be_called_nothing_is_dropped():
    assert given(["bb-", "bb-dev"], rename=[{"search": "bb-", "to": " "}]) == {"dev"}


def test_assign_and_ignore_speak_of_the_names_in_the_source():
    rules = {"assign": ["aad-*"], "ignore": ["aad-test"], "rename": [{"search": "aad-", "to": "bb-"}]}
    assert given(["aad-dev", "aad-test", "bb-ops"], **rules) == {"bb-dev"}


def test_black_and_white_listing_blocks_certain_groups_or_allows_special_ones():
    assert given(["dev", "ops", "hr"], ignore=["hr"]) == {"dev", "ops"}
    assert given(["dev", "ops", "hr"], assign=["dev"]) == {"dev"}


def test_source_groups_with_one_name_in_the_target_give_it_together():
    wanted = source(["ann", "bob"], {"aad-dev": ["ann"], "okta-Dev": ["bob"]})
    rules = policy(groups={"rename": [{"match": "^(aad|okta)-", "to": ""}]})
    plan = plan_of(wanted, target(["ann", "bob"]), present(["ann", "bob"]), rules)
    assert operations(plan) == [
        ("create_group", None, "Dev", "the source has it, the target has not"),
        ("add_membership", "ann", "Dev", "aad-dev"),
        ("add_membership", "bob", "Dev", "okta-Dev"),
    ]
    assert plan_of(wanted, target(["ann", "bob"], {"DEV": ["ann", "bob"]}), present(["ann", "bob"]), rules).empty


def test_a_required_group_is_named_as_the_source_names_it():
    wanted = source(["ann", "bob"], {"aad-all": ["ann"]})
    rules = policy(people={"required_groups": ["aad-all"]}, groups={"rename": [{"search": "aad-", "to": ""}]})
    plan = plan_of(wanted, target(["ann"], {"all": []}), present(["ann"]), rules)
    assert done(plan) == [("add_membership", "ann", "all")]
    assert outcome(plan, "bob") == ("filtered", "in no required group")


def test_local_group_management_keeps_a_set_of_groups_by_hand():
    wanted = source(["ann"], {"dev": ["ann"], "local-x": ["ann"]})
    there = target(["ann"], {"dev": [], "Local-X": [], "local-y": ["ann"]})
    rules = policy(groups={"local": ["local-*"], "remove_from": ["*"]})
    assert done(plan_of(wanted, there, present(["ann"], managed_groups=["local-y"]), rules)) == [
        ("add_membership", "ann", "dev")
    ]


def test_a_leaver_loses_the_access_that_a_local_group_gives():
    there = target(["ann"], {"local-admins": ["ann"], "local": ["ann"]}, permissions={"local-admins": "ADMIN"})
    plan = plan_of(source(), there, present(["ann"]), policy(groups={"local": ["local*"]}))
    assert done(plan) == [("remove_access", "ann", None)]
    assert plan.operations["before"][0] == '{"groups":["local-admins"],"permission":null}'


def test_assign_local_groups_automatically():
    plan = plan_of(
        source(["ann"]),
        target(["ann"], {"stash-users": []}),
        present(["ann"]),
        policy(groups={"always": ["stash-users"]}),
    )
    assert done(plan) == [("add_membership", "ann", "stash-users")]


def test_filter_groups_to_be_assigned_and_removed():
    wanted = source(["ann"], {"dev": ["ann"], "ops": ["ann"]})
    there = target(["ann"], {"dev": [], "ops": [], "old": ["ann"], "kept": ["ann"]})
    rules = policy(groups={"assign": ["dev"], "remove_from": ["old"]})
    assert done(plan_of(wanted, there, present(["ann"]), rules)) == [
        ("add_membership", "ann", "dev"),
        ("remove_membership", "ann", "old"),
    ]


def test_no_change_made_syncs_the_attributes_with_all_the_groups_of_the_person():
    assert given(["dev", "ops"]) == {"dev", "ops"}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"rename": [{"to": "x"}]}, "one of exact, search and match"),
        ({"rename": [{"exact": "a", "search": "b", "to": "x"}]}, "one of exact, search and match"),
        ({"rename": [{"match": "(", "to": "x"}]}, "cannot be used"),
        ({"rename": [{"match": "(a)", "to": "$2"}]}, r"captures no \$2"),
        ({"rename": [{"match": "(?P<a>.)", "to": "${b}"}]}, r"captures no \$b"),
        ({"drop_unmatched": True}, "leaves out every group"),
        ({"local": ["stash-*"], "always": ["stash-users"]}, "managed by hand"),
    ],
    ids=["no-way", "two-ways", "broken-regex", "no-such-part", "no-such-name", "nothing-to-match", "local-and-always"],
)
def test_rules_that_cannot_work_are_refused_when_they_are_read(rules: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        policy(groups=rules)
