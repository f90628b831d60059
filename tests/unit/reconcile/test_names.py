"""Which names are given, in which order, and which temporary name a cycle goes over."""

from __future__ import annotations

import json

import polars as pl
import pytest

from directory.snapshot import TargetSnapshot
from reconcile.diff import Present
from reconcile.freshness import freshness
from reconcile.plan import Plan
from reconcile.waves import waves
from tests.builders import account, done, link, outcome, person, plan_of, policy, present, source, target
from tests.model_target import Ledger, Model, carry_out

NAMES = ["ann", "bob", "cem", "dora"]


def called(external_id: str, name: str, address: str | None = None) -> dict[str, object]:
    """A person of whom nothing but the name changes; the address is that of the account they have."""
    own = address or external_id
    return person(external_id, name, f"{own}@example.com", own.title())


def linked(names: list[str]) -> Present:
    return present([link(name) for name in names])


def turned(wishes: dict[str, str], there: TargetSnapshot | None = None) -> Plan:
    """The plan that calls accounts otherwise, by the name that they have now."""
    people = [called(name, wish) for name, wish in wishes.items()]
    return plan_of(source(people), there or target(list(wishes)), linked(list(wishes)))


def steps(plan: Plan) -> list[tuple[str, str, str]]:
    """(kind, old name, new name) of all renames, in order."""
    renames = plan.operations.filter(pl.col("kind").is_in(["set_aside", "rename"]))
    return [
        (kind, old, json.loads(new)["username"])
        for kind, old, new in renames.select("kind", "username", "after").rows()
    ]


def test_a_chain_begins_at_its_free_end() -> None:
    plan = turned({"ann": "bob", "bob": "cem", "cem": "dora"})
    assert steps(plan) == [("rename", "cem", "dora"), ("rename", "bob", "cem"), ("rename", "ann", "bob")]
    assert waves(plan.operations).to_list() == [0, 1, 2]


def test_a_swap_goes_over_one_temporary_name() -> None:
    plan = turned({"ann": "bob", "bob": "ann"})
    assert steps(plan) == [
        ("set_aside", "ann", "usersync-renaming-id-of-ann"),
        ("rename", "bob", "ann"),
        ("rename", "usersync-renaming-id-of-ann", "bob"),
    ]
    assert plan.header.outcomes == {"renamed": 2}
    assert plan.header.counts["rename"] == 2


def test_each_cycle_costs_one_extra_rename_whatever_hangs_on_it() -> None:
    wishes = {"ann": "bob", "bob": "cem", "cem": "ann", "x": "y", "y": "x", "tail": "dora", "dora": "free"}
    plan = turned(wishes)
    assert plan.header.counts == {"rename": 7, "set_aside": 2}


def test_the_guard_counts_people_and_not_the_detour() -> None:
    rules = policy(guard={"renames": {"count": 2}})
    people = [called("ann", "bob"), called("bob", "ann")]
    plan = plan_of(source(people), target(["ann", "bob"]), linked(["ann", "bob"]), rules)
    assert not plan.held


def test_a_chain_behind_a_name_that_stays_is_in_conflict_as_a_whole() -> None:
    there = target(["ann", "bob", "cem"])
    people = [called("ann", "bob"), called("bob", "cem")]
    plan = plan_of(source(people), there, linked(["ann", "bob"]))
    assert plan.empty
    assert "taken in the target by a local account" in outcome(plan, "bob")[1]
    assert "by the account of another person (bob)" in outcome(plan, "ann")[1]


def test_the_name_of_an_account_that_cannot_be_renamed_stays_taken() -> None:
    there = target(["ann", account("bob", mutable_details=False)])
    people = [called("ann", "bob"), called("bob", "cem")]
    plan = plan_of(source(people), there, linked(["ann", "bob"]))
    assert plan.empty
    assert outcome(plan, "ann")[0] == "conflict"


