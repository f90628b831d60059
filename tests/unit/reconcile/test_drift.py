"""Every operation is told apart: the source changed, the sync file changed, or the target was changed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from directory.snapshot import SourceSnapshot, TargetSnapshot
from reconcile.diff import Present
from reconcile.drift import origins
from reconcile.policy import Policy
from reconcile.select import select
from tests.builders import account, link, person, plan_of, policy, present, source, target

LINKED = present(["ann", "bob"], managed_groups=["dev", "ops"])


def due(
    then: SourceSnapshot,
    now: SourceSnapshot,
    there: TargetSnapshot,
    known: Present = LINKED,
    rules: Policy | None = None,
    old_rules: Policy | None = None,
) -> list[tuple[Any, ...]]:
    """(kind, username, group, origin) of every operation."""
    rules = rules or policy()
    old_rules = old_rules or rules
    plan = plan_of(now, there, known, rules)
    by_new = None if rules == old_rules else select(then, rules)
    told = origins(plan.operations, select(now, rules), select(then, old_rules), by_new, known.links)
    assert told["seq"].to_list() == plan.operations["seq"].to_list()
    return plan.operations.join(told, on="seq").select("kind", "username", "group", "origin").rows()


def test_a_membership_that_was_taken_away_by_hand_is_drift_and_a_new_one_is_not():
    then = source(["ann", "bob"], {"dev": ["ann"], "ops": []})
    now = source(["ann", "bob"], {"dev": ["ann", "bob"], "ops": []})
    assert due(then, now, target(["ann", "bob"], {"dev": [], "ops": []})) == [
        ("add_membership", "ann", "dev", "drift"),
        ("add_membership", "bob", "dev", "source"),
    ]


def test_a_membership_that_was_given_by_hand_is_drift_and_one_that_the_source_took_is_not():
    then = source(["ann", "bob"], {"dev": ["ann"]})
    now = source(["ann", "bob"], {"dev": []})
    assert due(then, now, target(["ann", "bob"], {"dev": ["ann", "bob"]})) == [
        ("remove_membership", "ann", "dev", "source"),
        ("remove_membership", "bob", "dev", "drift"),
    ]


def test_members_of_a_group_that_vanished_before_were_put_back_by_hand():
    nobody = source(["ann", "bob"])
    assert due(nobody, nobody, target(["ann", "bob"], {"dev": ["ann"]})) == [
        ("remove_membership", "ann", "dev", "drift")
    ]


def test_members_of_a_group_that_the_source_has_only_now_are_no_drift():
    now = source(["ann", "bob"], {"new": ["ann"]})
    assert due(source(["ann", "bob"]), now, target(["ann", "bob"], {"new": ["bob"]})) == [
        ("add_membership", "ann", "new", "source"),
        ("remove_membership", "bob", "new", "source"),
    ]


def test_details_and_names_changed_by_hand_are_drift():
    then = source(["ann", "bob"])
    now = source(["ann", person("bob", email="new@x")])
    there = target([account("ann", "other@x"), account("bob", display_name="Robert")])
    assert due(then, now, there) == [("update", "ann", None, "drift"), ("update", "bob", None, "source")]
    renamed = target([account("annie", account_id="id of ann"), "bob"])
    assert due(then, then, renamed) == [("rename", "annie", None, "drift"), ("update", "ann", None, "drift")]


def test_an_account_that_was_deleted_by_hand_is_made_again_because_of_drift():
    then = source(["ann", "bob"])
    now = source(["ann", "bob", "cem"])
    assert due(then, now, target(["bob"])) == [
        ("create", "ann", None, "drift"),
        ("create", "cem", None, "source"),
    ]


def test_access_given_back_to_a_leaver_by_hand_is_drift_and_a_new_leaver_is_not():
    then, now = source(["ann"]), source()
    known = present([link("ann"), link("bob", state="access_removed")])
    there = target(["ann", "bob"], {"stash": ["ann", "bob"]}, permissions={"stash": "LICENSED_USER"})
    assert due(then, now, there, known) == [
        ("remove_access", "ann", None, "source"),
        ("remove_access", "bob", None, "drift"),
    ]


def test_a_stage_that_is_due_is_no_drift():
    nobody = source()
    known = present([link("ann", state="left")])
    there = target(["ann"], {"stash": ["ann"]}, permissions={"stash": "LICENSED_USER"})
    assert due(nobody, nobody, there, known)[-1] == ("remove_access", "ann", None, "source")


def test_a_group_that_was_deleted_by_hand_is_made_again_because_of_drift():
    then = source(["ann", "bob"], {"dev": ["ann"]})
    now = source(["ann", "bob"], {"dev": ["ann"], "qa": ["ann"]})
    assert due(then, now, target(["ann", "bob"])) == [
        ("create_group", None, "dev", "drift"),
        ("create_group", None, "qa", "source"),
        ("add_membership", "ann", "dev", "drift"),
        ("add_membership", "ann", "qa", "source"),
    ]


@pytest.mark.parametrize(
    ("rules", "there", "expected"),
    [
        pytest.param(
            {"groups": {"always": ["stash"]}},
            target(["ann", "bob"], {"dev": ["ann"], "stash": ["ann"]}),
            [("add_membership", "bob", "stash", "rules")],
            id="a-group-given-to-everybody-now",
        ),
        pytest.param(
            {"groups": {"assign": [], "orphaned": "remove"}},
            target(["ann", "bob"], {"dev": ["ann"]}),
            [("remove_membership", "ann", "dev", "rules")],
            id="a-group-not-assigned-any-more",
        ),
        pytest.param(
            {"attributes": {"display_name": "upper(display_name)"}},
            target(["ann", "bob"], {"dev": ["ann"]}),
            [("update", "ann", None, "rules"), ("update", "bob", None, "rules")],
            id="another-expression",
        ),
        pytest.param(
            {"people": {"exclude": "username = 'ann'"}},
            target(["ann", "bob"], {"dev": ["ann"]}),
            [("remove_access", "ann", None, "rules")],
            id="a-filter-that-leaves-somebody-out",
        ),
    ],
)
def test_what_the_sync_file_changed_is_told_apart(
    rules: dict[str, Any], there: TargetSnapshot, expected: list[tuple[Any, ...]]
):
    same = source(["ann", "bob"], {"dev": ["ann"]})
    assert due(same, same, there, rules=policy(**rules), old_rules=policy()) == expected
