"""Two sync files on the same snapshots: who would gain or lose what."""

from __future__ import annotations

from typing import Any

from reconcile.whatif import ACCESS, GROUPS, OTHERS, Difference, compare_plans
from tests.builders import person, plan_of, policy, present, source, target

SOURCE = source(
    [person("ann", kind="staff"), person("bob", kind="ext"), person("cem", kind="ext"), person("dan", kind="staff")],
    {"dev": ["ann", "bob"], "ops": ["ann", "cem"]},
)
TARGET = target(
    ["ann", "bob", "cem"],
    {"dev": ["ann", "bob"], "ops": ["ann", "cem"], "stash-users": ["ann", "bob", "cem"]},
    permissions={"stash-users": "LICENSED_USER"},
)
KNOWN = present(["ann", "bob", "cem"], managed_groups=["dev", "ops"])


def difference(old: dict[str, Any], new: dict[str, Any]) -> Difference:
    before, after = (plan_of(SOURCE, TARGET, KNOWN, policy(**rules)) for rules in (old, new))
    return compare_plans(before, after)


def test_the_same_rules_make_no_difference():
    found = difference({}, {})
    assert found.nothing
    assert found.gain.schema == ACCESS
    assert found.enter.schema == GROUPS
    assert found.others.schema == OTHERS


def test_a_filter_names_who_would_lose_access_and_why():
    found = difference({}, {"people": {"exclude": "kind = 'ext'"}})
    assert found.lose.rows() == [
        ("bob", "bob", "unchanged", "access_removed", "met: people.exclude, kind = 'ext'"),
        ("cem", "cem", "unchanged", "access_removed", "met: people.exclude, kind = 'ext'"),
    ]
    assert found.gain.height == 0
    assert found.leave.select("username", "group").rows() == [("bob", "dev"), ("cem", "ops")]


def test_the_other_way_round_they_gain_it():
    found = difference({"people": {"exclude": "kind = 'staff'"}}, {})
    assert found.gain.select("username", "before", "after").rows() == [
        ("ann", "access_removed", "unchanged"),
        ("dan", "filtered", "created"),
    ]
    assert found.enter.rows() == [("ann", "ann", "dev", "dev"), ("ann", "ann", "ops", "ops")]


def test_memberships_that_come_and_go_are_told_apart_from_access():
    found = difference({"groups": {"ignore": ["dev"], "orphaned": "remove"}}, {"groups": {"ignore": ["ops"]}})
    assert (found.gain.height, found.lose.height) == (0, 0)
    assert found.enter.select("username", "group", "reason").rows() == [("ann", "dev", "dev"), ("bob", "dev", "dev")]
    assert found.leave.select("username", "group").rows() == [("ann", "ops"), ("cem", "ops")]


def test_renames_and_other_details_are_told_too():
    found = difference(
        {}, {"attributes": {"username": "concat(username, '-x')"}, "people": {"include": "username != 'dan'"}}
    )
    assert found.others.select("kind", "username").rows() == [("rename", "ann"), ("rename", "bob"), ("rename", "cem")]
    assert found.lose.select("username", "after").rows() == [("dan-x", "filtered")]
