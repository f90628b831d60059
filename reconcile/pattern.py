"""What a sync file may say about names: patterns such as `bb-*` (`*` and `?`, without case) or `/^bb-[0-9]+$/`, and
regular expressions with captured parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

import polars as pl
from pydantic import AfterValidator

__all__ = ["Pattern", "Regex", "captures", "is_name", "matches_any", "substitute"]

_CAPTURED = re.compile(r"\$(?:(\d+)|\{(\w+)\}|(\$))")
"""`$1`, `${1}`, `${name}`, and `$$` for a dollar sign."""


def _as_regex(pattern: str) -> str:
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return pattern[1:-1]
    body = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return f"(?is)^{body}$"


def _check(pattern: str) -> str:
    if not pattern:
        raise ValueError("a pattern is empty")
    _check_regex(_as_regex(pattern), named=pattern)
    return pattern


def _check_regex(regex: str, named: str | None = None) -> str:
    try:
        # Polars' engine is the one that will run it: it knows no look-around and no back-reference.
        pl.Series([""]).str.contains(regex)
    except pl.exceptions.ComputeError as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"the regular expression {named or regex} cannot be used: {said}") from None
    return regex


Pattern = Annotated[str, AfterValidator(_check)]
"""`bb-*`, or a regular expression between slashes."""

Regex = Annotated[str, AfterValidator(_check_regex)]
"""A regular expression of Polars (Rust's syntax), without slashes around it."""


def captures(regex: str, replacement: str) -> None:
    """Raises `ValueError` where the replacement speaks of a part that the regular expression does not capture."""
    fields = pl.Series([""]).str.extract_groups(regex).struct.fields
    known = {"0", *map(str, range(1, len(fields) + 1)), *fields}
    for number, name, _ in _CAPTURED.findall(replacement):
        if (number or name) and (number or name) not in known:
            raise ValueError(f"the regular expression {regex} captures no ${number or name}; it has {len(fields)}")


def substitute(text: pl.Expr, regex: str, replacement: str) -> pl.Expr:
    """Every match replaced. `$1` is the first captured part and may be followed by letters, `$$` is a dollar sign."""
    spelled = _CAPTURED.sub(lambda found: "$$" if found[3] else f"${{{found[1] or found[2]}}}", replacement)
    return text.str.replace_all(regex, spelled)


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
