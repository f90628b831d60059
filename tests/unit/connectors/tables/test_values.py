"""What drivers give, as the four types of a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import pytest

from connectors.tables.values import Columns

BERLIN = timezone(timedelta(hours=1))


def column(*batches: Sequence[Any]) -> pl.Series:
    columns = Columns(["it"])
    for batch in batches:
        columns.add([(value,) for value in batch])
    return columns.frame()["it"]


@pytest.mark.parametrize(
    ("values", "dtype", "wanted"),
    [
        ([1, None, 3], pl.Int64(), [1, None, 3]),
        ([2**70, 1], pl.String(), [str(2**70), "1"]),
        ([True, None, False], pl.Boolean(), [True, None, False]),
        ([Decimal(42), Decimal("42.00"), Decimal("0.5")], pl.String(), ["42", "42", "0.5"]),
        ([42.0, 0.5], pl.String(), ["42", "0.5"]),
        ([datetime(2026, 1, 2, 3, tzinfo=BERLIN)], pl.String(), ["2026-01-02T02:00:00+00:00"]),
        ([datetime(2026, 1, 2, 3), date(2026, 1, 2)], pl.String(), ["2026-01-02T03:00:00", "2026-01-02"]),  # noqa: DTZ001 a column without a time zone
        ([UUID(int=1)], pl.String(), ["00000000-0000-0000-0000-000000000001"]),
        ([b"\x00\xff", memoryview(b"a")], pl.String(), ["00ff", "61"]),
        ([["a", "b"], None, []], pl.List(pl.String()), [["a", "b"], None, []]),
        ([[1, True]], pl.List(pl.String()), [["1", "true"]]),
        (
            [{"b": 1, "a": [datetime(2026, 1, 2, tzinfo=UTC)]}],
            pl.String(),
            ['{"a": ["2026-01-02T00:00:00+00:00"], "b": 1}'],
        ),
        ([["a", {"b": 1}]], pl.String(), ['["a", {"b": 1}]']),
        ([None, None], pl.String(), [None, None]),
        ([], pl.String(), []),
        ([1, "a", True], pl.String(), ["1", "a", "true"]),
    ],
)
def test_each_value_has_one_form(values: list[Any], dtype: pl.DataType, wanted: list[Any]) -> None:
    made = column(values)
    assert made.dtype == dtype
    assert made.to_list() == wanted


@pytest.mark.parametrize(
    ("batches", "wanted"),
    [
        ([[None], [1]], [None, 1]),
        ([[1], ["a"]], ["1", "a"]),
        ([[True], ["a"]], ["true", "a"]),
        ([[7], [Decimal("7.0")]], ["7", "7"]),
        ([[["a", "b"]], ["c"]], ['["a", "b"]', "c"]),
    ],
)
def test_a_column_has_one_type_wherever_a_batch_ends(batches: list[list[Any]], wanted: list[Any]) -> None:
    made = column(*batches)
    assert made.to_list() == wanted
    assert made.to_list() == column([value for batch in batches for value in batch]).to_list()
