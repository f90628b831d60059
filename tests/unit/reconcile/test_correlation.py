"""Which account belongs to whom: links, adoption, and names that cannot be given."""

from __future__ import annotations

import pytest

from tests.builders import account, done, link, operations, outcome, person, plan_of, policy, present, source, target


def test_an_account_of_the_same_name_is_adopted():
    plan = plan_of(source([person("1", "Ann", "ann@example.com", "Ann")]), target(["ann"]))
    assert operations(plan) == [("adopt", "ann", None, "the account exists with the same username")]
    assert outcome(plan, "1")[0] == "updated"


def test_an_account_with_the_same_address_is_adopted_and_renamed():
    plan = plan_of(source([person("1", "annlee", "ANN@example.com", "Ann")]), target(["ann"]))
    assert done(plan) == [("adopt", "ann", None), ("rename", "ann", None), ("update", "annlee", None)]
    assert operations(plan)[0][3] == "the account exists with the same email"


def test_the_name_comes_before_the_address():
    there = target([account("ann", "other@example.com"), account("old", "ann@example.com")])
    plan = plan_of(source(["ann"]), there)
    assert operations(plan, "adopt") == [("ann", None, "the account exists with the same username")]


def test_adoption_can_be_switched_off():
    rules = policy(people={"adopt": []})
    plan = plan_of(source(["ann", person("2", "bea", "bob@example.com")]), target(["ann", "bob"]), rules=rules)
    assert done(plan) == [("create", "bea", None)]
    verdict, reason = outcome(plan, "ann")
    assert verdict == "conflict"
    assert reason.startswith("the username ann is taken in the target by a local account")
    assert reason.endswith("rename one of the two, or allow people.adopt to take it over")


def test_an_address_that_two_accounts_have_adopts_neither():
    there = target([account("a1", "ann@example.com"), account("a2", "ANN@example.com")])
    assert done(plan_of(source(["ann"]), there)) == [("create", "ann", None)]


def test_an_address_that_two_people_have_adopts_nothing():
    people = [person("1", "ann", "team@example.com"), person("2", "bob", "team@example.com")]
    plan = plan_of(source(people), target([account("team")]))
    assert done(plan) == [("create", "ann", None), ("create", "bob", None)]


def test_an_address_that_a_linked_account_shares_adopts_nothing():
    there = target([account("old", "ann@example.com"), account("other", "ann@example.com")])
    plan = plan_of(source(["ann", person("2", "old", "new@example.com")]), there, present([link("2", "old")]))
    assert ("adopt", "other", None) not in done(plan)
    assert ("create", "ann", None) in done(plan)


def test_the_account_of_another_person_is_never_adopted():
    people = [person("1", "ann"), person("2", None)]
    plan = plan_of(source(people), target(["ann"]), present([link("2", "ann")]))
    assert "adopt" not in plan.header.counts
    assert outcome(plan, "1") == (
        "conflict",
        "the username ann is taken in the target by the account of another person (2); it was not given to 1",
    )


def test_the_account_of_a_leaver_is_not_adopted_by_whoever_has_the_name_now():
    plan = plan_of(source([person("new", "ann")]), target(["ann"], {"dev": ["ann"]}), present([link("old", "ann")]))
    assert outcome(plan, "new")[0] == "conflict"
    assert "adopt" not in plan.header.counts


def test_a_protected_address_keeps_nobody_from_an_account_of_their_own():
    there = target([account("usersync", "ann@example.com"), account("root", "bob@example.com")])
    plan = plan_of(source(["ann", "bob"]), there, rules=policy(people={"protect": ["root"]}))
    assert done(plan) == [("create", "ann", None), ("create", "bob", None)]


def test_two_people_with_one_username_are_both_left_out():
    plan = plan_of(source([person("1", "ann"), person("2", "ANN")]), target())
    assert plan.empty
    assert outcome(plan, "1")[0] == outcome(plan, "2")[0] == "conflict"
    assert "two people of the source have the username" in outcome(plan, "1")[1]


def test_of_two_people_with_one_username_the_linked_one_keeps_it():
    wanted = source([person("1", "ann"), person("2", "ann")], {"dev": ["1"]})
    plan = plan_of(wanted, target(["ann"], {"dev": []}), present([link("1", "ann")]))
    assert done(plan) == [("add_membership", "ann", "dev")]
    assert outcome(plan, "1")[0] == "updated"
    assert outcome(plan, "2")[0] == "conflict"