def test_a_new_account_gets_a_name_that_is_given_up_in_the_same_plan() -> None:
    people = [called("ann", "lee"), person("new", "ann", "new@example.com")]
    plan = plan_of(source(people), target(["ann"]), linked(["ann"]))
    assert done(plan) == [("rename", "ann", None), ("create", "ann", None)]


def test_a_name_that_a_deletion_frees_is_given_by_a_rename_in_the_same_plan() -> None:
    rules = policy(leavers={"method": "delete"})
    plan = plan_of(source([called("bob", "ann")]), target(["ann", "bob"]), linked(["ann", "bob"]), rules)
    assert done(plan) == [("delete", "ann", None), ("rename", "bob", None)]


def test_a_new_account_gets_nothing_of_the_deleted_one_whose_name_it_has() -> None:
    rules = policy(leavers={"method": "delete"})
    there = target([account("ann", permission="ADMIN")])
    world = source([person("new", "ann", "new@example.com")])
    plan = plan_of(world, there, linked(["ann"]), rules)
    aside = "usersync-renaming-id-of-ann"
    assert done(plan) == [("set_aside", "ann", None), ("delete", aside, None), ("create", "ann", None)]
    assert outcome(plan, "ann")[0] == "deleted"

    model, ledger = Model.of(there), Ledger.of(linked(["ann"]))
    carry_out(plan, model, ledger)
    assert model.named("ann")["permission"] is None


def test_a_leaver_who_keeps_the_account_keeps_the_name() -> None:
    plan = plan_of(source([called("bob", "ann")]), target(["ann", "bob"]), linked(["ann", "bob"]))
    assert "rename" not in plan.header.counts
    assert "by the account of another person (ann)" in outcome(plan, "bob")[1]


def test_an_incomplete_read_deletes_nobody_and_gives_nobody_the_name() -> None:
    rules = policy(leavers={"method": "delete"})
    wanted = source([called("bob", "ann")], findings=["page 3 never came"])
    plan = plan_of(wanted, target(["ann", "bob"]), linked(["ann", "bob"]), rules)
    assert plan.empty
    assert outcome(plan, "bob")[0] == "conflict"


def test_the_temporary_name_avoids_names_that_are_taken_wanted_or_protected() -> None:
    wishes = {"ann": "bob", "bob": "ann"}
    taken = target([*wishes, "USERSYNC-renaming-id-of-ann"])
    assert steps(turned(wishes, taken))[0][2] == "usersync-renaming-id-of-ann-2"

    people = [called(name, wish) for name, wish in wishes.items()]
    wanted = [*people, person("3", "usersync-renaming-id-of-ann")]
    assert steps(plan_of(source(wanted), target(list(wishes)), linked(list(wishes))))[0][2].endswith("-2")

    rules = policy(people={"protect": ["usersync*"]})
    assert (
        steps(plan_of(source(people), target(list(wishes)), linked(list(wishes)), rules))[0][2] == "renaming-id-of-ann"
    )


def test_a_swap_without_any_temporary_name_is_a_conflict() -> None:
    rules = policy(people={"protect": ["usersync*", "renaming*", "aside*"]})
    people = [called("ann", "bob"), called("bob", "ann"), called("cem", "ann2"), called("dora", "cem")]
    plan = plan_of(source(people), target(NAMES), linked(NAMES), rules)
    assert steps(plan) == [("rename", "cem", "ann2"), ("rename", "dora", "cem")]
    assert "another person" in outcome(plan, "ann")[1]
    assert plan.header.outcomes == {"conflict": 2, "renamed": 2}


