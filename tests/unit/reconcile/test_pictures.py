"""Whose picture is set or reset."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from reconcile.batch import batches
from reconcile.freshness import freshness
from reconcile.pictures import PICTURES, WEARERS, wearers, with_pictures
from reconcile.plan import Plan
from reconcile.policy import Guard, Limit
from tests.builders import (
    UNGUARDED,
    account,
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

A, B = "a" * 64, "b" * 64
LEFT = {"external_id": pl.String(), "because": pl.String()}


def dressed(
    plan: Plan,
    pictures: dict[str, tuple[str | None, str | None]],
    links: list[Any],
    there: Any,
    *,
    left: dict[str, str] | None = None,
    guard: Guard | None = None,
) -> Plan:
    rows = [(key, seen, given) for key, (seen, given) in pictures.items()]
    return with_pictures(
        plan,
        wearers(plan, present(links).links, there.accounts),
        pl.DataFrame(rows, schema=PICTURES, orient="row"),
        pl.DataFrame(list((left or {}).items()), schema=LEFT, orient="row"),
        guard or Guard(pictures_reset=Limit()),
    )


def of_ann(seen: str | None, given: str | None, **more: Any) -> Plan:
    there = target([account("ann")])
    plan = plan_of(source(["ann"], findings=more.pop("findings", ())), there, present(["ann"]))
    return dressed(plan, {"ann": (seen, given)}, ["ann"], there, **more)


def test_a_first_picture_is_set():
    plan = of_ann(A, None)
    assert operations(plan) == [("set_picture", "ann", None, "the source has a picture")]
    row = plan.operations.row(0, named=True)
    assert (row["seq"], row["before"], json.loads(row["after"])) == (0, None, {"digest": A})
    assert plan.header.counts == {"set_picture": 1}
    assert outcome(plan, "ann")[0] == "updated"
    assert plan.header.outcomes == {"updated": 1}


def test_the_same_picture_is_left_alone():
    plan = of_ann(A, A)
    assert plan.empty
    assert outcome(plan, "ann")[0] == "unchanged"


def test_another_picture_is_set_in_its_place():
    plan = of_ann(B, A)
    assert operations(plan, "set_picture") == [("ann", None, "the source has another picture")]
    assert json.loads(plan.operations["before"][0]) == {"digest": A}


def test_a_picture_that_is_gone_from_the_source_is_reset():
    plan = of_ann(None, A)
    assert operations(plan) == [("reset_picture", "ann", None, "the source has no picture any more")]
    assert plan.operations["after"][0] is None


def test_nothing_is_reset_where_the_sync_set_nothing():
    assert of_ann(None, None).empty


def test_an_incomplete_read_resets_nothing_and_says_so():
    plan = of_ann(None, A, findings=["a page is missing"])
    assert plan.empty
    assert plan.header.withheld == {"reset_picture": 1}
    assert operations(of_ann(B, A, findings=["a page is missing"]), "set_picture")


@pytest.mark.parametrize("seen", [None, B])
def test_a_picture_that_could_not_be_had_is_left_with_the_reason(seen: str | None):
    plan = of_ann(seen, A, left={"ann": "Graph was down"})
    assert plan.empty
    assert plan.header.pictures_left == 1
    assert "the picture is left as it is: Graph was down" in outcome(plan, "ann")[1]


def test_a_new_account_gets_its_picture_in_the_same_plan_after_all_else():
    there = target([account("admin")], {"dev": []})
    plan = plan_of(source(["ann"], {"dev": ["ann"]}), there)
    plan = dressed(plan, {"ann": (A, None)}, [], there)
    assert plan.operations["kind"].to_list() == ["create", "add_membership", "set_picture"]
    assert plan.operations["seq"].to_list() == [0, 1, 2]
    assert outcome(plan, "ann")[0] == "created"


def test_what_a_former_account_was_given_does_not_count_for_a_new_one():
    there = target([account("admin")])
    plan = dressed(plan_of(source(["ann"]), there), {"ann": (A, A)}, [], there)
    assert operations(plan, "set_picture") == [("ann", None, "the source has a picture")]


def test_an_account_that_is_renamed_is_called_by_its_new_name():
    there = target([account("ann")])
    plan = plan_of(source([person("p1", "anna")]), there, present([link("p1", "ann")]))
    plan = dressed(plan, {"p1": (A, None)}, [link("p1", "ann")], there)
    assert operations(plan, "set_picture")[0][0] == "anna"
    assert set(freshness(plan.operations, there)["standing"]) == {"pending"}


def test_leavers_and_those_without_an_account_are_left_alone():
    there = target([account("ann"), account("bob")])
    plan = plan_of(source([person("ann", active=False)]), there, present(["ann", "bob"]))
    worn = wearers(plan, present(["ann", "bob"]).links, there.accounts)
    assert worn.is_empty()
    assert worn.schema == pl.Schema(WEARERS)


def test_the_guard_counts_against_the_accounts_that_have_a_picture():
    names = [f"p{number}" for number in range(10)]
    there = target([account(name) for name in names])
    plan = plan_of(source(names), there, present(names))
    seen: dict[str, tuple[str | None, str | None]] = dict.fromkeys(names[:8], (A, A))
    gone = dict.fromkeys(names[:2], (None, A))
    assert held_for(dressed(plan, {**seen, **gone}, names, there, guard=Guard())) == ["pictures_reset"]
    one_gone = dressed(plan, {**seen, names[0]: (None, A)}, names, there, guard=Guard())
    assert not one_gone.held


def test_the_calls_name_the_picture_by_its_digest():
    (_, (setting,)), *_ = batches(of_ann(A, None).operations, most_members=10)
    (_, (resetting,)), *_ = batches(of_ann(None, A).operations, most_members=10)
    assert (setting.calls[0].digest, resetting.calls[0].username) == (A, "ann")  # type: ignore[union-attr]


def test_an_account_that_is_gone_makes_the_operation_stale():
    plan = of_ann(A, None)
    assert freshness(plan.operations, target([account("admin")]))["standing"].to_list() == ["stale"]


def test_no_picture_is_reset_while_a_part_of_the_plan_waits():
    there = target([account("ann"), account("bob"), account("cid", permission="LICENSED_USER")])
    rules = policy(guard={**UNGUARDED, "deactivations": {"count": 0}, "on_hold": "hold-kinds"})
    known = present(["ann", "bob", "cid"])
    plan = plan_of(source([person("ann", display_name="Ann Married"), "bob"], {"dev": ["ann"]}), there, known, rules)
    assert plan.waiting is not None
    plan = dressed(plan, {"ann": (A, None), "bob": (None, A)}, ["ann", "bob", "cid"], there)
    assert operations(plan, "set_picture")
    assert not operations(plan, "reset_picture")
