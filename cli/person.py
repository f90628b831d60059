"""`usersync sync-person`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import AsJson, LedgerUrl, SyncArgument

__all__ = ["sync_person"]


def sync_person(
    sync: SyncArgument,
    person: Annotated[
        str,
        typer.Argument(
            metavar="PERSON",
            help="Username, e-mail address or id in the source; of who is gone there, the username in Bitbucket.",
        ),
    ],
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make one person's account as the source says. Nobody else is touched."""
    from cli.conducting import Order
    from cli.running import carry_out

    raise typer.Exit(carry_out(Order("person", sync, ledger, person=person), as_json=as_json))
