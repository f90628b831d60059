"""What is special about deciding of one person: the guard, the groups that are asked for, and whose names count."""

from __future__ import annotations

import polars as pl

from directory.snapshot import SOURCE_GROUPS, Completeness
from reconcile.diff import Present
from reconcile.person import OnePerson, groups_to_confirm, judged_alone, only, plan_person, rivals, with_columns_of
from reconcile.plan import Plan
from reconcile.policy import Guard, Policy
from reconcile.select import select
from tests.builders import NAMES, account, link, person, policy, present, source, target

NOTHING_KNOWN = pl.DataFrame(schema=SOURCE_GROUPS)


def planned(who: str, rules: Policy, wanted, there, remembered: Present, *, findings: tuple[str, ...] = ()) -> Plan:
    alone = only(wanted, who)
    everybody = select(wanted, rules)
    selection = select(alone, rules)
    others = rivals(everybody, who, selection, there)
    return plan_person(OnePerson(who, Completeness(findings), selection, others), there, remembered, rules, NAMES)


def test_shares_of_the_whole_are_not_judged_and_numbers_are():
    guard = judged_alone(
        Guard.model_validate({"deactivations": {"percent": 5}, "renames": {"percent": 0}, "adoptions": {"count": 3}})
    )
    assert guard.deactivations.allowed(1) is None
    assert guard.renames.allowed(1) == 0
    assert guard.adoptions.allowed(1) == 3
    assert guard.administrators_touched.allowed(1) == 0
    assert guard.erasures.allowed(1) == 0


def test_a_leaver_is_let_go_by_the_default_limits_and_an_administrator_is_held():
    rules = Policy()
    there = target([account("ann"), account("root", permission="ADMIN")], {"stash-users": ["ann"]},
                   permissions={"stash-users": "LICENSED_USER"})  # fmt: skip
    remembered = present(["ann", link("boss", "root")])
    leaver = planned("ann", rules, source([]), there, remembered)
    assert leaver.header.counts == {"remove_access": 1}
    assert not leaver.held
    boss = planned("boss", rules, source([]), there, remembered)
    assert [finding.kind for finding in boss.header.held] == ["administrators_touched"]


def test_an_incomplete_read_removes_nothing():
    there = target([account("ann")], {"stash-users": ["ann"]}, permissions={"stash-users": "LICENSED_USER"})
    plan = planned("ann", Policy(), source([]), there, present(["ann"]), findings=("the list was cut short",))
    assert plan.empty
    assert plan.header.withheld == {"remove_access": 1}
    assert plan.verdicts["outcome"].to_list() == ["held"]


def test_a_name_that_another_person_of_the_source_wants_is_a_conflict():
    wanted = source([person("p1", "ann"), person("p2", "ANN", "other@example.com")])
    plan = planned("p1", policy(), wanted, target([account("usersync")]), present())
    assert plan.empty
    assert plan.verdicts["outcome"].to_list() == ["conflict"]
    assert "two people of the source have the username ann" in plan.verdicts["reason"][0]


def test_whose_link_is_known_does_not_take_an_account_away_from_who_adopts_it():
    """Bob once had another account; that ann's address is his name's changes nothing for her."""
    wanted = source([person("p1", "new", "ann@example.com"), person("p2", "ann", "bob@example.com")])
    there = target([account("ann", "ann@example.com")])
    plan = planned("p1", policy(), wanted, there, present([link("p2", "bob")]))
    assert plan.operations["kind"].to_list() == ["adopt", "rename", "update"]


def test_only_groups_that_a_decision_rests_on_are_asked_for():
    rules = policy(
        people={"required_groups": ["staff"], "exclude": {"groups": ["barred", "x-*"]}},
        groups={"rename": [{"search": "src-", "to": "tgt-"}]},
    )
    read = source(["ann"], {"src-a": ["ann"], "Staff": ["ann"], "src-new": ["ann"]})
    there = target([account("ann"), account("bob")], {"tgt-a": ["ann"], "tgt-b": ["ann"], "own": ["ann", "bob"],
                                                      "staff": ["ann"], "far": ["bob"]})  # fmt: skip
    known = pl.DataFrame([("id", "src-b"), ("id2", "src-far")], schema=SOURCE_GROUPS, orient="row")
    asked = groups_to_confirm(select(read, rules), read, there, ["id of ann"], rules, present().feeds, known)
    assert asked == ("barred", "own", "src-b", "tgt-b", "tgt-new")


def test_columns_that_nobody_shows_now_are_null_and_single_values_are_lists_where_others_have_several():
    alone = source([person("p1", colour="red")])
    whole = source([person("p1", colour=["red"], size="L"), person("p2", colour=["red", "blue"], size="M")])
    shown = with_columns_of(alone, whole.people.schema).people
    assert shown.select("colour", "size").rows() == [(["red"], None)]
