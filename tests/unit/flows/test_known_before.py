"""What the ledger remembers of both sides answers questions about the next plan: drift, and other rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from directory.errors import UnknownRecord
from flows.pipeline import apply_plan, make_plan, run_sync
from reconcile.policy import Guard, Limit, People
from tasks.plans import stored_plan
from tasks.whatif import what_if
from tasks.workshop import Workshop
from tests.builders import source
from tests.unit.flows.test_incremental_runs import Changing, Modelled, book, shop

__all__ = ["book", "shop"]


def parties(shop: Workshop) -> tuple[Changing, Modelled]:
    assert isinstance(shop.source, Changing)
    assert isinstance(shop.target, Modelled)
    return shop.source, shop.target


def _people_of(document: str) -> list[dict[str, Any]]:
    people: list[dict[str, Any]] = json.loads(Path(document).read_text())["people"]
    return people


async def test_what_was_changed_by_hand_is_told_apart_in_plan_ledger_and_results(
    shop: Workshop,
):
    there, target = parties(shop)
    await run_sync(shop)
    target.model.members.clear()
    there.change(source(["ann", "bob"], {"dev": ["ann", "bob"]}))
    ending = await run_sync(shop)
    assert ending.plan is not None
    assert ending.plan.operations.join(ending.plan.origins, on="seq").select("username", "group", "origin").rows() == [
        ("ann", "dev", "drift"),
        ("bob", "dev", "source"),
    ]
    _, kept = stored_plan(shop.ledger, ending.plan.id)
    assert kept.origins.equals(ending.plan.origins)
    assert ending.document is not None
    people = _people_of(ending.document)
    assert {one["username"]: [op["origin"] for op in one["operations"]] for one in people} == {
        "ann": ["drift"],
        "bob": ["source"],
    }


async def test_a_run_that_failed_is_nothing_to_compare_with(shop: Workshop):
    there, target = parties(shop)
    await run_sync(shop)
    there.change(source(["ann", "bob"], {"dev": ["ann", "bob"]}))
    target.broken = True
    assert (await run_sync(shop)).status == "failed"
    target.broken = False
    ending = await run_sync(shop)
    assert ending.plan is not None
    assert ending.plan.origins["origin"].to_list() == ["source"]


async def test_the_first_run_tells_no_origins(shop: Workshop):
    ending = await make_plan(shop)
    assert ending.plan is not None
    assert ending.plan.origins.height == 0


async def test_other_rules_are_tried_on_what_was_read_last_without_a_request(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
):
    there, target = parties(shop)
    await run_sync(shop)
    there.change(source(["ann", "bob", "cem"], {"dev": ["ann"]}))
    await make_plan(shop)

    async def asked(*_: object) -> None:
        raise AssertionError("nobody is asked")

    for side, method in ((there, "read_changes"), (there, "read_all"), (target, "read")):
        monkeypatch.setattr(side, method, asked)
    new = shop.sync.model_copy(update={"people": People(exclude="username = 'ann'")})
    plans = len(shop.ledger.plans.latest())
    found = what_if(shop.ledger, shop.sync, new)
    assert found.difference.lose.select("username", "after").rows() == [("ann", "access_removed")]
    assert found.plan.verdicts.filter(pl.col("external_id") == "cem")["outcome"].to_list() == ["created"]
    assert len(shop.ledger.plans.latest()) == plans


async def test_other_rules_are_told_whole_where_a_part_of_their_plan_would_wait(shop: Workshop):
    there, _ = parties(shop)
    await run_sync(shop)
    there.change(source(["ann", "bob", "cem"], {"dev": ["ann"]}))
    await make_plan(shop)
    guard = Guard(on_hold="hold-kinds", deactivations=Limit(count=0))
    new = shop.sync.model_copy(update={"people": People(exclude="username = 'ann'"), "guard": guard})
    found = what_if(shop.ledger, shop.sync, new)
    assert found.difference.lose.select("username", "after").rows() == [("ann", "access_removed")]
    assert "deactivations" in [finding.kind for finding in found.plan.header.held]


def test_without_snapshots_there_is_nothing_to_compare(shop: Workshop):
    with pytest.raises(UnknownRecord, match="no snapshot"):
        what_if(shop.ledger, shop.sync, shop.sync)


async def test_an_incomplete_source_is_not_kept_as_a_snapshot(shop: Workshop):
    there, _ = parties(shop)
    await run_sync(shop)
    there.change(replace(source(), completeness=there.snapshot.completeness.also("a page was lost")))
    await run_sync(shop)
    assert what_if(shop.ledger, shop.sync, shop.sync).plan.verdicts.height == 2


async def test_what_may_go_on_goes_on_and_the_rest_waits_for_an_approval_of_its_own(shop: Workshop):
    there, target = parties(shop)
    await run_sync(shop)
    strict = Guard(on_hold="hold-kinds", memberships_removed=Limit(count=0), memberships_removed_per_group=Limit())
    shop = replace(shop, sync=shop.sync.model_copy(update={"guard": strict}))
    there.change(source(["ann", "bob", "cem"], {"dev": ["bob"]}))

    ending = await run_sync(shop)

    assert (ending.status, ending.exit_code) == ("held", 3)
    assert ending.applied == {"done": 2}
    assert ending.plan is not None
    assert ending.plan.header.waiting is not None
    waiting = ending.plan.header.waiting.plan
    assert f"1 more wait as plan {waiting[:8]}" in ending.message
    assert f"usersync apply {waiting[:8]} --approved-by NAME" in ending.next_step
    stored, rest = stored_plan(shop.ledger, waiting)
    assert stored.state == "held"
    assert rest.operations.select("kind", "username").rows() == [("remove_membership", "ann")]
    header = shop.ledger.runs.get(ending.run_id).header
    assert (header["guard"], header["waiting_plan"]) == ("held", waiting)
    assert [finding["kind"] for finding in header["findings"]] == ["memberships_removed"]

    approved = await apply_plan(shop, waiting, approved_by="jane")
    assert approved.status == "succeeded"
    assert (await run_sync(shop)).status == "nothing_to_do"
    names = {row["username"]: row["account_id"] for row in target.model.accounts.values()}
    assert target.model.members == {(names["bob"], "dev")}
