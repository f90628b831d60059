"""A null in the source clears the target, where it shall and the target can (feature list 4.18)."""

from __future__ import annotations

import json

import pytest

from tests.builders import (  # fmt: skip
    account,
    done,
    held_for,
    link,
    operations,
    outcome,
    person,
    plan_of,
    policy,
    present,
    source,
    target,
)

CLEARING = "the source has no display name any more, so the username stands in its place"
CLEARS = policy(attributes={"display_name": {}, "email": {}})


def test_a_null_display_name_gives_way_to_the_username_and_the_next_plan_is_empty():
    wanted = source([person("ann", display_name=None)])
    plan = plan_of(wanted, target(["ann"]), present(["ann"]), CLEARS)
    assert operations(plan) == [("update", "ann", None, CLEARING)]
    assert json.loads(plan.operations["before"][0]) == {"display_name": "Ann", "email": "ann@example.com"}
    assert json.loads(plan.operations["after"][0]) == {"display_name": "ann", "email": "ann@example.com"}
    assert plan_of(wanted, target([account("ann", display_name="ann")]), present(["ann"]), CLEARS).empty


def test_a_renamed_account_is_cleared_to_its_new_name():
    plan = plan_of(
        source([person("1", "lee", display_name=None)]), target(["ann"]), present([link("1", "ann")]), CLEARS
    )
    assert [row[:2] for row in operations(plan)] == [("rename", "ann"), ("update", "lee")]
    assert json.loads(plan.operations["after"][1])["display_name"] == "lee"


@pytest.mark.parametrize("given", [{}, {"display_name": "display_name"}, {"display_name": {"otherwise": "ignore"}}])
def test_the_short_form_and_ignore_leave_what_the_account_has(given: dict[str, object]):
    plan = plan_of(
        source([person("ann", display_name=None)]), target(["ann"]), present(["ann"]), policy(attributes=given)
    )
    assert plan.empty


@pytest.mark.parametrize("answer", ["untransformed", "clear"])
def test_bitbucket_keeps_an_address_that_would_be_cleared_and_the_person_says_so(answer: str):
    rules = policy(attributes={"email": {"otherwise": answer}})
    plan = plan_of(source([person("ann", email=None)]), target(["ann"]), present(["ann"]), rules)
    assert plan.empty
    kept = "no e-mail address in the source; Bitbucket has no account without one, so it keeps what it has"
    assert outcome(plan, "ann") == ("unchanged", f"everybody of the source is synced; {kept}")


def test_an_incomplete_read_clears_nothing_and_counts_what_it_withheld():
    people = [person("ann", email="new@x", display_name=None), person("bob", display_name=None)]
    plan = plan_of(source(people, findings=["page lost"]), target(["ann", "bob"]), present(["ann", "bob"]), CLEARS)
    assert done(plan) == [("update", "ann", None)]
    assert json.loads(plan.operations["after"][0]) == {"display_name": "Ann", "email": "new@x"}
    assert plan.header.withheld == {"update": 2}
    assert outcome(plan, "bob") == ("held", f"{CLEARING}; withheld, because the source was read incompletely")


def test_read_only_details_are_not_cleared():
    there = target([account("ann", mutable_details=False)])
    assert plan_of(source([person("ann", display_name=None)]), there, present(["ann"]), CLEARS).empty


NAMES = [f"u{number:03}" for number in range(200)]


@pytest.mark.parametrize(("empty", "held"), [(2, []), (3, ["clearings"])])
def test_many_clearings_at_once_are_held_by_default(empty: int, held: list[str]):
    people = [person(name, display_name=None if number < empty else "Some") for number, name in enumerate(NAMES)]
    there = target([account(name, display_name="Some") for name in NAMES])
    rules = policy(guard={}, attributes={"display_name": {}})
    plan = plan_of(source(people), there, present(NAMES), rules)
    assert held_for(plan) == held
    if held:
        assert plan.header.held[0].message == "3 clearings, at most 2 allowed (limit 10 and limit 1 % of 200)"
        assert plan.header.held[0].samples == ("u000", "u001", "u002")


def test_an_update_that_clears_nothing_is_no_clearing():
    rules = policy(guard={"clearings": {"count": 0}}, attributes={"display_name": {}})
    assert held_for(plan_of(source([person("ann", email="new@x")]), target(["ann"]), present(["ann"]), rules)) == []
