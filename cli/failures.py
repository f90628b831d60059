"""Errors as one clear message on stderr and an exit code. A traceback goes to a file, never to a terminal."""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from cli.output import say, width_of, words
from cli.render.grid import labelled, safe
from directory.errors import ConfigurationError, Held, UnknownRecord, UsersyncError

__all__ = ["DEFECT", "INTERRUPTED", "USAGE", "Interrupted", "tell", "tell_defect", "tell_interrupted"]

DEFECT = INTERRUPTED = 1
USAGE = 2
HELD = 3


class Interrupted(Exception):
    """Ctrl-C during a run; `str()` says what the target had acknowledged by then."""


def tell(error: UsersyncError) -> int:
    """What happened, what was not done, what to do next; returns the exit code."""
    console = words()
    width = width_of(console)
    what = f"{error.subject}: {error.what}" if error.subject else error.what
    say(console, (Text.assemble(("usersync: ", "bold red"), safe(line)) for line in what.split("\n")))
    for label, text in (("not done", error.not_done), ("next", error.next_step)):
        if text:
            say(console, labelled(label, text, width=width))
    if isinstance(error, (ConfigurationError, UnknownRecord)):
        return USAGE
    return HELD if isinstance(error, Held) else DEFECT


def tell_interrupted(acknowledged: str) -> int:
    """After Ctrl-C; `acknowledged` says what the target had acknowledged by then."""
    say(words(), [Text.assemble(("usersync: ", "bold red"), f"interrupted; {acknowledged}")])
    return INTERRUPTED


def tell_defect(error: BaseException) -> int:
    """Something that should never happen: one line, and where the traceback was written."""
    where = _write_traceback(error)
    say(
        words(),
        [
            Text.assemble(
                ("usersync: ", "bold red"),
                safe(f"a defect of usersync, {type(error).__name__}; the traceback is in {where}, please report it"),
            )
        ],
    )
    return DEFECT


def _write_traceback(error: BaseException) -> str:
    home = Path(os.environ.get("USERSYNC_HOME") or Path.cwd())
    path = home / ".usersync" / f"defect-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError as trouble:
        return f"no file, as none could be written ({trouble.strerror})"
    return str(path)
