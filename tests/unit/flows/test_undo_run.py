"""A run is taken back by a plan of its own, which is applied like any other."""

from __future__ import annotations

import pytest

from directory.errors import UnknownRecord
from flows.pipeline import apply_plan, make_plan, make_undo, run_sync
from tasks.workshop import Workshop
from tests.builders import source
from tests.unit.flows.test_incremental_runs import Changing, Modelled, book, shop

__all__ = ["book", "shop"]


async def test_what_a_run_changed_is_planned_back_applied_and_done_again_by_the_next_sync(shop: Workshop):
    assert isinstance(shop.source, Changing)
    assert isinstance(shop.target, Modelled)
    await run_sync(shop)
    before = shop.target.model.copy()
    links = shop.ledger.links.frame("test").select("external_id", "username", "state")
    shop.source.change(source(["ann", "bob"], {"dev": ["bob"]}))
    changed = await run_sync(shop)
    after = shop.target.model.copy()

    planned = await make_undo(shop, changed.run_id)
    assert planned.status == "planned"
    assert planned.plan is not None
    assert planned.plan.header.counts == {"add_membership": 1, "remove_membership": 1}
    assert shop.target.model.members == after.members

    applied = await apply_plan(shop, planned.plan.id)
    assert applied.status == "succeeded"
    assert shop.target.model.members == before.members
    assert shop.ledger.links.frame("test").select("external_id", "username", "state").equals(links)
    assert (await make_undo(shop, changed.run_id)).status == "nothing_to_do"

    assert (await run_sync(shop)).status == "succeeded"
    assert shop.target.model.members == after.members


async def test_what_somebody_else_had_done_by_then_is_not_the_runs(shop: Workshop):
    assert isinstance(shop.source, Changing)
    assert isinstance(shop.target, Modelled)
    await run_sync(shop)
    shop.source.change(source(["ann", "bob"], {"dev": ["ann", "bob"]}))
    made = await make_plan(shop)
    assert made.plan is not None
    shop.target.model.members.add((shop.target.model.named("bob")["account_id"], "dev"))
    applied = await apply_plan(shop, made.plan.id)
    assert (await make_undo(shop, applied.run_id)).status == "nothing_to_do"


async def test_a_run_that_only_made_a_plan_has_nothing_to_undo(shop: Workshop):
    with pytest.raises(UnknownRecord, match="applied no plan"):
        await make_undo(shop, (await make_plan(shop)).run_id)
