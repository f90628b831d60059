"""What is taken from leavers, what is kept, and what returners get back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from directory.call import AddGroupsToAccount, Call, GrantPermission
from reconcile.batch import batches
from reconcile.plan import Plan
from tests.builders import account, done, link, operations, outcome, plan_of, policy, present, source, target

ENTRY = {"stash-users": "LICENSED_USER", "admins": "ADMIN"}
EVERYTHING: dict[str, Any] = {
    "groups": {"stash-users": ["ann"], "Admins": ["ann"], "dev": ["ann"], "local": ["ann"]},
    "permissions": {"stash-users": "LICENSED_USER", "Admins": "ADMIN"},
}


def before(plan: Plan) -> Any:
    return json.loads(plan.operations["before"][0])


def after(plan: Plan) -> Any:
    return json.loads(plan.operations["after"][0])


def calls_of(plan: Plan) -> list[Call]:
    return [call for _, packed in batches(plan.operations, most_members=9) for batch in packed for call in batch.calls]


def test_a_leaver_loses_access_groups_grant_and_managed_groups_and_keeps_local_ones():
    there = target([account("ann", permission="PROJECT_CREATE")], **EVERYTHING)
    plan = plan_of(source([], {"dev": []}), there, present(["ann"]))
    assert operations(plan) == [("remove_access", "ann", None, "not in the source any more")]
    assert before(plan) == {"groups": ["Admins", "dev", "stash-users"], "permission": "PROJECT_CREATE"}
    assert outcome(plan, "ann") == ("access_removed", "not in the source any more")


def test_groups_that_may_not_be_removed_from_stay_unless_they_give_access():
    there = target(["ann"], **EVERYTHING)
    plan = plan_of(source([], {"dev": []}), there, present(["ann"]), policy(groups={"remove_from": []}))
    assert before(plan) == {"groups": ["Admins", "stash-users"], "permission": None}


def test_a_leaver_who_has_only_a_direct_grant_loses_it():
    plan = plan_of(source(), target([account("ann", permission="LICENSED_USER")]), present(["ann"]))
    assert before(plan) == {"groups": [], "permission": "LICENSED_USER"}


@pytest.mark.parametrize("state", ["active", "access_removed"])
def test_a_leaver_without_access_makes_no_operation(state: str):
    plan = plan_of(source(), target(["ann"], {"local": ["ann"]}), present([link("ann", state=state)]))
    assert plan.empty


def test_a_leaver_who_was_let_in_again_by_hand_is_out_again():
    there = target(["ann"], {"stash-users": ["ann"]}, permissions=ENTRY)
    plan = plan_of(source(), there, present([link("ann", state="access_removed")]))
    assert done(plan) == [("remove_access", "ann", None)]


def test_a_group_shown_twice_is_taken_once():
    there = target(
        ["ann"], {"dev": ["ann"], "DEV": ["ann"]}, permissions={"dev": "LICENSED_USER", "DEV": "LICENSED_USER"}
    )
    plan = plan_of(source(), there, present(["ann"]))
    assert before(plan)["groups"] == ["DEV"]


def test_method_keep_takes_nothing():
    there = target([account("ann", permission="ADMIN")], **EVERYTHING)
    plan = plan_of(source([], {"dev": []}), there, present(["ann"]), policy(leavers={"method": "keep"}))
    assert plan.empty


def test_method_delete_deletes():
    there = target(["ann"], **EVERYTHING)
    plan = plan_of(source(), there, present(["ann"]), policy(leavers={"method": "delete"}))
    assert done(plan) == [("delete", "ann", None)]
    assert outcome(plan, "ann") == ("deleted", "not in the source any more")


def test_method_delete_takes_the_access_of_an_account_that_cannot_be_deleted():
    there = target([account("ann", deletable=False)], {"stash-users": ["ann"]}, permissions=ENTRY)
    plan = plan_of(source(), there, present(["ann"]), policy(leavers={"method": "delete"}))
    assert done(plan) == [("remove_access", "ann", None)]


def test_a_leaver_in_a_read_only_directory_is_left_alone():
    row = account("ann", mutable_details=False, mutable_groups=False, deletable=False, permission="LICENSED_USER")
    for method in ("remove_access", "delete"):
        there = target([row], {"stash-users": ["ann"]}, permissions=ENTRY)
        plan = plan_of(source(), there, present(["ann"]), policy(leavers={"method": method}))
        assert plan.empty


def test_nobody_unlinked_is_a_leaver():
    there = target(["local"], {"stash-users": ["local"]}, permissions=ENTRY)
    assert plan_of(source(["ann"]), there, present(["ann"])).header.counts == {"create": 1}


def test_a_returner_regains_remembered_local_groups_and_grants_and_managed_groups_by_the_source_only():
    there = target(["ann"], {"stash-users": [], "Local": [], "dev": [], "ops": []}, permissions=ENTRY)
    remembered = present(
        [link("ann", state="access_removed")],
        [
            ("ann", "group", "stash-users"),
            ("ann", "group", "local"),
            ("ann", "group", "gone"),
            ("ann", "group", "Ops"),
            ("ann", "permission", "PROJECT_CREATE"),
            ("bob", "group", "dev"),
        ],
    )
    plan = plan_of(source(["ann"], {"dev": ["ann"], "ops": []}), there, remembered)
    assert operations(plan) == [
        ("restore_access", "ann", None, "back in the source"),
        ("add_membership", "ann", "dev", "dev"),
    ]
    assert after(plan) == {"groups": ["Local", "stash-users"], "permission": "PROJECT_CREATE"}
    assert outcome(plan, "ann")[0] == "reactivated"
    assert calls_of(plan)[:2] == [
        GrantPermission("ann", "PROJECT_CREATE"),
        AddGroupsToAccount("ann", ("Local", "stash-users")),
    ]


def test_a_group_remembered_twice_is_given_back_once_and_the_lower_of_two_grants():
    memories = [
        ("ann", "group", "local"),
        ("ann", "group", "LOCAL"),
        ("ann", "permission", "SYS_ADMIN"),
        ("ann", "permission", "LICENSED_USER"),
    ]
    there = target(["ann"], {"local": []})
    plan = plan_of(source(["ann"]), there, present([link("ann", state="access_removed")], memories))
    assert after(plan) == {"groups": ["local"], "permission": "LICENSED_USER"}


def test_a_returner_of_whom_nothing_is_remembered_wakes_the_link_without_a_call():
    plan = plan_of(source(["ann"]), target(["ann"]), present([link("ann", state="access_removed")]))
    assert done(plan) == [("restore_access", "ann", None)]
    assert calls_of(plan) == []


def test_a_returner_in_a_read_only_directory_is_left_alone():
    row = account("ann", mutable_details=False, mutable_groups=False)
    remembered = present([link("ann", state="access_removed")], [("ann", "group", "local")])
    plan = plan_of(source(["ann"]), target([row], {"local": []}), remembered)
    assert [
        call for _, packed in batches(plan.operations, most_members=9) for batch in packed for call in batch.calls
    ] == []


def test_leavers_go_before_joiners_come_and_movers_gain_before_they_lose():
    wanted = source(["joe", "mia"], {"a": [], "b": ["mia"], "stash-users": ["joe", "mia"]})
    there = target(["lea", "mia"], {"a": ["mia"], "b": [], "stash-users": ["lea", "mia"]}, permissions=ENTRY)
    assert done(plan_of(wanted, there, present(["lea", "mia"]))) == [
        ("remove_access", "lea", None),
        ("create", "joe", None),
        ("add_membership", "joe", "stash-users"),
        ("add_membership", "mia", "b"),
        ("remove_membership", "mia", "a"),
    ]
