"""Frames that follow their schema, and verdicts on completeness."""

from __future__ import annotations

import polars as pl
import pytest

from directory.snapshot import PEOPLE, Completeness, conform


def test_columns_are_cast_and_missing_ones_are_null_and_further_ones_stay():
    frame = conform(pl.DataFrame({"team": ["a"], "external_id": [7], "active": [True]}), PEOPLE)
    assert frame.columns == [*PEOPLE, "team"]
    assert frame.row(0) == ("7", None, None, None, True, "a")
    assert {name: frame.schema[name] for name in PEOPLE} == dict(PEOPLE)


def test_an_empty_frame_conforms():
    assert dict(conform(pl.DataFrame(), PEOPLE).schema) == dict(PEOPLE)


def test_a_value_that_does_not_fit_is_an_error():
    with pytest.raises(pl.exceptions.InvalidOperationError):
        conform(pl.DataFrame({"external_id": ["1"], "active": ["perhaps"]}), PEOPLE)


def test_a_read_is_complete_until_something_is_found():
    verdict = Completeness()
    assert verdict.complete
    assert verdict.also() == verdict
    later = verdict.also("page 2 is missing").also("so is page 3")
    assert not later.complete
    assert later.findings == ("page 2 is missing", "so is page 3")
    assert verdict.complete
