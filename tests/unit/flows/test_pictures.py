"""Pictures from source to target through whole runs: set once, set again, reset, and left where they cannot be had."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.contract import CheckFinding, Picture, Progress
from directory.errors import CredentialsRefused, SourceUnavailable
from directory.snapshot import SourceSnapshot
from flows.pipeline import apply_plan, make_plan, run_sync
from tasks.ending import Ending
from tasks.picture_settings import PicturesSection
from tasks.workshop import Workshop
from tests.builders import account, person, source, target
from tests.images import png
from tests.unit.flows.test_incremental_runs import Modelled, book, shop

__all__ = ["book", "shop"]


class Gallery:
    """A source that keeps pictures and counts who was asked for."""

    def __init__(self, people: list[Any]) -> None:
        self.snapshot = source(people)
        self.photos: dict[str, Picture] = {}
        self.asked: list[str] = []
        self.refuses = False

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        return replace(self.snapshot, read_at=datetime.now(UTC))

    async def pictures(
        self, external_ids: Sequence[str], size: int, progress: Progress | None = None
    ) -> AsyncIterator[tuple[str, Picture]]:
        for external_id in external_ids:
            if self.refuses and self.asked:
                raise CredentialsRefused("the token lacks ProfilePhoto.Read.All")
            self.asked.append(external_id)
            yield external_id, self.photos.get(external_id)

    async def check(self) -> list[CheckFinding]:
        return []

    async def close(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gallery() -> Gallery:
    return Gallery(["ann", "bob"])


@pytest.fixture
def dressing(shop: Workshop, gallery: Gallery, clock: Clock) -> Workshop:
    sync = shop.sync.model_copy(update={"pictures": PicturesSection(size=64)})
    there = Modelled(target([account("admin")]))
    return replace(shop, sync=sync, source=gallery, target=there, clock=clock)


def shown(shop: Workshop) -> dict[str, bytes]:
    assert isinstance(shop.target, Modelled)
    model = shop.target.model
    return {model.accounts[key]["username"]: content for key, content in model.pictures.items()}


def counts(ending: Ending) -> dict[str, int]:
    assert ending.plan is not None
    return ending.plan.header.counts


async def test_a_picture_is_set_once_set_again_when_it_changed_and_reset_when_it_is_gone(
    dressing: Workshop, gallery: Gallery, clock: Clock
):
    gallery.photos = {"ann": png("red")}
    first = await run_sync(dressing)
    assert first.status == "succeeded"
    assert counts(first) == {"create": 2, "set_picture": 1}
    red = shown(dressing)["ann"]
    assert red.startswith(b"\x89PNG")

    clock.now += timedelta(hours=25)
    assert (await run_sync(dressing)).status == "nothing_to_do"
    assert gallery.asked == ["ann", "bob", "ann", "bob"]

    clock.now += timedelta(hours=25)
    gallery.photos = {"ann": png("blue")}
    assert counts(await run_sync(dressing)) == {"set_picture": 1}
    assert shown(dressing)["ann"] != red

    clock.now += timedelta(hours=25)
    gallery.photos = {}
    # One of one is more than a fifth, but at least one passes.
    assert counts(await run_sync(dressing)) == {"reset_picture": 1}
    assert shown(dressing) == {}
    clock.now += timedelta(hours=25)
    assert (await run_sync(dressing)).status == "nothing_to_do"


async def test_pictures_that_cost_a_request_are_asked_for_only_so_often(
    dressing: Workshop, gallery: Gallery, clock: Clock
):
    await run_sync(dressing)
    clock.now += timedelta(hours=23)
    await run_sync(dressing)
    assert gallery.asked == ["ann", "bob"]
    bigger = replace(dressing, sync=dressing.sync.model_copy(update={"pictures": PicturesSection(size=128)}))
    await run_sync(bigger)
    assert gallery.asked == ["ann", "bob"] * 2


@pytest.mark.parametrize("trouble", [SourceUnavailable("Graph was down"), b"no picture"], ids=["request", "broken"])
async def test_a_picture_that_cannot_be_had_is_left_as_it_is(
    dressing: Workshop, gallery: Gallery, clock: Clock, trouble: Picture
):
    gallery.photos = {"ann": png("red"), "bob": png("red")}
    await run_sync(dressing)
    before = shown(dressing)
    clock.now += timedelta(hours=25)
    gallery.photos = {"ann": trouble, "bob": png("blue")}
    ending = await run_sync(dressing)
    assert ending.status == "succeeded"
    assert "1 pictures could not be had" in ending.message
    assert shown(dressing)["ann"] == before["ann"]
    assert shown(dressing)["bob"] != before["bob"]
    gallery.photos["ann"] = png("blue")
    assert counts(await run_sync(dressing)) == {"set_picture": 1}
    assert shown(dressing)["ann"] == shown(dressing)["bob"]


async def test_a_source_that_refuses_pictures_leaves_them_and_the_rest_of_the_run_goes_on(
    dressing: Workshop, gallery: Gallery, clock: Clock
):
    gallery.photos = {"ann": png("red"), "bob": png("red")}
    await run_sync(dressing)
    clock.now += timedelta(hours=25)
    gallery.refuses, gallery.photos = True, {}
    gallery.snapshot = source([person("ann", display_name="Ann Married"), "bob"])
    ending = await run_sync(dressing)
    assert counts(ending) == {"update": 1}
    assert "2 pictures could not be had" in ending.message
    assert shown(dressing).keys() == {"ann", "bob"}


async def test_a_stored_plan_sends_the_picture_that_was_reviewed(dressing: Workshop, gallery: Gallery):
    await run_sync(replace(dressing, sync=dressing.sync.model_copy(update={"pictures": None})))
    gallery.photos = {"ann": png("red")}
    planned = await make_plan(dressing)
    assert planned.plan is not None
    gallery.photos = {"ann": png("blue")}
    assert (await apply_plan(dressing, planned.plan.id)).status == "succeeded"
    assert len(shown(dressing)) == 1
    digest = dressing.ledger.pictures.frame("test").row(0, named=True)
    assert digest["seen"] == digest["given"]
    assert dressing.ledger.pictures.content(digest["seen"]) is None


async def test_without_the_section_nothing_is_asked_and_nothing_is_taken_away(dressing: Workshop, gallery: Gallery):
    gallery.photos = {"ann": png("red")}
    await run_sync(dressing)
    gallery.asked.clear()
    off = replace(dressing, sync=dressing.sync.model_copy(update={"pictures": None}))
    assert (await run_sync(off)).status == "nothing_to_do"
    assert gallery.asked == []
    assert len(shown(dressing)) == 1


async def test_a_column_is_compared_in_every_run(dressing: Workshop, gallery: Gallery):
    def wearing(value: str | None) -> None:
        gallery.snapshot = source([person("ann", photo=value)])

    column = replace(dressing, sync=dressing.sync.model_copy(update={"pictures": PicturesSection(column="photo")}))
    wearing(base64.b64encode(png("red")).decode())
    assert counts(await run_sync(column)) == {"create": 1, "set_picture": 1}
    assert (await run_sync(column)).status == "nothing_to_do"
    wearing("data:image/png;base64," + base64.b64encode(png("blue")).decode())
    assert counts(await run_sync(column)) == {"set_picture": 1}
    wearing("https://elsewhere.example/ann.png")
    left = await run_sync(column)
    assert "1 pictures could not be had" in left.message
    assert len(shown(column)) == 1
    wearing(None)
    assert counts(await run_sync(column)) == {"reset_picture": 1}
    assert gallery.asked == []


async def test_a_column_that_does_not_exist_is_a_mistake_of_the_sync_file(dressing: Workshop):
    wrong = replace(dressing, sync=dressing.sync.model_copy(update={"pictures": PicturesSection(column="portrait")}))
    ending = await run_sync(wrong)
    assert ending.status == "refused"
    assert "no column portrait" in ending.message


async def test_a_source_without_pictures_says_so(shop: Workshop):
    ending = await run_sync(replace(shop, sync=shop.sync.model_copy(update={"pictures": PicturesSection()})))
    assert ending.status == "refused"
    assert "keeps no pictures" in ending.message


async def test_an_account_made_anew_gets_the_picture_again(dressing: Workshop, gallery: Gallery):
    gallery.photos = {"ann": png("red")}
    await run_sync(dressing)
    assert isinstance(dressing.target, Modelled)
    model = dressing.target.model
    gone = next(key for key, row in model.accounts.items() if row["username"] == "ann")
    del model.accounts[gone]
    model.pictures.clear()
    ending = await run_sync(dressing)
    assert ending.status == "succeeded"
    assert len(shown(dressing)) == 1
