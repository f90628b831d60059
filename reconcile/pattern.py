"""Patterns for names in a sync file: `bb-*` (`*` and `?`, without case) or `/^bb-[0-9]+$/` (a regular expression)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

import polars as pl
from pydantic import AfterValidator

__all__ = ["Pattern", "is_name", "matches_any"]


def _as_regex(pattern: str) -> str:
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return pattern[1:-1]
    body = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return f"(?is)^{body}$"


def _check(pattern: str) -> str:
    if not pattern:
        raise ValueError("a pattern is empty")
    try:
        # Polars' engine is the one that will run it: it knows no look-around and no back-reference.
        pl.Series([""]).str.contains(_as_regex(pattern))
    except pl.exceptions.ComputeError as error:
        raise ValueError(f"the regular expression {pattern} cannot be used: {str(error).splitlines()[0]}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_check)]


def is_name(pattern: str) -> bool:
    """Whether a pattern is a plain name, which matches itself alone."""
    is_regex = len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")
    return not (is_regex or "*" in pattern or "?" in pattern)


def matches_any(column: str, patterns: Iterable[str]) -> pl.Expr:
    """True where the column matches one of the patterns; false where it is null or there is no pattern."""
    expression = pl.lit(value=False)
    for pattern in patterns:
        hit = pl.lit(value=True) if pattern == "*" else pl.col(column).str.contains(_as_regex(pattern))
        expression = expression | hit
    return expression.fill_null(value=False)
