"""A watermark moves on only after the plan made from it was applied or found empty."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

import ledger as ledgers
from connectors.contract import CheckFinding, Progress, Reading, ReadScope
from directory.call import Call
from directory.errors import OperationRefused, SourceUnavailable
from directory.snapshot import SourceSnapshot, TargetSnapshot
from flows.pipeline import make_plan, run_sync
from ledger.opening import Ledger
from tasks.ending import Ending
from tasks.observer import Unobserved
from tasks.sync_file import ReadingSection, Report, SyncFile
from tasks.workshop import Workshop
from tests.builders import account, source, target
from tests.model_target import Model, Refused


class Nothing(BaseModel):
    kind: str = "told"


class Changing:
    """A source that counts its reads; its watermark is the number of changes so far."""

    blind_to: tuple[str, ...] = ()

    def __init__(self, snapshot: SourceSnapshot) -> None:
        self.snapshot = snapshot
        self.serial = 0
        self.asked: list[str] = []
        self.forgets = False

    def change(self, snapshot: SourceSnapshot) -> None:
        self.snapshot, self.serial = snapshot, self.serial + 1

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        raise AssertionError("an incremental source is asked for readings")

    async def read_all(self, progress: Progress | None = None) -> Reading:
        self.asked.append("all")
        return self._now()

    async def read_changes(self, last: Reading, progress: Progress | None = None) -> Reading | None:
        self.asked.append(f"since {last.watermark}")
        return None if self.forgets else self._now()

    def _now(self) -> Reading:
        return Reading(replace(self.snapshot, read_at=datetime.now(UTC)), str(self.serial))

    async def check(self) -> list[CheckFinding]:
        return []

    async def close(self) -> None:
        pass


class Modelled:
    """The model of Bitbucket as a target; `broken` makes it refuse every change."""

    requests = 0

    def __init__(self, there: TargetSnapshot) -> None:
        self.model = Model.of(there)
        self.broken = False

    async def read(self, scope: ReadScope, progress: Progress | None = None) -> TargetSnapshot:
        return self.model.snapshot()

    async def apply(self, call: Call) -> None:
        if self.broken:
            raise OperationRefused("no")
        try:
            self.model.apply(call)
        except Refused as refusal:
            raise OperationRefused(str(refusal)) from None

    async def holds(self, call: Call) -> bool:
        return False

    async def check(self) -> list[CheckFinding]:
        return []

    async def close(self) -> None:
        pass


@pytest.fixture
def book(tmp_path: Path):
    with ledgers.open(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def shop(book: Ledger, tmp_path: Path) -> Workshop:
    sync = SyncFile(name="test", source=Nothing(), target=Nothing(), report=Report(results=str(tmp_path / "results")))
    return Workshop(
        sync,
        tmp_path / "sync.yaml",
        book,
        Changing(source(["ann", "bob"], {"dev": ["ann"]})),
        Modelled(target([account("admin")])),
        Unobserved(),
    )


def asked(shop: Workshop) -> list[str]:
    assert isinstance(shop.source, Changing)
    return shop.source.asked


async def run(shop: Workshop) -> Ending:
    return await run_sync(shop)


async def test_the_second_run_goes_on_from_where_the_first_was(shop: Workshop):
    assert (await run(shop)).status == "succeeded"
    assert isinstance(shop.source, Changing)
    shop.source.change(source(["ann", "bob", "cid"], {"dev": ["ann", "cid"]}))
    ending = await run(shop)
    assert ending.status == "succeeded"
    assert ending.plan is not None
    assert ending.plan.header.counts == {"add_membership": 1, "create": 1}
    assert (await run(shop)).status == "nothing_to_do"
    assert asked(shop) == ["all", "since 0", "since 1"]


async def test_the_watermark_stays_where_a_plan_was_applied_in_part_and_the_change_is_not_lost(shop: Workshop):
    await run(shop)
    assert isinstance(shop.source, Changing)
    assert isinstance(shop.target, Modelled)
    shop.source.change(source(["ann", "bob", "cid"], {"dev": ["ann"]}))
    shop.target.broken = True
    assert (await run(shop)).status == "failed"
    shop.target.broken = False
    assert (await run(shop)).status == "succeeded"
    assert asked(shop) == ["all", "since 0", "since 0"]


async def test_a_plan_that_is_only_made_moves_nothing(shop: Workshop):
    await run(shop)
    assert isinstance(shop.source, Changing)
    shop.source.change(source(["ann"], {"dev": ["ann"]}))
    await make_plan(shop)
    await make_plan(shop)
    assert asked(shop) == ["all", "since 0", "since 0"]


async def test_an_expired_watermark_leads_to_a_full_read_in_the_same_run(shop: Workshop):
    await run(shop)
    assert isinstance(shop.source, Changing)
    shop.source.forgets = True
    assert (await run(shop)).status == "nothing_to_do"
    assert asked(shop) == ["all", "since 0", "all"]


async def test_a_full_read_is_made_when_it_is_asked_for_or_due(shop: Workshop):
    await run(shop)
    await run(replace(shop, whole=True))
    due = shop.sync.model_copy(update={"reading": ReadingSection(full_every_hours=0)})
    await run(replace(shop, sync=due))
    await run(shop)
    assert asked(shop) == ["all", "all", "all", "since 0"]


async def test_an_incomplete_reading_is_not_gone_on_from(shop: Workshop):
    assert isinstance(shop.source, Changing)
    complete = shop.source.snapshot
    await run(shop)
    shop.source.change(replace(complete, completeness=complete.completeness.also("a page was lost")))
    assert (await run(shop)).status == "partial"
    shop.source.change(complete)
    await run(shop)
    assert asked(shop) == ["all", "since 0", "since 0"]


async def test_a_source_that_fails_leaves_the_watermark(shop: Workshop, monkeypatch: pytest.MonkeyPatch):
    await run(shop)
    assert isinstance(shop.source, Changing)

    async def fails(*_: object) -> Reading | None:
        raise SourceUnavailable("down")

    monkeypatch.setattr(shop.source, "read_changes", fails)
    assert (await run(shop)).status == "failed"
    monkeypatch.undo()
    await run(shop)
    assert asked(shop) == ["all", "since 0"]
