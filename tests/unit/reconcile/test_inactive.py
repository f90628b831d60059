"""Whom the sync shuts out because they do not log in, whom it never does, and how they come back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconcile.diff import Present
from reconcile.plan import Plan
from tests.builders import NOW, account, done, link, outcome, plan_of, policy, present, source, target

ENTRY = {"stash-users": "LICENSED_USER", "admins": "ADMIN"}
OUT = [("remove_access", "ann", None)]
BACK = ["restore_access", "add_membership"]


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def linked(state: str = "active", access: float = 500, **more: Any) -> Present:
    memories = [("ann", "group", "stash-users")] if state == "inactive" else []
    return present([link("ann", state=state, access_since=ago(access), **more)], memories)


def planned(
    login: float | None,
    remembered: Present | None = None,
    within: tuple[str, ...] = ("stash-users",),
    row: dict[str, Any] | None = None,
    **inactive: Any,
) -> Plan:
    last_login = None if login is None else ago(login)
    there = target(
        [{**(row or account("ann")), "last_login": last_login}],
        {name: (["ann"] if name in within else []) for name in ("stash-users", "admins", "vips", "local")},
        permissions=ENTRY,
    )
    rules = policy(groups={"always": ["stash-users"]}, inactive={"after_days": 180, **inactive})
    return plan_of(source(["ann"], {"vips": []}), there, remembered or linked(), rules)


def test_who_does_not_log_in_loses_access_and_the_sync_gives_nothing_back():
    plan = planned(180)
    assert done(plan) == OUT
    assert json.loads(plan.operations["after"][0]) == {"state": "inactive"}
    assert outcome(plan, "ann") == ("access_removed", "no login since 2025-07-05; inactive after 180 days")
    following = planned(180, linked("inactive"), within=())
    assert following.empty
    assert outcome(following, "ann") == ("inactive", "no login since 2025-07-05; inactive after 180 days")
    assert following.verdicts["grants"].to_list() == [None]


def test_nobody_is_looked_at_where_the_sync_file_does_not_ask():
    assert planned(5000, after_days=None).empty


@pytest.mark.parametrize(
    ("login", "access", "never", "out"),
    [
        (179, 500, False, False),
        (180, 500, False, True),
        (180, 179, False, False),
        (500, 180, False, True),
        (None, 500, False, False),
        (None, 180, True, True),
        (None, 179, True, False),
    ],
)
def test_days_count_from_the_last_login_or_from_when_access_was_given(
    login: float | None, access: float, never: bool, out: bool
):
    assert done(planned(login, linked(access=access), never_logged_in=never)) == (OUT if out else [])


def test_who_never_logged_in_is_told_so():
    plan = planned(None, never_logged_in=True)
    assert outcome(plan, "ann")[1] == "never logged in since access was given on 2024-08-19; inactive after 180 days"


@pytest.mark.parametrize(
    ("groups", "row"),
    [
        (("stash-users", "admins"), account("ann")),
        (("stash-users",), account("ann", permission="ADMIN")),
        (("stash-users",), account("ann", permission="SYS_ADMIN")),
        (("stash-users",), account("ann", mutable_groups=False)),
    ],
    ids=["in a group of administrators", "ADMIN", "SYS_ADMIN", "read-only"],
)
def test_administrators_and_accounts_that_cannot_be_changed_are_never_looked_at(
    groups: tuple[str, ...], row: dict[str, Any]
):
    plan = planned(900, within=groups, row=row)
    assert "remove_access" not in plan.header.counts
    assert outcome(plan, "ann")[0] in {"unchanged", "updated"}


@pytest.mark.parametrize(
    ("conditions", "out"),
    [
        ({"groups": ["stash-*"]}, True),
        ({"groups": ["vips"]}, False),
        ({"groups": []}, False),
        ({"except_groups": ["loc?l"]}, True),
        ({"except_groups": ["STASH-users"]}, False),
        ({"except_people": ["bob"]}, True),
        ({"except_people": ["A*"]}, False),
    ],
    ids=str,
)
def test_conditions_on_groups_and_names(conditions: dict[str, Any], out: bool):
    assert done(planned(400, **conditions)) == (OUT if out else [])


def test_a_group_that_was_taken_still_counts_as_a_condition():
    rules = policy(groups={"always": ["stash-users"]}, inactive={"after_days": 180, "groups": ["stash-users"]})
    there = target([account("ann", last_login=ago(400))], {"stash-users": []}, permissions=ENTRY)
    assert plan_of(source(["ann"]), there, linked("inactive"), rules).empty


def test_a_group_that_the_source_would_give_counts_as_an_exception():
    rules = policy(groups={"always": ["stash-users"]}, inactive={"after_days": 180, "except_groups": ["vips"]})
    there = target([account("ann", last_login=ago(400))], {"stash-users": [], "vips": []}, permissions=ENTRY)
    plan = plan_of(source(["ann"], {"vips": ["ann"]}), there, linked("inactive"), rules)
    assert outcome(plan, "ann")[0] == "reactivated"


@pytest.mark.parametrize(
    ("login", "groups", "row", "rules"),
    [
        (1, (), None, {}),
        (400, ("stash-users",), None, {}),
        (400, (), account("ann", permission="LICENSED_USER"), {}),
        (400, (), None, {"except_people": ["ann"]}),
        (400, ("vips",), None, {"except_groups": ["vips"]}),
        (400, (), None, {"after_days": 500}),
        (400, (), None, {"after_days": None}),
    ],
    ids=["login", "group by hand", "grant by hand", "named", "group of an exception", "longer", "switched off"],
)
def test_how_the_inactive_come_back(
    login: float, groups: tuple[str, ...], row: dict[str, Any] | None, rules: dict[str, Any]
):
    plan = planned(login, linked("inactive"), within=groups, row=row, **rules)
    assert [kind for kind, *_ in done(plan) if kind != "remove_membership"] in (BACK, BACK[:1])
    assert outcome(plan, "ann")[0] == "reactivated"
    assert plan.operations["reason"][0] == "not inactive any more"


def test_a_returner_is_not_shut_out_for_the_time_of_their_absence():
    for state in ("access_removed", "anonymised"):
        assert [kind for kind, *_ in done(planned(900, linked(state), within=()))] == BACK


def test_who_was_inactive_and_leaves_is_a_leaver_from_then_on_and_comes_back_as_a_returner():
    there = target(["ann"], {"stash-users": []}, permissions=ENTRY)
    plan = plan_of(source(), there, linked("inactive"), policy(inactive={"after_days": 180}))
    assert done(plan) == [("leave", "ann", None)]
    assert json.loads(plan.operations["after"][0]) == {"state": "access_removed"}


def test_who_does_not_log_in_is_anonymised_where_the_sync_file_says_so_and_stays_so():
    plan = planned(400, method="anonymise")
    assert [kind for kind, *_ in done(plan)] == ["remove_access", "anonymise"]
    assert json.loads(plan.operations["after"][1])["state"] == "inactive"
    name = "user-id of ann"
    nameless = account(name, f"{name}@user.invalid", name, account_id="id of ann", last_login=ago(400))
    there = target([nameless], {"stash-users": []}, permissions=ENTRY)
    rules = policy(groups={"always": ["stash-users"]}, inactive={"after_days": 180, "method": "anonymise"})
    assert plan_of(source(["ann"]), there, linked("inactive"), rules).empty


def test_an_incomplete_read_shuts_nobody_out():
    there = target([account("ann", last_login=ago(400))], {"stash-users": ["ann"]}, permissions=ENTRY)
    rules = policy(groups={"always": ["stash-users"]}, inactive={"after_days": 180})
    plan = plan_of(source(["ann"], findings=["page 3 never came"]), there, linked(), rules)
    assert plan.empty
    assert plan.header.withheld == {"remove_access": 1}
