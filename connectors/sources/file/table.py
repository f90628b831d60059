"""One file as a table: its rows under their own column names, with the place where each stood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal, NamedTuple

import polars as pl

from directory.errors import SourceUnreadable

__all__ = ["LINE", "NOTHING_READ", "RUN_AGAIN", "Broken", "Rows", "Table", "Wanted", "reading", "unreadable"]

LINE: Final = "\x00line"
"""The column, UInt32 from 1, that says where a row stood. No export names a column so."""

NOTHING_READ: Final = "nothing was read, so nothing is changed"

RUN_AGAIN: Final = "look whether the export ended as it should, then run it again"


class Broken(NamedTuple):
    """A row that is left out, and why."""

    line: int
    what: str


@dataclass(frozen=True)
class Wanted:
    """The columns that must hold something of a kind; the others are attributes and may hold anything."""

    text: frozenset[str]
    flags: frozenset[str] = frozenset()
    """Text, a whole number, or true and false."""
    lists: frozenset[str] = frozenset()
    """Lists of text; in CSV, and in Parquet where it is text, joined by a separator."""


class Rows(NamedTuple):
    """What a format's reader hands over."""

    frame: pl.DataFrame
    """`LINE`, then the file's columns."""
    columns: tuple[str, ...] | None
    """None where the file has no row and its format no other place for names, such as `[]`."""
    broken: list[Broken]


def unreadable(path: Path, what: str, next_step: str) -> SourceUnreadable:
    """The error for a whole file."""
    return SourceUnreadable(what, subject=str(path), not_done=NOTHING_READ, next_step=next_step)


@contextmanager
def reading(path: Path, form: str) -> Iterator[None]:
    """Around a call to a reader of Polars, which panics where a damaged file surprises it."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).partition("\n")[0]
        what = f"it cannot be read as {form} ({reason}); the export may have been cut"
        raise unreadable(path, what, RUN_AGAIN) from error


@dataclass(frozen=True)
class Table:
    """A file that was read."""

    path: Path
    unit: Literal["line", "row"]
    """What `LINE` counts: lines of the text from 1, or rows from 1 where lines mean nothing."""
    frame: pl.DataFrame
    columns: tuple[str, ...] | None
    broken: list[Broken]

    def findings(self, broken: Iterable[Broken]) -> list[str]:
        """One sentence each, in the order of the file."""
        return [f"{self.path} {self.unit} {row.line}: {row.what}" for row in sorted(broken)]

    def require(self, column: str, setting: str, *, optional: bool = False) -> None:
        """Raises `SourceUnreadable` where the column is missing, naming the nearest one there is."""
        if self.columns is None or column in self.columns:
            return
        folded = {name.lower(): name for name in reversed(self.columns)}
        near = get_close_matches(column.lower(), folded, n=1)
        if near:
            hint = f"the nearest is {folded[near[0]]!r}"
        elif len(self.columns) == 1:
            hint = f"its only column is {self.columns[0]!r}, so perhaps `separator` is wrong"
        elif not self.columns:
            hint = "there is none at all"
        else:
            hint = f"there are {', '.join(map(repr, self.columns))}"
        next_step = f"set `{setting}` to the right name" + (", or to null if there is none" if optional else "")
        raise unreadable(self.path, f"there is no column {column!r}; {hint}", next_step)
