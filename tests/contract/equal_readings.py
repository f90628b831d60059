"""An incremental reading held to a full one."""

from __future__ import annotations

import polars as pl

from directory.snapshot import SourceSnapshot

__all__ = ["assert_equal"]


def assert_equal(incremental: SourceSnapshot, full: SourceSnapshot) -> None:
    """Row by row, in the same order, and neither with a finding."""
    assert incremental.completeness.findings == full.completeness.findings == ()
    for name, mine in incremental.frames.items():
        whole: pl.DataFrame = full.frames[name]
        assert mine.schema == whole.schema
        more = mine.join(whole, on=mine.columns, how="anti", nulls_equal=True)
        less = whole.join(mine, on=mine.columns, how="anti", nulls_equal=True)
        assert mine.equals(whole), f"{name}: only incremental {more}, only full {less}"
