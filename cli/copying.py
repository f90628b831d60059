"""`usersync copy-ledger`."""

# ruff: noqa: PLC0415 -- a command imports what it needs when it runs

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsJson, LedgerUrl

__all__ = ["copy_ledger"]


def copy_ledger(
    to: Annotated[
        str, typer.Argument(metavar="TO", help="A file that does not exist yet, or the URL of an empty database.")
    ],
    ledger: LedgerUrl = None,
    as_json: AsJson = False,  # noqa: FBT002 -- Typer's options are such defaults
) -> None:
    """Copy the ledger to another place: a backup, a backup brought back, a move to PostgreSQL. Runs may go on."""
    from rich.text import Text

    import ledger as ledgers
    from cli.books import looked_up
    from cli.output import answers, say, whole_json

    with looked_up(ledger) as book, ledgers.open(to if "://" in to else Path(to).absolute()) as other:
        rows = book.copy_to(other)
        place = other.location
    console = answers()
    if as_json:
        whole_json({"to": place, "rows": rows})
        return
    for table, count in rows.items():
        if count:
            say(console, [Text(f"  {table:<20}{count:>12,}")])
    say(console, [Text(f"{sum(rows.values()):,} rows copied to {place}")])
