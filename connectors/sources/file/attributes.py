"""Columns that no setting names become attributes, in one of the four types that a snapshot's attributes may have."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from connectors.sources.file.table import LINE, Table
from directory.snapshot import PEOPLE

__all__ = ["attributes", "empty_to_null", "is_plain_list"]

_TOO_BIG_FOR_INT64: Final = (pl.UInt64(), pl.Int128(), pl.UInt128())


def attributes(table: Table, taken: Collection[str]) -> list[pl.Expr]:
    """Every column that is not `taken`. One that bears a name of ours and is mapped to nothing would hide ours."""
    return [
        _attribute(name, dtype).alias(name)
        for name, dtype in table.frame.schema.items()
        if name not in taken and name not in PEOPLE and name != LINE
    ]


def empty_to_null(text: pl.Expr) -> pl.Expr:
    """CSV cannot tell empty text from none, so no format does."""
    return pl.when(text != "").then(text)


def is_plain_list(dtype: pl.DataType) -> bool:
    """Whether it is a list of values that are no lists or objects themselves."""
    if not isinstance(dtype, (pl.List, pl.Array)):
        return False
    inner = dtype.inner
    return not (inner() if isinstance(inner, type) else inner).is_nested()


def _attribute(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype == pl.Boolean:
        return column
    if dtype.is_integer():
        return column.cast(pl.String if dtype in _TOO_BIG_FOR_INT64 else pl.Int64)
    if dtype == pl.Duration:
        return column.dt.total_seconds()
    if is_plain_list(dtype):
        return column.cast(pl.List(pl.String))
    return empty_to_null(_as_text(column, dtype))


def _as_text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Struct):
        return column.struct.json_encode()
    if dtype.is_nested():
        return pl.struct(column).struct.json_encode()
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    return column.cast(pl.String)
