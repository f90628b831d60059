"""`usersync undo`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import AsJson, LedgerUrl

__all__ = ["undo"]


def undo(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the beginning of it, or `latest`.")],
    sync: Annotated[
        str | None,
        typer.Argument(metavar="SYNC", help="The sync file; the one the run was made with, if not given."),
    ] = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Plan to take back what a run changed, and store it. Nothing is written to Bitbucket."""
    from cli.books import looked_up
    from cli.conducting import Order
    from cli.running import carry_out
    from tasks.records import find_run, sync_file_of

    with looked_up(ledger) as book:
        run = find_run(book, run_id)
        sync_file = sync or str(run.header.get("sync_file") or sync_file_of(book, str(run.plan_id)))
    raise typer.Exit(carry_out(Order("undo", sync_file, ledger, run.id), as_json=as_json))
