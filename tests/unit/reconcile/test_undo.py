"""Taking back what a plan did: what is restored, what is left as it is, and what is said of it."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings

from reconcile.diff import Present
from reconcile.plan import Plan
from reconcile.policy import Policy
from reconcile.undo_plan import undo
from tests.builders import (
    NAMES,
    account,
    done,
    held_for,
    link,
    outcome,
    person,
    plan_of,
    policy,
    present,
    source,
    target,
)
from tests.model_target import Ledger, Model, carry_out
from tests.unit.reconcile.worlds import World, worlds

ENTRY = {"stash-users": "LICENSED_USER"}


class Stage:
    """A target and a ledger that a plan was carried out on."""

    def __init__(self, wanted: Any, there: Any, remembered: Present | None = None, rules: Policy | None = None) -> None:
        self.rules = rules or policy()
        remembered = remembered or present()
        self.model, self.ledger = Model.of(there), Ledger.of(remembered)
        self.before = self.model.copy()
        self.plan = plan_of(wanted, there, remembered, self.rules)
        carry_out(self.plan, self.model, self.ledger)
        self._read()

    def _read(self) -> None:
        """Note the ids of accounts that were created, as the next run does."""
        for row in self.ledger.links.values():
            if row[0] is None and any(
                one["username"].lower() == row[1].lower() for one in self.model.accounts.values()
            ):
                row[0] = self.model.named(row[1])["account_id"]

    def undo(self) -> Plan:
        return undo(
            self.plan.operations, self.model.snapshot(), self.ledger.present(), self.rules, NAMES, run_id="run-1"
        )

    def take_back(self) -> Plan:
        plan = self.undo()
        carry_out(plan, self.model, self.ledger)
        return plan


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(worlds())
def test_a_plan_and_its_undo_leave_every_account_as_it_was(world: World) -> None:
    # No account has two people: a ledger says so of none.
    assume(not world.present.links["username"].is_duplicated().any())
    stage = Stage(world.source, world.target, world.present, world.policy)
    before, model = stage.before, stage.model
    linked = {who: row[0] for who, row in Ledger.of(world.present).links.items()}
    back = stage.take_back()

    assert back.header.undoes == "run-1"
    said = dict(back.verdicts.select("external_id", "reason").iter_rows())
    deleted = set(stage.plan.operations.filter(pl.col("kind").is_in(["delete", "anonymise"]))["account_id"])
    owners = dict(stage.plan.operations.drop_nulls("account_id").select("account_id", "external_id").iter_rows())
    for number, row in before.accounts.items():
        if number in deleted:
            continue
        now = model.accounts[number]
        # A name that a created account has by now cannot be given back, and Bitbucket blanks no display name.
        unnamed = "was not undone: the username" in (said.get(owners.get(number)) or "")
        kept = {"username"} if unnamed else set()
        kept |= {"display_name"} if row["display_name"] is None else set()
        assert {**row, **dict.fromkeys(kept)} == {**now, **dict.fromkeys(kept)}
        assert model.groups_of(number) == before.groups_of(number)
    for number, row in model.accounts.items():
        if number not in before.accounts:
            assert row["permission"] is None
            assert model.groups_of(number) == set()
    kinds = stage.plan.operations.select("external_id", "kind").rows()
    for who, number in linked.items():
        if number in before.accounts and not {(who, "adopt"), (who, "create"), (who, "delete"), (who, "erase")} & set(
            kinds
        ):
            assert stage.ledger.links[who][0] == number
    for who in {who for who, kind in kinds if kind == "adopt"}:
        assert who not in stage.ledger.links
    assert stage.undo().empty, stage.undo().operations


def test_every_kind_is_taken_back_in_an_order_that_works() -> None:
    people = [
        person("1", "lee", "new@example.com", "Lee"),
        person("2", "ann", "bob@example.com", "Bob"),
        person("3", "cem"),
    ]
    there = target(
        ["ann", "bob", "cem", account("dora", permission="ADMIN")],
        {"dev": ["ann"], "stash-users": ["ann", "dora"]},
        permissions=ENTRY,
    )
    wanted = source(people, {"dev": ["2", "3"], "stash-users": ["1", "2", "3"]})
    stage = Stage(wanted, there, present([link("1", "ann"), link("2", "bob"), link("4", "dora")]))
    plan = stage.take_back()
    assert done(plan) == [
        ("rename", "ann", None),
        ("rename", "lee", None),
        ("update", "ann", None),
        ("restore_access", "dora", None),
        ("add_membership", "ann", "dev"),
        ("remove_membership", "bob", "dev"),
        ("remove_membership", "bob", "stash-users"),
        ("remove_membership", "cem", "dev"),
        ("remove_membership", "cem", "stash-users"),
        ("release", "cem", None),
    ]
    assert stage.model.accounts == stage.before.accounts
    assert stage.model.members == stage.before.members
    assert plan.header.not_undone == ()
    assert plan.header.outcomes == {"reactivated": 1, "renamed": 2, "updated": 1}


def test_a_created_account_stays_without_access() -> None:
    wanted = source(["ann"], {"dev": ["ann"], "stash-users": ["ann"]})
    stage = Stage(wanted, target(["bob"], {"stash-users": []}, permissions=ENTRY))
    plan = stage.take_back()
    assert done(plan) == [("remove_access", "ann", None)]
    assert json.loads(plan.operations["before"][0]) == {"groups": ["dev", "stash-users"], "permission": None}
    assert stage.ledger.links["ann"][2] == "access_removed"
    assert plan.header.not_undone == (
        "create group (dev): groups are never deleted; it stays, with who is in it by then",
    )


def test_a_created_account_is_deleted_where_the_sync_file_deletes_leavers() -> None:
    stage = Stage(source(["ann"]), target(["bob"]), rules=policy(leavers={"method": "delete"}))
    assert done(stage.take_back()) == [("delete", "ann", None)]
    assert "ann" not in stage.ledger.links


def test_a_deletion_cannot_be_taken_back_and_that_is_said() -> None:
    stage = Stage(source(), target(["ann"]), present(["ann"]), policy(leavers={"method": "delete"}))
    plan = stage.undo()
    assert plan.empty
    assert plan.header.not_undone == ("delete account (ann): a deleted account cannot be brought back",)
    assert outcome(plan, "ann") == (
        "conflict",
        "delete account was not undone: a deleted account cannot be brought back",
    )


def test_a_swap_is_swapped_back_over_a_temporary_name() -> None:
    people = [person("1", "bob", "ann@example.com", "Ann"), person("2", "ann", "bob@example.com", "Bob")]
    stage = Stage(source(people), target(["ann", "bob"]), present([link("1", "ann"), link("2", "bob")]))
    plan = stage.take_back()
    assert plan.header.counts == {"rename": 2, "set_aside": 1}
    assert stage.model.accounts == stage.before.accounts


def test_a_name_that_somebody_else_has_by_now_is_not_given_back() -> None:
    stage = Stage(source([person("1", "lee", "ann@example.com", "Ann")]), target(["ann"]), present([link("1", "ann")]))
    stage.model.accounts["9"] = account("ann", account_id="9")
    plan = stage.undo()
    assert plan.empty
    assert "rename was not undone: the username ann is taken in the target by a local account" in outcome(plan, "1")[1]


def test_what_was_changed_since_is_left_as_it_is_and_told() -> None:
    people = [person("1", "lee", "new@example.com", "New")]
    wanted = source(people, {"dev": ["1"]})
    stage = Stage(
        wanted, target(["ann"], {"dev": [], "ops": ["ann"]}), present([link("1", "ann")], managed_groups=["ops"])
    )
    row = stage.model.named("lee")
    row.update(username="lee-by-hand", email="by-hand@example.com")
    del stage.model.groups["ops"]
    plan = stage.undo()
    assert done(plan) == [("remove_membership", "lee-by-hand", "dev")]
    assert plan.header.not_undone == (
        "remove from group (lee): the group ops is gone",
        "rename (ann): the account is called lee-by-hand now",
        "update details (lee): its name or e-mail address was changed since",
    )


def test_an_address_comes_back_where_the_account_has_no_display_name() -> None:
    there = target([account("ann", display_name=None)])
    stage = Stage(source([person("ann", email="new@example.com", display_name=None)]), there, present(["ann"]))
    assert stage.take_back().header.not_undone == ()
    assert stage.model.named("ann")["email"] == "ann@example.com"


def test_what_was_taken_back_by_hand_needs_nothing() -> None:
    stage = Stage(source(["ann"], {"dev": ["ann"]}), target(["ann"], {"dev": []}), present(["ann"]))
    stage.model.members.clear()
    plan = stage.undo()
    assert plan.empty
    assert plan.header.not_undone == ()


def test_an_account_that_belongs_to_another_person_now_is_not_touched() -> None:
    stage = Stage(source(["ann"], {"dev": ["ann"]}), target(["ann"], {"dev": []}), present(["ann"]))
    stage.ledger.links = {"other": ["id of ann", "ann", "active"]}
    assert stage.undo().header.not_undone == ("add to group (ann): the account belongs to another person now (other)",)


def test_a_protected_account_is_not_touched() -> None:
    stage = Stage(source(["ann"], {"dev": ["ann"]}), target(["ann"], {"dev": []}), present(["ann"]))
    stage.rules = policy(people={"protect": ["ann"]})
    assert stage.undo().empty
    assert "protected" in stage.undo().header.not_undone[0]


def test_access_that_was_given_back_is_taken_again_and_remembered() -> None:
    there = target(["ann"], {"local": [], "stash-users": []}, permissions={**ENTRY, "local": "LICENSED_USER"})
    remembered = present(
        [link("ann", state="access_removed")], [("ann", "group", "local"), ("ann", "permission", "ADMIN")]
    )
    stage = Stage(source(["ann"]), there, remembered)
    assert stage.ledger.memories == set()
    plan = stage.take_back()
    assert json.loads(plan.operations["before"][0]) == {"groups": ["local"], "permission": "ADMIN"}
    assert stage.ledger.memories == set(remembered.memories.iter_rows())
    assert stage.ledger.links["ann"][2] == "access_removed"


def test_a_grant_that_somebody_gave_since_is_neither_taken_nor_overwritten() -> None:
    there = target([account("ann", permission="LICENSED_USER")])
    stage = Stage(source(), there, present(["ann"]))
    stage.model.named("ann")["permission"] = "ADMIN"
    plan = stage.take_back()
    assert stage.model.named("ann")["permission"] == "ADMIN"
    assert plan.header.not_undone == ("remove access (ann): it was granted ADMIN since",)


@pytest.mark.parametrize("limit", ["deactivations", "memberships_removed", "administrators_made"])
def test_the_guard_holds_an_undo_as_it_holds_any_plan(limit: str) -> None:
    people = [f"p{number}" for number in range(20)]
    there = target([account("root", permission="ADMIN")], {"stash-users": []}, permissions=ENTRY)
    wanted = source(people, {"stash-users": people})
    stage = Stage(wanted, there, present(["root"]))
    stage.rules = Policy.model_validate({"guard": {limit: {"count": 0}}})
    assert limit in held_for(stage.undo())


def test_the_same_undo_is_the_same_plan() -> None:
    stage = Stage(source(["ann"], {"dev": ["ann"]}), target(["ann"], {"dev": []}), present(["ann"]))
    assert stage.undo().id == stage.undo().id
