"""The order among renames of one plan: nobody gets a name before the account that has it gave it up."""

from __future__ import annotations

import polars as pl

from directory.normalize import folded
from reconcile.names import slot

__all__ = ["waves"]


def waves(renames: pl.DataFrame) -> pl.Series:
    """For each rename (`username`, and `after` with the new one) its wave: those of one may be sent side by side.

    A rename waits for those whose present name it takes. Where some wait for each other none of them waits: a plan has
    no such cycles, and Bitbucket would refuse the first.
    """
    wished = renames.select(
        slot(folded("username")).alias("has"),
        slot(pl.col("after").str.json_path_match("$.username").str.to_lowercase()).alias("wants"),
    ).with_row_index("row")
    waiting = (
        wished.join(wished.select(pl.col("row").alias("holder"), pl.col("has").alias("wants")), on="wants")
        .filter(pl.col("row") != pl.col("holder"))
        .select("row", "holder")
        .sort("row", "holder")
    )
    holders: dict[int, list[int]] = {}
    for row, holder in waiting.iter_rows():
        holders.setdefault(row, []).append(holder)
    found: dict[int, int] = {}
    for start in holders:
        path = [start]
        on_path = {start}
        while path:
            row = path[-1]
            left = [holder for holder in holders.get(row, ()) if holder not in found and holder not in on_path]
            if left:
                path.append(left[0])
                on_path.add(left[0])
                continue
            found[row] = max((found.get(holder, 0) + 1 for holder in holders.get(row, ())), default=0)
            on_path.discard(path.pop())
    late = pl.DataFrame(
        {"row": list(found), "wave": list(found.values())}, schema={"row": pl.UInt32, "wave": pl.UInt32}
    )
    return wished.join(late, on="row", how="left", maintain_order="left")["wave"].fill_null(0)
