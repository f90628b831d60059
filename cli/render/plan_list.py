"""Plans, one line each, and below it who decided on it or who is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text

from cli.render.grid import grid
from ledger.plans import Decided, StoredPlan
from ledger.questions import Question

__all__ = ["plans_lines"]


def plans_lines(
    plans: Sequence[StoredPlan],
    asked: Mapping[str, Question],
    said: Mapping[str, Sequence[Decided]],
    *,
    width: int | None,
) -> Iterator[Text]:
    """Newest first. `asked` and `said` go by the plan's id."""
    head = ("PLAN", "SYNC", "STATE", "MADE (UTC)")
    table = [head, *((one.id[:8], one.sync, one.state, f"{one.created_at:%Y-%m-%d %H:%M}") for one in plans)]
    first, *lines = grid(table, width=width, whole=(0, 2, 3), indent=0)
    first.stylize("dim")
    yield first
    for plan, line in zip(plans, lines, strict=True):
        yield line
        for below in _below(asked.get(plan.id), said.get(plan.id, ())):
            yield from grid([(below,)], width=width, styles={0: "dim"}, indent=4)


def _below(question: Question | None, said: Sequence[Decided]) -> Iterator[str]:
    if said:
        last = said[-1]
        why = f": {last.comment}" if last.comment else ""
        yield f"{last.decision}, by {last.by} {last.at:%Y-%m-%d %H:%M} UTC{why}"
    if question is not None:
        yield f"flow run {question.flow_run_id} asks about it until {question.open_until:%Y-%m-%d %H:%M} UTC"