@pytest.mark.parametrize("kinds", [("set_aside",), ("set_aside", "bob"), ("set_aside", "bob", "ann")], ids=len)
def test_what_a_killed_run_left_half_renamed_is_mended_by_the_next_plan(kinds: tuple[str, ...]) -> None:
    people = [called("ann", "bob"), called("bob", "ann")]
    remembered = linked(["ann", "bob"])
    there = target(["ann", "bob"])
    plan = plan_of(source(people), there, remembered)
    model, ledger = Model.of(there), Ledger.of(remembered)
    half = plan.operations.head(len(kinds))
    carry_out(Plan(plan.header, half, plan.verdicts, plan.grants), model, ledger)

    assert set(freshness(plan.operations, model.snapshot())["standing"][: len(kinds)]) == {"already"}
    assert set(freshness(plan.operations, model.snapshot())["standing"][len(kinds) :]) <= {"pending"}
    following = plan_of(source(people), model.snapshot(), ledger.present())
    carry_out(following, model, ledger)
    assert {row["account_id"]: row["username"] for row in model.accounts.values()} == {
        "id of ann": "bob",
        "id of bob": "ann",
    }
    assert plan_of(source(people), model.snapshot(), ledger.present()).empty


def test_names_that_differ_in_at_and_underscore_alone_are_found_before_they_collide() -> None:
    plan = plan_of(source([person("1", "jane@x", "1@example.com")]), target(["jane_x"]))
    assert plan.empty
    said = "Bitbucket has one address for jane@x and an account whose name differs in @ and _ alone"
    assert outcome(plan, "1") == ("conflict", f"{said}; rename one of the two")
    twins = plan_of(source([person("1", "jane@x", "1@example.com"), person("2", "jane_x", "2@example.com")]), target())
    assert twins.header.outcomes == {"conflict": 2}


def test_an_address_alone_that_is_given_up_first_is_free() -> None:
    people = [called("ann", "jane@x"), called("jane_x", "jane")]
    plan = plan_of(source(people), target(["ann", "jane_x"]), linked(["ann", "jane_x"]))
    assert steps(plan) == [("rename", "jane_x", "jane"), ("rename", "ann", "jane@x")]


def test_of_one_account_at_and_underscore_may_be_exchanged() -> None:
    assert steps(turned({"jane_x": "jane@x"})) == [("rename", "jane_x", "jane@x")]


def test_accounts_that_are_there_already_are_no_collision() -> None:
    people = [called("1", "jane@x", "jane@x"), called("2", "jane_x", "jane_x")]
    there = target(["jane@x", "jane_x"])
    remembered = present([link("1", "jane@x"), link("2", "jane_x")])
    assert plan_of(source(people), there, remembered).empty


def test_a_deletion_says_whose_account_of_the_name_comes_to_light() -> None:
    rules = policy(leavers={"method": "delete"})
    twin = {**account("ann", account_id="7"), "directory": "Company LDAP"}
    there = target([account("ann", account_id="1"), twin])
    plan = plan_of(source(), there, present([link("ann", account_id="1")]), rules)
    assert json.loads(plan.operations["after"][0]) == {"takes_over": "Company LDAP", "may_hide_in": ["Company LDAP"]}


def test_a_deletion_names_the_directories_whose_hidden_accounts_bitbucket_does_not_show() -> None:
    rules = policy(leavers={"method": "delete"})
    other = {**account("zoe"), "directory": "Crowd"}
    plan = plan_of(source(), target(["ann", other]), linked(["ann"]), rules)
    assert json.loads(plan.operations["after"][0]) == {"takes_over": None, "may_hide_in": ["Crowd"]}


def test_a_creation_is_not_stale_while_the_account_with_its_name_is_still_to_be_renamed() -> None:
    people = [called("ann", "lee"), person("new", "ann", "new@example.com")]
    there = target(["ann"], {"dev": ["ann"]})
    plan = plan_of(source(people, {"dev": ["ann", "new"]}), there, linked(["ann"]))
    assert set(freshness(plan.operations, there)["standing"]) == {"pending"}
    assert ("add_membership", "ann", "dev") in done(plan)


def test_many_renames_that_wait_for_each_other_are_ordered_in_one_go() -> None:
    count = 3000
    names = [f"u{number}" for number in range(count)]
    wishes = dict(zip(names, [*names[1:], names[0]], strict=True))
    plan = turned(wishes)
    assert plan.header.counts == {"rename": count, "set_aside": 1}
    assert waves(plan.operations.filter(pl.col("kind") == "rename")).max() == count - 1