def test_a_username_that_only_an_unwanted_person_shares_is_free():
    people = [person("1", "ann"), person("2", "ann", active=False), person("3", "ann", active=False)]
    assert done(plan_of(source(people), target())) == [("create", "ann", None)]


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a\x07b", "a\nb", "x" * 256])
def test_a_name_that_bitbucket_refuses_is_a_conflict(name: str):
    plan = plan_of(source([person("1", name, "ann@example.com")]), target())
    assert plan.empty
    assert outcome(plan, "1")[0] == "conflict"
    assert "Bitbucket refuses the username" in outcome(plan, "1")[1]


def test_a_name_of_255_characters_with_spaces_is_fine():
    assert plan_of(source([person("1", "x " * 127 + "x", "a@b.c")]), target()).header.counts == {"create": 1}


def test_a_refused_name_keeps_the_memberships_of_a_linked_account_right():
    wanted = source([person("ann", "a/b")], {"dev": ["ann"]})
    plan = plan_of(wanted, target(["ann"], {"dev": []}), present(["ann"]))
    assert ("add_membership", "ann", "dev") in done(plan)
    assert "rename" not in plan.header.counts
    assert outcome(plan, "ann")[0] == "conflict"


def test_no_address_is_a_conflict_only_for_a_creation():
    people = [person("new", email=None), person("ann", email=None), person("bob", email=None)]
    plan = plan_of(source(people), target(["ann", "bob"]), present(["ann"]))
    assert done(plan) == [("adopt", "bob", None)]
    assert outcome(plan, "new")[0] == "conflict"
    assert "no e-mail address" in outcome(plan, "new")[1]
    assert outcome(plan, "ann")[0] == "unchanged"


def test_a_text_that_is_too_long_is_a_conflict_and_is_not_sent():
    long = "x" * 256
    people = [person("1", "ann", f"{long}@x"), person("2", "bob", display_name=long), person("cem", display_name=long)]
    plan = plan_of(source(people), target(["cem"]), present(["cem"]))
    assert plan.empty
    assert {outcome(plan, who)[0] for who in ("1", "2", "cem")} == {"conflict"}
    assert "e-mail address has more than 255" in outcome(plan, "1")[1]
    assert "display name has more than 255" in outcome(plan, "2")[1]


def test_a_link_whose_account_vanished_makes_a_new_account_for_who_is_wanted():
    plan = plan_of(source(["ann"]), target(), present(["ann"]))
    assert done(plan) == [("create", "ann", None)]


def test_a_link_whose_account_vanished_is_nothing_for_who_is_gone():
    plan = plan_of(source(), target(), present(["ann"]))
    assert plan.empty
    assert plan.header.population == 0


def test_a_link_without_an_account_id_is_found_by_its_name():
    there = target([account("Ann", account_id="7")], {"dev": []})
    wanted = source([person("1", "ann", "Ann@example.com", "Ann")], {"dev": ["1"]})
    plan = plan_of(wanted, there, present([link("1", "ANN", account_id=None)]))
    assert done(plan) == [("add_membership", "Ann", "dev")]


def test_the_account_id_outlives_a_rename_in_the_target():
    there = target([account("renamed-by-hand", account_id="7"), account("ann", account_id="8")])
    plan = plan_of(source(["ann"]), there, present([link("ann", "ann", account_id="7")]))
    assert "adopt" not in plan.header.counts
    assert "taken in the target by a local account" in outcome(plan, "ann")[1]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_links_to_one_account_the_wanted_person_has_it(order: int):
    there = target(["ann"], {"dev": ["ann"]}, permissions={"dev": "LICENSED_USER"})
    links = [link("gone", "ann"), link("zoe", "ann")][::order]
    plan = plan_of(source([person("zoe", "ann", "ann@example.com", "Ann")], {"dev": ["zoe"]}), there, present(links))
    assert plan.empty
    assert outcome(plan, "zoe")[0] == "unchanged"


@pytest.mark.parametrize("order", [1, -1])
def test_two_links_of_one_person_give_them_one_account(order: int):
    links = [link("ann", "ann"), link("ann", "bob")][::order]
    plan = plan_of(source(["ann"]), target(["ann", "bob"]), present(links))
    assert plan.empty
    assert plan.verdicts.height == 1


@pytest.mark.parametrize("order", [1, -1])
def test_a_name_is_a_poorer_witness_than_an_account_id(order: int):
    links = [link("bob", "ann"), link("ann", "ann", account_id=None)][::order]
    plan = plan_of(
        source([person("bob", "ann", "ann@example.com", "Ann"), person("ann", "new")]), target(["ann"]), present(links)
    )
    assert outcome(plan, "bob")[0] == "unchanged"
    assert outcome(plan, "ann")[0] == "created"


def test_accounts_and_people_without_names_or_addresses_never_match():
    there = target([account("ann", None), account("bob", None)])
    plan = plan_of(source([person("1", "cem", None), person("2", None, None)]), there)
    assert plan.empty
