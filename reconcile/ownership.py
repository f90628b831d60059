"""Which groups are ours to take people out of. Everything else is local and never touched."""

from __future__ import annotations

import polars as pl

from reconcile.numbered import NumberedTarget
from reconcile.pattern import matches_any
from reconcile.policy import Groups
from reconcile.select import Selection

__all__ = ["managed_groups"]


def managed_groups(
    selection: Selection, target: NumberedTarget, assigned_before: frozenset[str], policy: Groups
) -> pl.DataFrame:
    """Groups under our care: `key` (folded name), `name`, `number` (null where the target lacks it), `assigned` (now or
    before, by this sync), `removable`.

    A group that the source no longer has stays under our care as long as the target has it: its members would
    otherwise keep for ever what it gives.
    """
    present = target.groups.select("key", "name", "number")
    before = pl.DataFrame({"key": [name.lower() for name in assigned_before]}, schema={"key": pl.String}).unique()
    now = selection.groups.select("key", "name").join(present.select("key", "number"), on="key", how="left")
    assigned = pl.concat([now, present.join(before, on="key", how="semi")]).unique(
        "key", keep="first", maintain_order=True
    )
    if policy.remove_from is None:
        return assigned.with_columns(pl.lit(value=True).alias("assigned"), pl.lit(value=True).alias("removable"))
    named = present.filter(matches_any("name", policy.remove_from))
    return (
        pl.concat(
            [
                assigned.with_columns(pl.lit(value=True).alias("assigned")),
                named.with_columns(pl.lit(value=False).alias("assigned")),
            ]
        )
        .unique("key", keep="first", maintain_order=True)
        .with_columns(pl.col("key").is_in(named["key"].implode()).alias("removable"))
    )
