"""The SQL expressions of a sync file, run by Polars over whole columns. No code runs from a sync file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated

import polars as pl
from pydantic import AfterValidator

from directory.errors import ConfigurationError

__all__ = ["Sql", "column_of", "condition", "evaluate", "expression"]


def _readable(text: str) -> str:
    try:
        pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise ValueError(
            f"the expression cannot be used ({str(error).splitlines()[0]}); the functions are those of Polars SQL"
        ) from None
    return text


Sql = Annotated[str, AfterValidator(_readable)]
"""An SQL expression over the columns of a person."""


def expression(text: str, *, key: str) -> pl.Expr:
    """Read one SQL expression. Raises `ConfigurationError` that names the key of the sync file it stands in."""
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise _unusable(text, key, str(error)) from None


def condition(text: str, *, key: str) -> pl.Expr:
    """Read one SQL condition; null counts as false."""
    return expression(text, key=key).cast(pl.Boolean).fill_null(value=False)


def evaluate(people: pl.DataFrame, named: Iterable[tuple[str, str, pl.Expr]]) -> pl.DataFrame:
    """Compute columns over the people. `named` holds (column, key of the sync file, expression).

    Raises `ConfigurationError` where an expression names a column that the source does not have, or fails on a value.
    """
    columns = [column_of(people, expr, key=key).alias(name) for name, key, expr in named]
    return pl.DataFrame(columns)


def column_of(people: pl.DataFrame, expr: pl.Expr, *, key: str) -> pl.Series:
    """One expression over the people. Raises `ConfigurationError` as `evaluate` does."""
    missing = [root for root in expr.meta.root_names() if root not in people.columns]
    if missing:
        near = difflib.get_close_matches(missing[0], people.columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(people.columns)}"
        raise ConfigurationError(
            f"the source has no column {missing[0]!r}",
            subject=key,
            not_done="nothing was planned and nothing was written",
            next_step=hint,
        )
    try:
        column = people.select(expr).to_series()
    except pl.exceptions.PolarsError as error:
        raise _unusable(str(expr), key, str(error)) from None
    if len(column) not in (1, people.height):
        raise _unusable(str(expr), key, f"it makes {len(column)} values of {people.height} people")
    return column if len(column) == people.height else column.new_from_index(0, people.height)


def _unusable(text: str, key: str, error: str) -> ConfigurationError:
    return ConfigurationError(
        f"the expression cannot be used ({error.splitlines()[0]}): {text}",
        subject=key,
        not_done="nothing was planned and nothing was written",
        next_step="mend the expression; the functions are those of Polars SQL, see docs/sync-file.md",
    )
