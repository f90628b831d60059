"""Nested groups on any graph: it ends, it is reachability, and the path is a shortest one."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from directory.flatten import REACHES, effective_memberships, reaches
from directory.snapshot import MEMBERSHIPS, SOURCE_GROUPS

NODES = "abcdef"
Edge = tuple[str, str]
graphs = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)))

CYCLE = [("a", "b"), ("b", "c"), ("c", "a")]
DIAMOND = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "d")]


def closure(edges: list[Edge]) -> pl.DataFrame:
    groups = pl.DataFrame([(node, f"group {node}") for node in NODES], schema=SOURCE_GROUPS, orient="row")
    nested = pl.DataFrame([(*edge, True) for edge in edges], schema=MEMBERSHIPS, orient="row")
    return reaches(groups, nested)


def distances(edges: list[Edge], start: str) -> dict[str, int]:
    """Breadth first, by hand."""
    found, frontier, depth = {start: 0}, {start}, 0
    while frontier:
        depth += 1
        frontier = {inner for outer, inner in edges if outer in frontier} - found.keys()
        found |= dict.fromkeys(frontier, depth)
    return found


@given(graphs)
@example(CYCLE)
@example(DIAMOND)
@example([("a", "a")])
def test_who_reaches_whom_and_over_how_many(edges: list[Edge]) -> None:
    found = {(group, via): depth for _, group, via, depth, _ in closure(edges).iter_rows()}
    assert found == {(group, via): depth for group in NODES for via, depth in distances(edges, group).items()}


@given(graphs)
def test_a_path_is_a_way_through_the_graph_and_a_shortest_one(edges: list[Edge]) -> None:
    rows = closure(edges)
    assert dict(rows.schema) == dict(REACHES)
    assert rows["reach"].to_list() == list(range(rows.height))
    assert rows["depth"].is_sorted()
    for _, group, via, depth, path in rows.iter_rows():
        steps = [name.removeprefix("group ") for name in path.split(" > ")]
        assert (steps[0], steps[-1], len(steps)) == (group, via, depth + 1)
        assert all(step in edges for step in pairwise(steps))


@given(graphs, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(edges: list[Edge], random) -> None:
    mixed = list(edges)
    random.shuffle(mixed)
    assert closure(mixed).equals(closure(edges))


def test_of_two_shortest_paths_the_first_by_name_is_told() -> None:
    rows = closure(DIAMOND).filter(group_id="a", via="d")
    assert rows["path"].to_list() == ["group a > group b > group d"]


def test_a_group_that_nobody_knows_is_reached_by_nobody() -> None:
    assert closure([("a", "unknown"), ("unknown", "b")]).filter(pl.col("depth") > 0).is_empty()


def test_without_groups_there_is_nothing_to_reach() -> None:
    found = reaches(pl.DataFrame(schema=SOURCE_GROUPS), pl.DataFrame(schema=MEMBERSHIPS))
    assert found.is_empty()
    assert dict(found.schema) == dict(REACHES)


def test_a_deep_chain_ends() -> None:
    names = [f"g{number:03}" for number in range(200)]
    groups = pl.DataFrame([(name, name) for name in names], schema=SOURCE_GROUPS, orient="row")
    chain = [(outer, inner, True) for outer, inner in zip(names, [*names[1:], names[0]], strict=True)]
    assert reaches(groups, pl.DataFrame(chain, schema=MEMBERSHIPS, orient="row")).height == 200 * 200


NUMBERS = st.integers(0, 4)
direct_rows = st.lists(st.tuples(NUMBERS, NUMBERS))
reach_rows = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 9)))


@given(direct_rows, reach_rows)
@example([(0, 1), (0, 1)], [(1, 2, 3)])
def test_everybody_is_in_each_group_once_by_the_shortest_way(
    direct: list[tuple[int, int]], reach: list[tuple[int, int, int]]
) -> None:
    keys = {"person": pl.UInt32, "via": pl.UInt32}
    ways = {"via": pl.UInt32, "group": pl.UInt32, "reach": pl.UInt32}
    found = effective_memberships(
        pl.DataFrame(direct, schema=keys, orient="row"), pl.DataFrame(reach, schema=ways, orient="row")
    )
    expected: dict[tuple[int, int], int] = {}
    for person, via in direct:
        for other, group, way in reach:
            if other == via:
                expected[person, group] = min(way, expected.get((person, group), way))
    assert found.columns == ["person", "group", "reach"]
    assert sorted(found.rows()) == sorted((*key, way) for key, way in expected.items())
