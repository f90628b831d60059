"""Names and details of accounts that are linked."""

from __future__ import annotations

import json

from tests.builders import account, done, link, outcome, person, plan_of, present, source, target


def test_a_rename_goes_before_everything_that_uses_the_new_name():
    wanted = source([person("1", "lee", "new@example.com", "Ann")], {"dev": ["1"]})
    plan = plan_of(wanted, target(["ann"], {"dev": [], "ops": []}), present([link("1", "ann")]))
    assert done(plan) == [("rename", "ann", None), ("update", "lee", None), ("add_membership", "lee", "dev")]
    rename = plan.operations.row(0, named=True)
    assert (json.loads(rename["before"]), json.loads(rename["after"])) == ({"username": "ann"}, {"username": "lee"})
    assert outcome(plan, "1")[0] == "renamed"


def test_a_name_that_a_local_account_has_is_not_given():
    plan = plan_of(
        source([person("1", "bob", "ann@example.com", "Ann")]), target(["ann", "bob"]), present([link("1", "ann")])
    )
    assert plan.empty
    assert outcome(plan, "1")[0] == "conflict"
    assert "by a local account" in outcome(plan, "1")[1]


def test_a_difference_in_case_alone_is_none():
    people = [person("1", "ANN", "ann@example.com", "Ann"), person("2", "STRAẞE", "s@example.com", "S")]
    there = target(["ann", account("straße", "s@example.com", "S")])
    assert plan_of(source(people), there, present([link("1", "ann"), link("2", "straße")])).empty


def test_changed_details_are_updated_with_all_of_them():
    plan = plan_of(source([person("ann", email="new@example.com")]), target(["ann"]), present(["ann"]))
    update = plan.operations.row(0, named=True)
    assert (update["kind"], update["username"]) == ("update", "ann")
    assert json.loads(update["before"]) == {"display_name": "Ann", "email": "ann@example.com"}
    assert json.loads(update["after"]) == {"display_name": "Ann", "email": "new@example.com"}


def test_an_address_that_differs_in_case_is_updated():
    plan = plan_of(source([person("ann", email="Ann@example.com")]), target(["ann"]), present(["ann"]))
    assert done(plan) == [("update", "ann", None)]


def test_what_the_source_does_not_say_is_kept():
    plan = plan_of(source([person("ann", email=None, display_name=None)]), target(["ann"]), present(["ann"]))
    assert plan.empty


def test_a_new_account_without_a_display_name_is_called_by_its_username():
    plan = plan_of(source([person("1", "ann", display_name=None)]), target())
    assert json.loads(plan.operations["after"][0])["display_name"] == "ann"


def test_an_account_with_read_only_details_is_neither_renamed_nor_updated():
    there = target([account("ann", mutable_details=False)], {"dev": []})
    plan = plan_of(source([person("1", "lee", "new@x", "New")], {"dev": ["1"]}), there, present([link("1", "ann")]))
    assert done(plan) == [("add_membership", "ann", "dev")]
