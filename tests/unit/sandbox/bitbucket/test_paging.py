from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.bitbucket import Switches
from sandbox.bitbucket.ordering import OrderedKeys
from sandbox.bitbucket.paging import window
from tests.unit.sandbox.bitbucket.conftest import Bitbucket


def with_groups(bitbucket: Bitbucket, count: int) -> Bitbucket:
    for number in range(count):
        bitbucket.state.add_group(f"g{number}")
    return bitbucket


def page(bitbucket: Bitbucket, **params: Any) -> dict[str, Any]:
    return dict(bitbucket.http.get("/admin/groups", params=params).json())


def test_a_page_says_where_the_next_one_starts(launch):
    bitbucket = with_groups(launch(default_group=None), 5)

    assert page(bitbucket, limit=2) == {
        "size": 2,
        "limit": 2,
        "isLastPage": False,
        "values": [{"name": "g0", "deletable": True}, {"name": "g1", "deletable": True}],
        "start": 0,
        "nextPageStart": 2,
    }
    last = page(bitbucket, limit=2, start=4)
    assert (last["size"], last["isLastPage"], last["start"]) == (1, True, 4)
    assert "nextPageStart" not in last
    assert page(bitbucket, start=99) == {"size": 0, "limit": 25, "isLastPage": True, "values": [], "start": 99}


def test_the_last_page_may_say_null(launch):
    assert page(launch(last_page_next="null"))["nextPageStart"] is None


def test_a_limit_is_25_by_default_and_capped_in_silence(launch):
    bitbucket = with_groups(launch(page_cap=30), 40)

    assert page(bitbucket)["limit"] == 25
    capped = page(bitbucket, limit=1000)
    assert (capped["limit"], capped["size"], capped["nextPageStart"]) == (30, 30, 30)
    assert len(bitbucket.pages("/admin/groups", limit=1000)) == 41


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": -1}, {"start": -1}, {"limit": "all"}, {"start": "x"}])
def test_numbers_out_of_bounds_are_refused(bitbucket, params):
    assert bitbucket.http.get("/admin/groups", params=params).status_code == 400


def test_adding_start_and_limit_loses_or_repeats_rows_where_some_are_hidden(launch):
    bitbucket = with_groups(launch(default_group=None, page_mode="filtered_full"), 9)

    first = page(bitbucket, limit=2)
    assert (first["size"], first["nextPageStart"]) == (2, 3)
    assert [group["name"] for group in bitbucket.pages("/admin/groups", limit=2)] == [f"g{n}" for n in range(9)]


def test_a_short_page_need_not_be_the_last(launch):
    bitbucket = with_groups(launch(default_group=None, page_mode="filtered_short"), 9)

    first = page(bitbucket, limit=3)
    assert (first["size"], first["isLastPage"], first["nextPageStart"]) == (2, False, 3)
    empty = page(bitbucket, limit=1, start=2)
    assert (empty["size"], empty["isLastPage"]) == (0, False)
    assert [group["name"] for group in bitbucket.pages("/admin/groups", limit=1)] == [f"g{n}" for n in range(9)]


@given(
    mode=st.sampled_from(["plain", "filtered_full", "filtered_short"]),
    every=st.integers(2, 5),
    total=st.integers(0, 40),
    limit=st.integers(1, 12),
)
def test_following_nextpagestart_shows_every_row_once(mode, every, total, limit):
    switches = Switches(page_mode=mode, hidden_every=every)
    rows, shown = list(range(total)), []
    start: int | None = 0
    while start is not None:
        first, end, next_start = window(switches, total, start, limit)
        shown += rows[first:end]
        assert next_start is None or next_start > start
        start = next_start

    assert shown == rows


@pytest.mark.parametrize(
    ("order", "names"), [("name", ["a", "b", "c", "d"]), ("id", ["c", "a", "d", "b"]), ("shuffled", None)]
)
def test_lists_come_in_the_order_of_the_switch(launch, order, names):
    def listed(seed: int) -> list[str]:
        bitbucket = launch(order=order, order_seed=seed, default_group=None)
        for name in ("c", "a", "d", "b"):
            bitbucket.state.add_group(name)
        return [group["name"] for group in bitbucket.pages("/admin/groups")]

    assert listed(1) == listed(1)
    assert sorted(listed(1)) == ["a", "b", "c", "d"]
    if names is None:
        assert len({tuple(listed(seed)) for seed in range(8)}) > 1
    else:
        assert listed(1) == listed(2) == names


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "read"]), st.integers(0, 60)), max_size=300))
def test_ordered_keys_are_a_sorted_set(steps):
    keys, model = OrderedKeys(), set[str]()
    for step, number in steps:
        key = f"k{number}"
        rank = f"{number * 7 % 61:03}"
        if step == "add":
            assert keys.add(key, rank) is (key not in model)
            model.add(key)
        elif step == "discard":
            assert keys.discard(key) is (key in model)
            model.discard(key)
        else:
            assert keys[0:5] == list(keys)[:5]

    assert list(keys) == sorted(model, key=lambda key: int(key[1:]) * 7 % 61)
    assert len(keys) == len(model)
    assert all(key in keys for key in model)
