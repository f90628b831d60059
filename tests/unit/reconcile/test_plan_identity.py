"""A plan's id: the same for the same decisions, another for any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reconcile.decide import Names, decide
from reconcile.plan import GRANTS, KINDS, OPERATIONS, VERDICTS
from tests.builders import NAMES, NOW, link, person, plan_of, policy, present, source, target

WANTED = source(["ann", "bob"], {"dev": ["ann", "bob"]})
THERE = target(["ann"], {"ops": ["ann"]})


def test_the_id_is_64_hexadecimal_digits_and_does_not_know_the_time():
    plan = plan_of(WANTED, THERE)
    later = replace(WANTED, read_at=NOW + timedelta(days=1), requests=99)
    assert len(plan.id) == 64
    assert int(plan.id, 16)
    assert plan_of(later, replace(THERE, read_at=NOW + timedelta(days=1))).id == plan.id


@pytest.mark.parametrize(
    ("wanted", "there", "rules"),
    [
        (source(["ann", "bob"], {"dev": ["ann"]}), THERE, policy()),
        (source(["ann", person("bob", email="b@x")], {"dev": ["ann", "bob"]}), THERE, policy()),
        (WANTED, target(["ann"], {"ops": ["ann"], "dev": []}), policy()),
        (WANTED, THERE, policy(people={"adopt": []})),
        (WANTED, THERE, policy(guard={"adoptions": {"count": 0}})),
    ],
    ids=["a membership", "an address", "a group", "an adoption", "a hold"],
)
def test_any_other_content_is_another_plan(wanted, there, rules):
    assert plan_of(wanted, there, rules=rules).id != plan_of(WANTED, THERE).id


def test_another_sync_or_target_is_another_plan():
    plan = plan_of(WANTED, THERE)
    for names in (
        Names("x", NAMES.source, NAMES.target),
        Names(NAMES.sync, "x", NAMES.target),
        Names(NAMES.sync, NAMES.source, "x"),
    ):
        assert decide(WANTED, THERE, present(), policy(), names).id != plan.id


def test_frames_have_their_schemas_and_operations_their_order():
    wanted = source([person("1", "lee"), "joe", "bea"], {"dev": ["1", "joe"], "new": ["joe"]})
    there = target(["ann", "bea", "lea"], {"dev": ["lea"], "ops": ["ann"]}, permissions={"dev": "LICENSED_USER"})
    plan = plan_of(wanted, there, present([link("1", "ann"), "lea"], managed_groups=["ops"]))
    assert dict(plan.operations.schema) == dict(OPERATIONS)
    assert dict(plan.verdicts.schema) == dict(VERDICTS)
    assert dict(plan.grants.schema) == dict(GRANTS)
    assert plan.operations["seq"].to_list() == list(range(plan.operations.height))
    order = [KINDS.index(kind) for kind in plan.operations["kind"]]
    assert order == sorted(order)
    assert plan.verdicts["external_id"].to_list() == ["1", "bea", "joe", "lea"]
    assert plan.header.counts == {
        "add_membership": 3, "adopt": 1, "create": 1, "create_group": 1,
        "remove_access": 1, "remove_membership": 1, "rename": 1, "update": 1,
    }  # fmt: skip
    assert plan.header.outcomes == {"access_removed": 1, "created": 1, "renamed": 1, "updated": 1}


def test_an_empty_plan_has_the_same_schemas():
    plan = plan_of(source(), target())
    assert dict(plan.operations.schema) == dict(OPERATIONS)
    assert dict(plan.verdicts.schema) == dict(VERDICTS)
    assert dict(plan.grants.schema) == dict(GRANTS)
