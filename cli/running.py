"""A run from its beginning to its exit code, told on the way."""

from __future__ import annotations

from typing import Any

from cli.conducting import Order, conduct
from cli.output import answers, say, whole_json, width_of, words
from cli.render.plan import FEW, overview, rows
from cli.render.run import ending_lines
from cli.watching import watching
from tasks.ending import Ending

__all__ = ["carry_out"]


def carry_out(order: Order, *, as_json: bool) -> int:
    """Run it, show what came of it, and return the exit code. Raises as `conduct` does."""
    with watching(words(), silent=as_json) as watcher:
        ending = conduct(order, watcher)
    if as_json:
        whole_json(_as_json(ending))
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


def _as_json(ending: Ending) -> dict[str, Any]:
    plan = ending.plan
    return {
        "run": ending.run_id,
        "status": ending.status,
        "exit_code": ending.exit_code,
        "message": ending.message,
        "next": ending.next_step,
        "plan": None if plan is None else {"id": plan.id, **plan.header.model_dump(mode="json")},
        "applied": ending.applied,
        "document": ending.document,
    }
