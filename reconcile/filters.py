"""Which people are admitted, and which filter decided it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias

import polars as pl
from pydantic import Discriminator, Field, Tag, model_validator

from reconcile.numbered import flags
from reconcile.pattern import Pattern, is_name, matches_any
from reconcile.rules import text_or_section
from reconcile.section import Section
from reconcile.transform import Sql, column_of, condition

__all__ = ["Filter", "Filters", "deciding", "filters_of", "unknown_groups"]

_SHOWN = 60
"""Characters of a condition that stand in a reason where the filter has no name."""


class Filter(Section):
    """A condition, or groups, or both; then both must be met."""

    name: Annotated[str, Field(min_length=1)] | None = None
    """What results call it."""
    when: Sql | None = None
    """SQL condition over the person's columns. Null counts as false."""
    groups: tuple[Pattern, ...] = ()
    """The person is in at least one of these source groups, nested members included."""

    @model_validator(mode="after")
    def _asks_something(self) -> Filter:
        if self.when is None and not self.groups:
            raise ValueError("a filter has `when` or `groups`, or both")
        return self

    @property
    def label(self) -> str:
        """The name, or else the condition, shortened."""
        said = self.name or self.when or f"in {', '.join(self.groups)}"
        return said if self.name or len(said) <= _SHOWN else f"{said[: _SHOWN - 1]}…"


_One: TypeAlias = Annotated[
    Annotated[Sql, Tag("text")] | Annotated[Filter, Tag("section")], Discriminator(text_or_section)
]


def _one_or_many(given: object) -> str:
    return "many" if isinstance(given, list | tuple) else text_or_section(given)


Filters: TypeAlias = Annotated[
    Annotated[Sql, Tag("text")]
    | Annotated[Filter, Tag("section")]
    | Annotated[tuple[_One, ...], Field(min_length=1), Tag("many")],
    Discriminator(_one_or_many),
]
"""One condition, one filter, or a list of them."""


def filters_of(given: Filters | None, key: str) -> Iterator[tuple[str, Filter]]:
    """The filters in order, each with its key in the sync file."""
    if given is None:
        return
    many = isinstance(given, tuple)
    for number, one in enumerate(given if isinstance(given, tuple) else (given,)):
        yield f"{key}.{number}" if many else key, Filter(when=one) if isinstance(one, str) else one


def deciding(
    people: pl.DataFrame,
    given: Filters | None,
    groups: pl.DataFrame,
    held: pl.DataFrame,
    *,
    key: str,
) -> pl.Series:
    """Per person the label of the first filter that is met, null where none is.

    `people` are in the order in which they are numbered, `groups` has `source_group` and `name`, `held` who is in which
    group, nested members included: `person`, `source_group`. Raises `ConfigurationError` for a condition that cannot be
    evaluated.
    """
    labels = pl.repeat(None, people.height, dtype=pl.String, eager=True)
    for place, one in filters_of(given, key):
        met = pl.repeat(value=True, n=people.height, dtype=pl.Boolean, eager=True)
        if one.when is not None:
            met = column_of(people, condition(one.when, key=place), key=place)
        if one.groups:
            named = groups.filter(matches_any("name", one.groups)).select("source_group")
            inside = held.join(named, on="source_group", how="semi")["person"].unique()
            met = met & flags(people.height, inside)
        names = pl.repeat(one.label, people.height, dtype=pl.String, eager=True)
        labels = labels.zip_with(labels.is_not_null() | ~met, names)
    return labels


def unknown_groups(given: Filters | None, groups: pl.DataFrame, *, key: str) -> tuple[str, ...]:
    """Groups that a filter names and the source does not have; a pattern may match nothing."""
    known = set(groups["name"].str.to_lowercase())
    return tuple(
        f"the group {name!r} of {place} is not in the source"
        for place, one in filters_of(given, key)
        for name in one.groups
        if is_name(name) and name.lower() not in known
    )
