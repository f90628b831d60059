"""`usersync whatif`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import AsJson, LedgerUrl

if TYPE_CHECKING:
    from tasks.whatif import WhatIf

__all__ = ["whatif"]


def whatif(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The sync file with the new rules.")],
    instead_of: Annotated[
        str | None,
        typer.Option(
            "--instead-of",
            metavar="SYNC",
            help="The sync file of today; the one under syncs/ of NEW's name, if not given.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every row, however many there are.")] = False,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say who would gain or lose access with new rules, by the last snapshots. Nobody is asked, nothing is changed."""
    from cli.books import looked_up
    from cli.output import answers, say, whole_json, width_of
    from cli.render.plan import MANY
    from cli.render.whatif import difference_lines
    from tasks.sync_file import load_sync_file
    from tasks.whatif import what_if
    from tasks.workshop import find_sync_file

    file = load_sync_file(new)
    today = load_sync_file(find_sync_file(instead_of or file.name))
    with looked_up(ledger) as book:
        found = what_if(book, today, file)
    if as_json:
        whole_json(_as_json(found))
        return
    console = answers()
    say(console, difference_lines(found, width=width_of(console), most=None if everything else MANY))


def _as_json(found: WhatIf) -> dict[str, Any]:
    difference = found.difference
    return {
        "source_read_at": found.source_read_at.isoformat(),
        "target_read_at": found.target_read_at.isoformat(),
        "gain": difference.gain.to_dicts(),
        "lose": difference.lose.to_dicts(),
        "enter": difference.enter.to_dicts(),
        "leave": difference.leave.to_dicts(),
        "others": difference.others.to_dicts(),
        "held": [finding.model_dump(mode="json") for finding in found.plan.header.held],
    }
