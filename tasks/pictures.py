"""Pictures: ask the source for those that are due, make PNGs of them, and let the plan set and reset."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from connectors.contract import Picture, PictureSource, Source
from connectors.picture_links import PictureLinks
from directory.errors import ConfigurationError, SourceUnreadable, UsersyncError
from directory.snapshot import SourceSnapshot, TargetSnapshot
from ledger.opening import Ledger
from reconcile.pictures import PICTURES, wearers, with_pictures
from reconcile.plan import Plan
from tasks.observer import Observer
from tasks.picture_making import decoded, made
from tasks.picture_settings import PicturesSection
from tasks.step import step
from tasks.workshop import Workshop

__all__ = ["pictures"]

_LEFT: Final = {"external_id": pl.String(), "because": pl.String()}
_DUE: Final = {
    "external_id": pl.String(),
    "value": pl.String(),
    "made_of": pl.String(),
    "fresh": pl.Boolean(),
    "due": pl.Boolean(),
}
_TOGETHER: Final = 100
"""Pictures that are kept in one transaction."""


@dataclass
class _Found:
    """What was had since the ledger was told last, and whose picture could not be had in this run."""

    rows: list[dict[str, str | None]] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)


@step()
async def pictures(shop: Workshop, plan: Plan, read: SourceSnapshot, target: TargetSnapshot) -> Plan:
    """The plan with the pictures that differ. Nobody's picture is touched because it could not be had.

    Raises `ConfigurationError` where the source keeps no pictures, or has no such column.
    """
    settings, sync, ledger, now = shop.sync.pictures, shop.sync.name, shop.ledger, shop.clock()
    if settings is None:
        return plan
    worn = wearers(plan, ledger.links.frame(sync), target.accounts)
    known = ledger.pictures.frame(sync)
    asked = _due(settings, worn, known, read.people, now)
    due = asked.filter("due")
    found = _Found()
    made_of = dict(due.select("external_id", "made_of").iter_rows())
    fresh = due.filter("fresh").select("external_id")
    try:
        async for external_id, picture in _given(settings, shop.source, due, shop.observer):
            await _take(found, external_id, picture, made_of[external_id], settings.size)
            if len(found.rows) >= _TOGETHER:
                _note(ledger, sync, found, fresh, now)
    except ConfigurationError:
        raise
    except UsersyncError as error:
        found.left |= {one: str(error) for one in made_of if one not in found.settled}
    _note(ledger, sync, found, fresh, now)
    left = pl.DataFrame(list(found.left.items()), schema=_LEFT, orient="row")
    return with_pictures(plan, worn, ledger.pictures.frame(sync).select(PICTURES.keys()), left, shop.sync.guard)


def _due(
    settings: PicturesSection, worn: pl.DataFrame, known: pl.DataFrame, people: pl.DataFrame, now: datetime
) -> pl.DataFrame:
    """Schema `_DUE`: what the source says of each picture, and whether it must be asked for or made."""
    then = now - timedelta(hours=settings.every_hours)
    value = pl.lit(None, pl.String)
    told = worn
    if settings.column is not None:
        if settings.column not in people.columns:
            raise ConfigurationError(
                f"the source has no column {settings.column}",
                subject="pictures.column",
                not_done="nothing was decided",
                next_step="name a column of the source here, or let the source read it as an attribute",
            )
        column = people.select("external_id", pl.col(settings.column).cast(pl.String).alias("value"))
        told = worn.join(column, on="external_id", how="left", maintain_order="left")
        value = pl.col("value").str.strip_chars().replace("", None)
    told = told.with_columns(value.alias("value"))
    # Frames have no digest that stays the same from version to version.
    digests = [_digest(one) for one in told["value"].to_list()]
    origin = f"{settings.size} {settings.column or ''}"
    told = told.with_columns(pl.Series("made_of", [f"{origin} {one}" for one in digests], pl.String))
    costs = pl.lit(value=True) if settings.column is None else _is_address(pl.col("value")).fill_null(value=False)
    former = known.select("external_id", pl.col("made_of").alias("made_of_then"), "asked_at")
    due = (
        pl.col("fresh") | pl.col("made_of").ne_missing(pl.col("made_of_then")) | (costs & (pl.col("asked_at") <= then))
    )
    return told.join(former, on="external_id", how="left").with_columns(due.alias("due")).select(_DUE.keys())


def _is_address(value: pl.Expr) -> pl.Expr:
    return value.str.contains(r"^[A-Za-z][A-Za-z0-9+.-]*://")


def _digest(value: str | None) -> str:
    return "" if value is None else hashlib.sha256(value.encode()).hexdigest()


async def _given(
    settings: PicturesSection, source: Source, due: pl.DataFrame, observer: Observer
) -> AsyncIterator[tuple[str, Picture]]:
    if settings.column is None:
        if not isinstance(source, PictureSource):
            raise ConfigurationError(
                "this source keeps no pictures",
                subject="pictures",
                not_done="nothing was decided",
                next_step="name the column that holds them under `pictures.column`, or take the section out",
            )
        if due.height:
            ids = due["external_id"].to_list()
            async for found in source.pictures(ids, settings.size, lambda what, n: observer.reading("source", what, n)):
                yield found
        return
    addresses = due.filter(_is_address(pl.col("value")))
    for external_id, value in (
        due.join(addresses, on="external_id", how="anti").select("external_id", "value").iter_rows()
    ):
        yield external_id, _in_column(value)
    async with PictureLinks(settings.hosts) as links:
        for part in addresses.select("external_id", "value").iter_slices(_TOGETHER):
            files = await asyncio.gather(*(links.fetch(url) for url in part["value"]))
            for external_id, file in zip(part["external_id"], files, strict=True):
                yield external_id, file


def _in_column(value: str | None) -> Picture:
    try:
        return None if value is None else decoded(value)
    except SourceUnreadable as error:
        return error


async def _take(found: _Found, external_id: str, picture: Picture, made_of: str, size: int) -> None:
    found.settled.add(external_id)
    if isinstance(picture, UsersyncError):
        found.left[external_id] = str(picture)
        return
    digest = None
    if picture is not None:
        try:
            png = await asyncio.to_thread(made, picture, size)
        except SourceUnreadable as error:
            found.left[external_id] = str(error)
            return
        digest = hashlib.sha256(png).hexdigest()
        found.contents[digest] = png
    found.rows.append({"external_id": external_id, "made_of": made_of, "seen": digest})


def _note(ledger: Ledger, sync: str, found: _Found, fresh: pl.DataFrame, now: datetime) -> None:
    if found.rows:
        ids = [row["external_id"] for row in found.rows]
        ledger.pictures.saw(
            sync, found.rows, found.contents, fresh=fresh.filter(pl.col("external_id").is_in(ids)), at=now
        )
    found.rows, found.contents = [], {}
