"""Options of the app that is replaced, where no other test is named after them (docs/coming-from-user-sync.md)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from directory.snapshot import SourceSnapshot
from reconcile.plan import Plan
from tests.builders import (
    NOW,
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
from tests.model_target import Ledger, Model, carry_out

ENTRY = {"stash-users": "LICENSED_USER", "admins": "ADMIN"}
GONE = {"deleted": "not in the source any more", "in-no-required-group": "in no required group",
        "dropped": "dropped: no rule of attributes.email applies", "inactive": "inactive in the source"}  # fmt: skip


def changed(plan: Plan, kind: str, side: str = "after") -> Any:
    return json.loads(plan.operations.filter(kind=kind)[side][0])


# Which users


def test_required_groups_only_members_are_synced_and_who_is_in_none_any_more_is_cleaned_up():
    wanted = source(["ann", "bob", "cem"], {"all": ["ann"], "old": ["bob"]})
    there = target(["bob"], {"stash-users": ["bob"]}, permissions=ENTRY)
    rules = policy(people={"required_groups": ["all"]}, groups={"assign": []})
    plan = plan_of(wanted, there, present(["bob"]), rules)
    assert done(plan) == [("remove_access", "bob", None), ("create", "ann", None)]
    assert outcome(plan, "cem") == ("filtered", "in no required group")


def test_required_groups_left_empty_sync_everybody():
    plan = plan_of(source(["ann", "bob"], {"all": ["ann"]}), target(), rules=policy(groups={"assign": []}))
    assert done(plan) == [("create", "ann", None), ("create", "bob", None)]


def test_filter_the_user_drops_somebody_new_and_cleans_up_somebody_who_exists():
    rules = policy(attributes={"username": {"rules": [{"strip_domain": "username"}], "otherwise": "drop"}})
    there = target(["bob"], {"stash-users": ["bob"]}, permissions=ENTRY)
    plan = plan_of(source([person("1", "ann"), person("2", "bob")]), there, present([link("2", "bob")]), rules)
    assert done(plan) == [("remove_access", "bob", None)]
    assert outcome(plan, "1") == ("filtered", "dropped: no rule of attributes.username applies")


# Groups


def test_merge_with_present_groups_takes_nobody_out_of_a_group_they_are_in():
    wanted = source(["ann"], {"dev": [], "ops": ["ann"]})
    there = target(["ann"], {"dev": ["ann"], "ops": [], "by-hand": ["ann"]})
    plan = plan_of(wanted, there, present(["ann"], managed_groups=["dev"]), policy(groups={"remove_from": []}))
    assert done(plan) == [("add_membership", "ann", "ops")]


def test_filter_users_by_group():
    wanted = source(["ann", "bob"], {"staff": ["ann", "bob"], "on-leave": ["bob"]})
    people = {"include": {"groups": ["staff"]}, "exclude": {"groups": ["on-leave"]}}
    plan = plan_of(wanted, target(), rules=policy(people=people, groups={"assign": []}))
    assert done(plan) == [("create", "ann", None)]


def test_nested_groups_give_their_members_the_outer_groups_too():
    wanted = source(["ann"], {"team": ["ann"]}, nested={"all": ["department"], "department": ["team"]})
    plan = plan_of(wanted, target(["ann"], {"all": [], "department": [], "team": []}), present(["ann"]))
    assert operations(plan, "add_membership") == [
        ("ann", "all", "all > department > team"),
        ("ann", "department", "department > team"),
        ("ann", "team", "team"),
    ]


def test_a_group_that_two_source_groups_feed_loses_those_who_are_in_neither_any_more():
    rules = policy(groups={"rename": [{"match": "^(aad|okta)-", "to": ""}], "vanished": "keep"})
    there = target(["ann", "bob"], {"dev": ["ann", "bob"]})
    plan = plan_of(source(["ann", "bob"], {"aad-dev": ["ann"]}), there, present(["ann", "bob"]), rules)
    assert done(plan) == [("remove_membership", "bob", "dev")]


# Attributes


def test_the_primary_key_is_the_id_of_the_source_and_outlives_any_other_change():
    wanted = source([person("1", "ann.lee", "lee@example.com", "Ann Lee"), person("2", "ann", "new@example.com")])
    plan = plan_of(wanted, target(["ann"]), present([link("1", "ann")]))
    assert done(plan) == [("rename", "ann", None), ("create", "ann", None), ("update", "ann.lee", None)]


def test_the_mapping_table_is_prefilled_so_that_username_address_and_full_name_are_synced():
    plan = plan_of(source([person("1", "ann", "a@example.com", "Ann Lee")]), target())
    assert changed(plan, "create") == {"username": "ann", "email": "a@example.com", "display_name": "Ann Lee"}


def test_an_expression_over_several_columns_stands_for_a_script():
    attributes = {"display_name": "CASE WHEN dept = 'IT' THEN concat(username, ' (IT)') ELSE display_name END"}
    people = [person("ann", dept="IT"), person("bob", dept="HR")]
    plan = plan_of(source(people), target(), rules=policy(attributes=attributes))
    assert [json.loads(after)["display_name"] for after in plan.operations["after"]] == ["ann (IT)", "Bob"]


# Cleanup


@pytest.mark.parametrize("how", GONE)
def test_not_returned_any_more_when_deleted_in_no_required_group_dropped_or_inactive(how: str):
    ann = person("ann", email=None if how == "dropped" else "ann@example.com", active=how != "inactive")
    wanted = source([] if how == "deleted" else [ann], {"all": [] if how == "in-no-required-group" else ["ann", "x"]})
    people = {"required_groups": ["all"]} if how == "in-no-required-group" else {}
    rules = policy(people=people, groups={"assign": []}, attributes={"email": {"otherwise": "drop"}})
    there = target(["ann"], {"stash-users": ["ann"]}, permissions=ENTRY)
    assert operations(plan_of(wanted, there, present(["ann"]), rules)) == [("remove_access", "ann", None, GONE[how])]


def test_disable_users_is_the_default_and_frees_the_licence():
    there = target(["ann"], {"stash-users": ["ann"]}, permissions=ENTRY, seats=10)
    plan = plan_of(source(), there, present(["ann"]))
    assert done(plan) == [("remove_access", "ann", None)]
    assert (plan.header.seats_used, plan.header.seats_after) == (1, 0)


def test_keep_users_without_modification_does_nothing():
    there = target(["ann"], {"stash-users": ["ann"], "dev": ["ann"]}, permissions=ENTRY)
    assert plan_of(source([], {"dev": []}), there, present(["ann"]), policy(leavers={"method": "keep"})).empty


def test_anonymize_users_is_reversible_and_applies_to_users_disabled_before():
    rules = policy(leavers={"method": "anonymise"})
    model = Model.of(target([account("ann", account_id="7")], {"stash-users": []}, permissions=ENTRY))
    ledger = Ledger.of(present([link("ann", "ann", account_id="7", state="access_removed")]))

    def run(wanted: SourceSnapshot) -> dict[str, Any]:
        carry_out(plan_of(wanted, model.snapshot(), ledger.present(), rules), model, ledger)
        assert plan_of(wanted, model.snapshot(), ledger.present(), rules).empty
        return {name: model.accounts["7"][name] for name in ("username", "email", "display_name")}

    assert run(source()) == {"username": "user-7", "email": "user-7@user.invalid", "display_name": "user-7"}
    assert run(source(["ann"])) == {"username": "ann", "email": "ann@example.com", "display_name": "Ann"}


def test_delete_users_deletes_the_account():
    there = target(["ann"], {"stash-users": ["ann"]}, permissions=ENTRY)
    plan = plan_of(source(), there, present(["ann"]), policy(leavers={"method": "delete"}))
    assert done(plan) == [("delete", "ann", None)]


@pytest.mark.parametrize(
    ("state", "kinds"),
    [("active", ["remove_access", "strip_groups"]), ("access_removed", ["strip_groups"])],
    ids=["now", "cleaned-up-before"],
)
@pytest.mark.parametrize("kept", ["kept", "/^ke/"], ids=["group", "regular-expression"])
def test_remove_all_group_memberships_with_exceptions_also_of_users_cleaned_up_before(
    state: str, kinds: list[str], kept: str
):
    inside = ["ann"] if state == "active" else []
    there = target(["ann"], {"stash-users": inside, "local": ["ann"], "kept": ["ann"]}, permissions=ENTRY)
    rules = policy(leavers={"strip_groups": True, "keep_groups": [kept]})
    plan = plan_of(source(), there, present([link("ann", state=state)]), rules)
    assert [kind for kind, *_ in done(plan)] == kinds
    assert changed(plan, "strip_groups", "before") == {"groups": ["local"]}


def test_keep_users_may_lose_all_group_memberships_too():
    there = target(["ann"], {"stash-users": ["ann"], "local": ["ann"]}, permissions=ENTRY)
    rules = policy(leavers={"method": "keep", "strip_groups": True})
    plan = plan_of(source(), there, present(["ann"]), rules)
    assert changed(plan, "strip_groups", "before") == {"groups": ["local", "stash-users"]}


def test_whether_to_clean_up_a_user_is_decided_by_protected_names_and_nobodys_timestamp():
    there = target(["ann", "bob"], {"stash-users": ["ann", "bob"]}, permissions=ENTRY)
    plan = plan_of(source(), there, present(["ann", "bob"]), policy(people={"protect": ["a*"]}))
    assert done(plan) == [("remove_access", "bob", None)]


def test_a_changed_method_hits_everybody_cleaned_up_before_and_the_limits_stand():
    names = [f"p{number}" for number in range(20)]
    gone = present([link(name, state="access_removed") for name in names])
    rules = policy(leavers={"method": "delete"}, guard={"source": {}})
    plan = plan_of(source(), target(names), gone, rules)
    assert plan.header.counts == {"delete": 20}
    assert held_for(plan) == ["deletions"]


def test_admins_and_sysadmins_are_never_touched_by_the_cleanup_of_inactive_users():
    there = target(["ann", account("bob", permission="SYS_ADMIN"), "cem"], {"admins": ["ann"], "stash-users": ["cem"]},
                   permissions=ENTRY)  # fmt: skip
    rules = policy(inactive={"after_days": 30, "never_logged_in": True})
    long_ago = NOW - timedelta(days=31)
    remembered = present([link(name, access_since=long_ago) for name in ("ann", "bob", "cem")])
    plan = plan_of(source(["ann", "bob", "cem"]), there, remembered, rules)
    assert done(plan) == [("remove_access", "cem", None)]


# One user


def test_a_full_run_activates_again_who_returned_to_the_required_group_and_the_next_has_nothing_to_do():
    rules = policy(people={"required_groups": ["all"]}, groups={"assign": [], "always": ["stash-users"]})
    model = Model.of(target(["ann"], {"stash-users": ["ann"]}, permissions=ENTRY))
    ledger = Ledger.of(present(["ann"]))
    for members, groups, state in ([], set(), "access_removed"), (["ann"], {"stash-users"}, "active"):
        wanted = source(["ann"], {"all": members})
        carry_out(plan_of(wanted, model.snapshot(), ledger.present(), rules), model, ledger)
        assert (model.groups_of(model.named("ann")["account_id"]), ledger.links["ann"][2]) == (groups, state)
        assert plan_of(wanted, model.snapshot(), ledger.present(), rules).empty
