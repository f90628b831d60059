"""The fault of a list whose order changes between two pages."""

from __future__ import annotations

import pytest

from sandbox.faults import in_another_order


def test_a_later_page_repeats_half_of_the_one_before_and_loses_half_of_its_own():
    rows = list(range(12))
    assert in_another_order(rows, 4, 4) == [2, 3, 4, 5]
    assert in_another_order(rows, 8, 4) == [6, 7, 8, 9]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages_keep_their_length_and_a_first_page_its_rows(size: int):
    rows = list(range(12))
    assert in_another_order(rows, 0, size) == rows[:size]
    for start in range(0, 14, size):
        assert len(in_another_order(rows, start, size)) == len(rows[start : start + size])


def test_a_list_of_several_pages_loses_rows():
    rows = list(range(12))
    read = [row for start in range(0, 12, 5) for row in in_another_order(rows, start, 5)]
    assert len(read) == 12
    assert len(set(read)) == 10
