"""One column, one type: the types that a driver or JSON happens to give become the four that a snapshot may have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import polars as pl

__all__ = ["Columns"]

_NOTHING: Final = pl.Null()
_TEXT_LIST: Final = pl.List(pl.String())


class Columns:
    """Gathers rows batch by batch. A column is Boolean, Int64 or List(String) where every value is; text otherwise.

    Numbers without a fraction are written without one, whatever type they came in (NUMERIC keys come as int, float or
    Decimal); instants in UTC as ISO 8601; bytes in hexadecimal; objects as JSON with sorted keys.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.height = 0
        self._parts: list[list[pl.Series]] = [[] for _ in names]

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Further rows, each with a value for every name."""
        if not rows:
            return
        self.height += len(rows)
        for parts, values in zip(self._parts, zip(*rows, strict=True), strict=True):
            parts.append(_part(values))

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(
            [_whole(name, parts) for name, parts in zip(self.names, self._parts, strict=True)],
        )


def _part(values: Sequence[Any]) -> pl.Series:
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series(values, dtype=_NOTHING)
    if kinds == {str}:
        return pl.Series(values, dtype=pl.String())
    if kinds == {bool}:
        return pl.Series(values, dtype=pl.Boolean())
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pl.Series(values, dtype=pl.Int64())
    if kinds <= {list, tuple} and all(value is None or _is_flat(value) for value in values):
        lists = [None if value is None else [_text(item) for item in value] for value in values]
        return pl.Series(lists, dtype=_TEXT_LIST)
    return pl.Series([_text(value) for value in values], dtype=pl.String())


def _whole(name: str, parts: Sequence[pl.Series]) -> pl.Series:
    kinds = {part.dtype for part in parts} - {_NOTHING}
    dtype = kinds.pop() if len(kinds) == 1 else pl.String()
    cast = [_as_text(part) if dtype == pl.String() else part.cast(dtype) for part in parts]
    return pl.concat(cast).alias(name) if cast else pl.Series(name, [], dtype=dtype)


def _as_text(part: pl.Series) -> pl.Series:
    if part.dtype == _TEXT_LIST:
        return pl.Series([_text(value) for value in part.to_list()], dtype=pl.String())
    return part.cast(pl.String())


def _is_flat(value: Sequence[Any]) -> bool:
    return not any(isinstance(item, list | tuple | dict) for item in value)


def _text(value: Any) -> str | None:  # noqa: PLR0911 one line a type
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _number(value.total_seconds())
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_text)
    return str(value)


def _number(value: float | Decimal) -> str:
    whole = value.is_integer() if isinstance(value, float) else value.is_finite() and value == value.to_integral_value()
    return str(int(value)) if whole else str(value)
