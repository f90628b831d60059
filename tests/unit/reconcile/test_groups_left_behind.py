"""What becomes of a group that the sync assigned and assigns no more, and of who is in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from directory.snapshot import SourceSnapshot
from reconcile.diff import Present
from reconcile.explain import left_behind, markdown
from reconcile.ownership import FEEDS
from reconcile.plan import LeftBehind, Plan
from tests.builders import done, group_id, link, operations, plan_of, policy, present, source, target

Fed = list[tuple[str, str | None, str | None]]
THERE = target(["ann", "bob", "local"], {"dev": ["ann", "bob", "local"]})
FED_BY_DEV: Fed = [("dev", group_id("Development"), "Development")]


def remembering(feeds: Fed) -> Present:
    known = present(["ann", "bob"], managed_groups=["dev"])
    return replace(known, feeds=pl.DataFrame(feeds, schema=FEEDS, orient="row"))


def planned(wanted: SourceSnapshot, feeds: Fed, **groups: Any) -> Plan:
    return plan_of(wanted, THERE, remembering(feeds), policy(groups=groups))


def test_a_vanished_group_loses_its_managed_members():
    plan = planned(source(["ann", "bob"]), FED_BY_DEV)
    gone = "the source has no such group any more"
    assert operations(plan) == [
        ("remove_membership", "ann", "dev", gone),
        ("remove_membership", "bob", "dev", gone),
    ]
    assert plan.header.left_behind == ()


def test_a_vanished_group_keeps_its_members_where_the_sync_file_says_so_and_shows_them():
    plan = planned(source(["ann", "bob"]), FED_BY_DEV, vanished="keep")
    assert plan.empty
    assert plan.header.left_behind == (LeftBehind(group="dev", why="vanished", accounts=2, samples=("ann", "bob")),)
    assert plan.header.managed_groups == ("dev",)


def test_a_mapping_taken_out_of_the_sync_file_leaves_its_people_in_the_group_and_shows_them():
    wanted = source(["ann", "bob"], {"Development": ["ann"]})
    plan = planned(wanted, FED_BY_DEV, assign=["other"])
    assert plan.empty
    assert plan.header.left_behind == (LeftBehind(group="dev", why="orphaned", accounts=2, samples=("ann", "bob")),)


def test_a_mapping_taken_out_of_the_sync_file_is_cleaned_up_on_request():
    wanted = source(["ann", "bob"], {"Development": ["ann"]})
    plan = planned(wanted, FED_BY_DEV, assign=["other"], orphaned="remove")
    taken_out = "the sync file does not assign this group any more"
    assert operations(plan) == [
        ("remove_membership", "ann", "dev", taken_out),
        ("remove_membership", "bob", "dev", taken_out),
    ]


def test_a_changed_rename_rule_leaves_people_in_the_group_of_the_old_name():
    wanted = source(["ann", "bob"], {"Development": ["ann", "bob"]})
    plan = planned(wanted, FED_BY_DEV, rename=[{"exact": "Development", "to": "devs"}])
    assert done(plan) == [
        ("create_group", None, "devs"),
        ("add_membership", "ann", "devs"),
        ("add_membership", "bob", "devs"),
    ]
    assert [left.why for left in plan.header.left_behind] == ["orphaned"]


def test_a_group_renamed_in_the_source_moves_its_people():
    renamed = source(["ann"], {"Engineering": ["ann"]})
    feeds: Fed = [("dev", group_id("Engineering"), "Development")]
    assert done(planned(renamed, feeds)) == [
        ("create_group", None, "Engineering"),
        ("remove_access", "bob", None),
        ("add_membership", "ann", "Engineering"),
        ("remove_membership", "ann", "dev"),
    ]


def test_a_group_that_everybody_got_is_orphaned_when_it_is_always_given_no_more():
    plan = planned(source(["ann", "bob"]), [("dev", None, None)])
    assert plan.empty
    assert [left.why for left in plan.header.left_behind] == ["orphaned"]


@pytest.mark.parametrize(("name", "why"), [("DEV", "orphaned"), ("other", "vanished")], ids=["there", "gone"])
def test_without_a_memory_of_what_fed_a_group_the_source_group_of_its_name_tells(name: str, why: str):
    plan = planned(source(["ann"], {name: ["ann"]}), [], assign=["-"], vanished="keep")
    assert [left.why for left in plan.header.left_behind] == [why]


def test_remove_from_is_the_request_where_it_names_the_group():
    wanted = source(["ann", "bob"], {"Development": ["ann"]})
    plan = planned(wanted, FED_BY_DEV, assign=["other"], remove_from=["d*"])
    assert [row[:2] for row in operations(plan)] == [("remove_membership", "ann"), ("remove_membership", "bob")]


def test_a_group_that_is_local_from_now_on_is_none_of_the_syncs():
    plan = planned(source(["ann", "bob"]), FED_BY_DEV, local=["dev"])
    assert plan.empty
    assert plan.header.left_behind == ()
    assert plan.header.managed_groups == ()


def test_who_stays_behind_is_told_with_the_key_that_takes_them_out():
    plan = planned(source(["ann", "bob"], {"Development": ["ann"]}), FED_BY_DEV, assign=["other"])
    why = "the sync file does not assign it any more"
    said = f"dev: {why}, 2 stay in it (ann, bob); `groups.orphaned: remove` takes them out"
    assert left_behind(plan.header) == [said]
    assert f"- {said}" in markdown(plan, status="nothing to do", next_step="none")


@pytest.mark.parametrize("rules", [{"vanished": "keep"}, {"vanished": "empty"}], ids=["kept", "emptied"])
def test_a_returner_regains_the_access_of_a_group_that_those_who_stayed_keep(rules: dict[str, Any]):
    there = target(["ann", "bob"], {"dev": ["bob"]}, permissions={"dev": "LICENSED_USER"})
    known = present([link("ann", state="access_removed"), "bob"], [("ann", "group", "dev")], managed_groups=["dev"])
    plan = plan_of(source(["ann", "bob"]), there, known, policy(groups=rules))
    (restored,) = plan.operations.filter(pl.col("kind") == "restore_access")["after"]
    assert json.loads(restored)["groups"] == (["dev"] if rules["vanished"] == "keep" else [])
