"""The fewest calls: a cover is a cover, and no smaller one exists."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.cover import minimum_cover

Edge = tuple[str, str]
edges = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("ABCDEFGH")), unique=True)
STAR = [(account, "A") for account in "abcdefgh"]
PATH = [("a", "A"), ("b", "A"), ("b", "B"), ("c", "B"), ("c", "C")]


def cover_of(pairs: list[Edge]) -> set[str]:
    """The vertices whose calls carry the edges."""
    frame = pl.DataFrame(pairs, schema={"account": pl.String, "group": pl.String}, orient="row")
    by_group = minimum_cover(frame)
    assert by_group.len() == len(pairs)
    return {group if carried else account for (account, group), carried in zip(pairs, by_group, strict=True)}


def maximum_matching(pairs: list[Edge]) -> int:
    """By augmenting paths, one account after the other."""
    partner: dict[str, str] = {}

    def placed(account: str, tried: set[str]) -> bool:
        for one, group in pairs:
            if one == account and group not in tried:
                tried.add(group)
                if group not in partner or placed(partner[group], tried):
                    partner[group] = account
                    return True
        return False

    return sum(placed(account, set()) for account in sorted({account for account, _ in pairs}))


@given(edges)
@example([])
@example(STAR)
@example(PATH)
def test_as_many_calls_as_the_largest_matching_has_pairs(pairs: list[Edge]) -> None:
    assert len(cover_of(pairs)) == maximum_matching(pairs)


@given(edges, st.randoms(use_true_random=False))
def test_the_order_of_edges_does_not_change_how_many_calls_there_are(pairs: list[Edge], random) -> None:
    mixed = list(pairs)
    random.shuffle(mixed)
    assert len(cover_of(mixed)) == len(cover_of(pairs))


def test_one_group_for_many_accounts_is_one_call_of_the_group() -> None:
    assert cover_of(STAR) == {"A"}
    assert cover_of([(group.lower(), account.upper()) for account, group in STAR]) == {"a"}


def test_numbers_are_as_good_as_names() -> None:
    frame = pl.DataFrame({"account": [7, 7, 9], "group": [1, 2, 1]}, schema={"account": pl.UInt32, "group": pl.UInt32})
    by_group = minimum_cover(frame)
    carriers = {
        ("g", group) if carried else ("a", who) for (who, group), carried in zip(frame.rows(), by_group, strict=True)
    }
    assert len(carriers) == 2
