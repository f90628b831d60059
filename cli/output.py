"""The two streams: answers go to stdout, progress and errors to stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

__all__ = ["answers", "as_bytes", "say", "survive_any_encoding", "whole_json", "width_of", "words"]

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
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    as_bytes([text.encode(), b"\n"])


def as_bytes(pieces: Iterable[bytes]) -> None:
    """Write to stdout as it is: JSON is UTF-8 whatever the terminal's encoding is (RFC 8259, section 8.1)."""
    sys.stdout.flush()
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def survive_any_encoding() -> None:
    """Where a terminal cannot show a letter it gets a question mark, and the command goes on."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
