"""What every plan must do, on random small worlds, judged by a model of Bitbucket."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fnmatch import fnmatch
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory.snapshot import Completeness
from reconcile.plan import REMOVING, Plan
from tests.builders import plan_of
from tests.model_target import Ledger, Model, carry_out
from tests.unit.reconcile.test_cover import maximum_matching
from tests.unit.reconcile.worlds import World, worlds

SYNCED = {"created", "updated", "renamed", "reactivated", "unchanged"}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_a_plan_carried_out_makes_the_target_what_the_source_says_and_the_next_is_empty(world: World) -> None:
    model, ledger = Model.of(world.target), Ledger.of(world.present)
    before = model.copy()
    plan = plan_of(world.source, world.target, world.present, world.policy)

    carry_out(plan, model, ledger)

    assert model.calls == _fewest_calls(plan)
    for external_id, expected in _expected(world).items():
        if _outcomes(plan).get(external_id) in SYNCED:
            _assert_synced(world, plan, external_id, expected, before, model, ledger)
    _assert_untouched(world, before, model, ledger)
    _assert_leavers_out(world, before, model, ledger)

    following = plan_of(world.source, model.snapshot(), ledger.present(), world.policy)
    assert following.empty, following.operations


@settings(max_examples=settings().max_examples // 3, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(world: World, random: Any) -> None:
    def mixed(frame: pl.DataFrame) -> pl.DataFrame:
        order = list(range(frame.height))
        random.shuffle(order)
        return frame[order]

    source = replace(
        world.source,
        people=mixed(world.source.people),
        groups=mixed(world.source.groups),
        memberships=mixed(world.source.memberships),
    )
    target = replace(
        world.target,
        accounts=mixed(world.target.accounts),
        groups=mixed(world.target.groups),
        memberships=mixed(world.target.memberships),
    )
    present = replace(world.present, links=mixed(world.present.links), memories=mixed(world.present.memories))
    one = plan_of(world.source, world.target, world.present, world.policy)
    other = plan_of(source, target, present, world.policy)
    assert one.operations.equals(other.operations)
    assert one.id == other.id
    assert one.verdicts.drop("grants").equals(other.verdicts.drop("grants"))


@settings(max_examples=settings().max_examples // 3, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_an_incomplete_read_removes_nothing_and_adds_the_same(world: World) -> None:
    complete = plan_of(world.source, world.target, world.present, world.policy)
    source = replace(world.source, completeness=Completeness(("page 3 never came",)))
    partial = plan_of(source, world.target, world.present, world.policy)

    assert not set(partial.operations["kind"]) & REMOVING
    adding = complete.operations.filter(~pl.col("kind").is_in(REMOVING)).drop("seq")
    if "delete" in complete.header.counts and partial.header.outcomes.get("conflict"):
        # Whoever waits for the name of an account that is not deleted waits on, and so does who waits for theirs.
        assert _wishes(partial) <= _wishes(complete)
        return
    assert partial.operations.drop("seq").equals(adding)
    assert partial.header.withheld == {
        kind: count for kind, count in complete.header.counts.items() if kind in REMOVING
    }
    leavers = complete.operations.filter(pl.col("kind").is_in(["remove_access", "delete"]))["external_id"]
    assert {_outcomes(partial)[external_id] for external_id in leavers} <= {"held"}


def _fewest_calls(plan: Plan) -> int:
    """One call for each account or group that is made or changed, one for each grant or group of a leaver, and as many
    for memberships as the largest matching of accounts and groups has pairs."""
    calls = 0
    edges = []
    for row in plan.operations.iter_rows(named=True):
        match row["kind"]:
            case "add_membership":
                edges.append((row["username"], row["group"]))
            case "remove_access":
                taken = json.loads(row["before"])
                calls += len(taken["groups"]) + bool(taken["permission"])
            case "restore_access":
                restored = json.loads(row["after"])
                calls += bool(restored["groups"]) + bool(restored["permission"])
            case kind:
                calls += kind != "adopt"
    return calls + maximum_matching(edges)


def _wishes(plan: Plan) -> set[tuple[str, str | None, str | None]]:
    kinds = ["adopt", "rename", "create", "create_group"]
    return set(plan.operations.filter(pl.col("kind").is_in(kinds)).select("kind", "external_id", "group").iter_rows())


def _outcomes(plan: Plan) -> dict[str, str]:
    return dict(plan.verdicts.select("external_id", "outcome").iter_rows())


def _expected(world: World) -> dict[str, dict[str, Any]]:
    """Everybody who is selected and active, and the folded names of the target groups that they should be in."""
    people = {row["external_id"]: row for row in world.source.people.iter_rows(named=True)}
    inside = {name: _reached(world.nested, name) for name in _names(world)}
    members = {
        name: {who for inner in inners for who in world.groups.get(inner, ())} for name, inners in inside.items()
    }
    required = {name.lower() for name in world.policy.people.required_groups}
    ignored = set(world.policy.groups.ignore)
    found = {}
    for external_id, row in people.items():
        mine = {name for name, inners in members.items() if external_id in inners}
        if row["active"] and (not required or required & {name.lower() for name in mine}):
            given_groups = {_called(world, name) for name in mine if name.lower() not in ignored}
            given_groups = {key for key in given_groups if not _is_local(world, key)}
            found[external_id] = {**row, "groups": given_groups | {name.lower() for name in world.policy.groups.always}}
    return found


def _called(world: World, name: str) -> str:
    """The folded name that a source group has in the target."""
    for rule in world.policy.groups.rename:
        if rule.exact and rule.exact.lower() == name.lower():
            return rule.to.lower()
        if rule.match and re.search(rule.match, name):
            return re.sub(rule.match, rule.to, name).lower()
    return name.lower()


def _is_local(world: World, key: str) -> bool:
    return any(fnmatch(key, pattern.lower()) for pattern in world.policy.groups.local)


def _names(world: World) -> set[str]:
    return {*world.groups, *world.nested, *(inner for inners in world.nested.values() for inner in inners)}


def _reached(nested: dict[str, list[str]], start: str) -> set[str]:
    seen, todo = {start}, [start]
    while todo:
        for inner in nested.get(todo.pop(), ()):
            if inner not in seen:
                seen.add(inner)
                todo.append(inner)
    return seen


def _given_now(world: World) -> set[str]:
    keys = {_called(world, name) for name in _names(world) if name.lower() not in world.policy.groups.ignore}
    return {key for key in keys if not _is_local(world, key)} | {name.lower() for name in world.policy.groups.always}


def _given_before(world: World) -> set[str]:
    """Groups that the sync assigned, assigns no more, and the target has."""
    there = {name.lower() for name in world.target.groups["name"]}
    before = {name.lower() for name in world.present.managed_groups} & there
    return {key for key in before - _given_now(world) if not _is_local(world, key)}


def _assigned(world: World) -> set[str]:
    return _given_now(world) | _given_before(world)


def _removable(world: World) -> set[str]:
    rules = world.policy.groups
    if rules.remove_from is not None:
        return {name.lower() for name in rules.remove_from if not _is_local(world, name.lower())}
    orphaned = _given_before(world) & {name.lower() for name in _names(world)}
    vanished = _given_before(world) - orphaned
    emptied = vanished if rules.vanished == "empty" else set()
    return _given_now(world) | emptied | (orphaned if rules.orphaned == "remove" else set())


def _account(model: Model, ledger: Ledger, external_id: str) -> dict[str, Any]:
    number, name, _ = ledger.links[external_id]
    return model.named(name) if number is None else model.accounts[number]


def _assert_synced(
    world: World,
    plan: Plan,
    external_id: str,
    expected: dict[str, Any],
    before: Model,
    model: Model,
    ledger: Ledger,
) -> None:
    row = _account(model, ledger, external_id)
    number = row["account_id"]
    if row["mutable_details"]:
        assert row["username"].lower() == expected["username"].lower()
        assert expected["email"] in (None, row["email"])
        assert expected["display_name"] in (None, row["display_name"])
    else:
        # Access is nothing of the details: a returner is given back what was taken from them.
        grants = world.present.memories.filter(external_id=external_id, kind="permission")["name"].to_list()
        kept = before.accounts[number]
        assert row in (kept, *({**kept, "permission": permission} for permission in grants))
    had, has = before.groups_of(number), model.groups_of(number)
    if not row["mutable_groups"]:
        assert has == had
        return
    giveable = model.groups.keys() if world.policy.groups.create else before.groups.keys()
    assert expected["groups"] & giveable <= has
    assert has & _removable(world) <= expected["groups"] | (has - _assigned(world) - had)
    lost = had - has
    assert lost <= _removable(world) - expected["groups"]
    gained = has - had - expected["groups"]
    memories = world.present.memories.filter(external_id=external_id, kind="group")["name"].str.to_lowercase()
    assert gained <= set(memories) - _given_now(world) - _removable(world)
    if gained:
        assert _outcomes(plan)[external_id] == "reactivated" or "rename" in set(plan.operations["kind"])


def _assert_untouched(world: World, before: Model, model: Model, ledger: Ledger) -> None:
    """Protected accounts, the principal, and accounts that nobody was or is linked to."""
    ours = {number for number, *_ in world.present.links.select("account_id").iter_rows()}
    by_name = set(world.present.links["username"])
    ours |= {row["account_id"] for row in before.accounts.values() if row["username"] in by_name}
    ours |= {number for number, *_ in ledger.links.values()}
    shielded = {"usersync"} | ({"root"} if world.policy.people.protect else set())
    for number, row in before.accounts.items():
        if number not in ours or row["username"] in shielded:
            assert model.accounts[number] == row
            assert model.groups_of(number) == before.groups_of(number)
    made = [row["username"] for number, row in model.accounts.items() if number not in before.accounts]
    assert not shielded & set(made)


def _assert_leavers_out(world: World, before: Model, model: Model, ledger: Ledger) -> None:
    wanted = _expected(world)
    for external_id in set(ledger.links) - set(wanted):
        number = ledger.links[external_id][0]
        row = model.accounts.get(number)
        protected = {"usersync", "root"} if world.policy.people.protect else {"usersync"}
        others = [who for who, other in ledger.links.items() if other[0] == number and who != external_id]
        if row is None or row["username"] in protected or others:
            continue
        if world.policy.leavers.method == "keep":
            assert row == before.accounts[number]
        elif row["mutable_groups"]:
            assert row["permission"] is None
            assert not model.groups_of(number) & set(model.grants)
            assert not model.groups_of(number) & _removable(world)
