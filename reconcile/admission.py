"""What the filters of a sync file say of everybody, and the memberships that they and the attributes look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from directory.flatten import effective_memberships
from reconcile.filters import deciding, filters_of, unknown_groups
from reconcile.pattern import matches_any
from reconcile.policy import Policy
from reconcile.rules import columns_used

__all__ = ["GROUPS", "Admission", "admit"]

GROUPS = "groups"
"""The column that an expression may name to ask for the groups of a person."""


@dataclass(frozen=True)
class Admission:
    people: pl.DataFrame
    """The source's people, with a column `groups` List(String) where an expression asks for it and the source has no
    such column."""
    included: pl.Series
    """The label of the filter of `people.include` that admits the person, null where none does."""
    excluded: pl.Series
    """The same of `people.exclude`."""
    findings: tuple[str, ...]
    """Groups that `people.include` names and the source does not have; each holds the plan."""
    unexcluded: tuple[str, ...]
    """The same of `people.exclude`: whoever was kept out by such a group would be let in."""
    keeps_out_by_groups: bool
    """Whether a membership that was not read may let somebody in: an exclude filter names groups, or a condition the
    column `groups`."""


def admit(
    people: pl.DataFrame, groups: pl.DataFrame, direct: pl.DataFrame, numbered: pl.DataFrame, policy: Policy
) -> Admission:
    """Ask every filter. Raises `ConfigurationError` for a condition that cannot be evaluated.

    `people` are those of the source in the order in which they are numbered, `groups` has `source_group` and `name`;
    `direct` are direct memberships as `person`, `via`; whoever is in `via` is in `source_group`, says `numbered`.
    """
    given = {"people.include": policy.people.include, "people.exclude": policy.people.exclude}
    asked = [pattern for key, one in given.items() for _, each in filters_of(one, key) for pattern in each.groups]
    looked_at = groups if _asks_for_groups(policy) and GROUPS not in people.columns else None
    named = groups.filter(matches_any("name", asked)) if looked_at is None else looked_at
    held = effective_memberships(
        direct,
        numbered.join(named, on="source_group", how="semi").select(
            "via", pl.col("source_group").alias("group"), "reach"
        ),
    ).select("person", pl.col("group").alias("source_group"))
    if looked_at is not None:
        people = people.with_columns(_names_of(people.height, groups, held))
    included, excluded = (deciding(people, one, groups, held, key=key) for key, one in given.items())
    return Admission(
        people,
        included,
        excluded,
        unknown_groups(policy.people.include, groups, key="people.include"),
        unknown_groups(policy.people.exclude, groups, key="people.exclude"),
        any(one.groups for _, one in filters_of(policy.people.exclude, "people.exclude"))
        or (looked_at is not None and GROUPS in set(_columns_of_filters(policy))),
    )


def _asks_for_groups(policy: Policy) -> bool:
    return GROUPS in set(_columns(policy))


def _columns(policy: Policy) -> Iterator[str]:
    """The columns that the expressions of a policy name."""
    mapping = policy.attributes
    for value in (mapping.username, mapping.email, mapping.display_name, *mapping.extra.values()):
        yield from columns_used(value)
    yield from _columns_of_filters(policy)


def _columns_of_filters(policy: Policy) -> Iterator[str]:
    for given in (policy.people.include, policy.people.exclude):
        for _, one in filters_of(given, ""):
            if one.when is not None:
                yield from columns_used(one.when)


def _names_of(people: int, groups: pl.DataFrame, held: pl.DataFrame) -> pl.Series:
    """The names of everybody's groups, sorted; an empty list for who is in none."""
    ranked = groups.sort("name").with_row_index("rank").sort("source_group")
    listed = (
        held.select("person", ranked["rank"].gather(held["source_group"]).alias("rank"))
        .sort("person", "rank")
        .select("person", pl.lit(ranked.sort("rank")["name"]).gather("rank").alias(GROUPS))
        .group_by("person", maintain_order=True)
        .agg(GROUPS)
    )
    numbers = pl.DataFrame({"person": pl.int_range(people, dtype=pl.UInt32, eager=True)})
    joined = numbers.join(listed, on="person", how="left", maintain_order="left")
    return joined[GROUPS].fill_null([])
