"""The two streams: answers go to stdout, progress and errors to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

__all__ = ["answers", "say", "whole_json", "width_of", "words"]

_ENDLESS = 100_000
"""Columns where nobody looks: a pipe gets every line whole."""


def answers() -> Console:
    """Stdout. Plain where it is no terminal or NO_COLOR is set."""
    return _console(stderr=False)


def words() -> Console:
    """Stderr."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else _ENDLESS
    return Console(stderr=stderr, width=wide, highlight=False, markup=False, emoji=False)


def width_of(console: Console) -> int | None:
    """Columns that there are, None for as many as it takes."""
    return None if console.width >= _ENDLESS else console.width


def say(console: Console, lines: Iterable[Text]) -> None:
    """Print lines that were made to fit."""
    for line in lines:
        console.print(line, soft_wrap=True)


def whole_json(value: Any) -> None:
    """One JSON document on stdout, and nothing else. What JSON does not know is written as text."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
    sys.stdout.flush()
