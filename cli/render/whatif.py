"""What new rules would do, those first who would lose something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl
from rich.text import Text

from cli.render.grid import grid, labelled
from reconcile.explain import kind_title
from reconcile.wording import sides, way

if TYPE_CHECKING:
    from tasks.whatif import WhatIf

__all__ = ["difference_lines"]


def difference_lines(found: WhatIf, *, width: int | None, most: int | None) -> Iterator[Text]:
    """Sections with at most so many rows each, and what the guard would say of the plan."""
    difference = found.difference
    read = f"source read {found.source_read_at:%Y-%m-%d %H:%M} UTC, target {found.target_read_at:%Y-%m-%d %H:%M} UTC"
    yield from labelled("compared", read, width=width)
    if difference.nothing:
        yield from labelled("to tell", "nothing: the new rules do the same", width=width)
    yield from _section("would lose access", _people(difference.lose), width, most, "bold red")
    yield from _section("would gain access", _people(difference.gain), width, most, "bold green")
    yield from _section("would not be in a group any more", _memberships(difference.leave), width, most, "bold")
    yield from _section("would be in a group", _memberships(difference.enter), width, most, "bold")
    others = [
        (kind_title(kind), who, sides(before, after) or reason or "")
        for kind, who, before, after, reason in difference.others.iter_rows()
    ]
    yield from _section("would change besides", others, width, most, "bold")
    yield Text()
    held = found.plan.header.held
    if not held:
        yield from labelled("guard", "the plan of the new rules would be clear", width=width, style="green")
        return
    yield from labelled("guard", "the plan of the new rules would be HELD", width=width, style="bold yellow")
    for finding in held:
        yield from labelled("", f"· {finding.message}", width=width)


def _people(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    return [
        (username or external_id, f"{before} → {after}".replace("_", " "), reason or "")
        for external_id, username, before, after, reason in frame.iter_rows()
    ]


def _memberships(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    rows = frame.select(pl.coalesce("username", "external_id"), "group", "reason").iter_rows()
    return [(who, group, way(group, reason) if reason else "") for who, group, reason in rows]


def _section(
    title: str, rows: Sequence[tuple[str, ...]], width: int | None, most: int | None, style: str
) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield Text.assemble((title, style), (f"  {len(rows):,}", "dim"))
    yield from grid(rows if most is None else rows[:most], width=width, styles={2: "dim"})
    if most is not None and len(rows) > most:
        yield Text.assemble((f"  … {len(rows) - most:,} more", "dim"), ("  --all", "dim"))
