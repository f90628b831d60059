"""A run from its beginning to its exit code, told on the way."""

from __future__ import annotations

from cli.conducting import Order, conduct
from cli.output import answers, say, whole_json, width_of, words
from cli.render.plan import FEW, overview, rows
from cli.render.run import ending_lines
from cli.watching import watching
from tasks.ending import Ending
from tasks.records import ending_as_json

__all__ = ["carry_out"]


def carry_out(order: Order, *, as_json: bool) -> int:
    """Run it, show what came of it, and return the exit code. Raises as `conduct` does."""
    with watching(words(), silent=as_json) as watcher:
        ending = conduct(order, watcher)
    if as_json:
        whole_json(ending_as_json(ending))
    else:
        _tell(order, ending)
    return ending.exit_code


def _tell(order: Order, ending: Ending) -> None:
    console = answers()
    width = width_of(console)
    shown = ending.plan is not None and (order.mode != "apply" or ending.status == "held")
    if ending.plan is not None and shown:
        console.print()
        say(console, overview(ending.plan, width=width, findings=FEW))
        if ending.status != "held":
            say(console, rows(ending.plan, width=width, most=FEW))
    console.print()
    say(console, ending_lines(ending, width=width, reasons_told=shown))
