"""What `usersync check` found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from cli.render.grid import labelled, safe
from connectors.contract import CheckFinding

__all__ = ["check_lines"]

_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}


def check_lines(side: str, name: str, findings: Sequence[CheckFinding], *, width: int | None) -> Iterator[Text]:
    """A side's findings in the order in which they were found."""
    yield Text.assemble((side, "bold"), f"  {safe(name)}")
    for finding in findings:
        first, *rest = labelled(finding.level, finding.what, width=width)
        first.stylize(_STYLES[finding.level], 2, 2 + len(finding.level))
        yield first
        yield from rest
        if finding.next_step:
            yield from labelled("", f"→ {finding.next_step}", width=width)
