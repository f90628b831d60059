"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["AsJson", "Full", "LedgerUrl", "SyncArgument"]

SyncArgument = Annotated[str, typer.Argument(metavar="SYNC", help="A sync file, or its name under syncs/.")]
LedgerUrl = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="URL",
        envvar="USERSYNC_LEDGER",
        help="Where runs and plans are kept, sqlite:///FILE or postgresql://…  (.usersync/ledger.db where not given).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document and nothing else to stdout.")]
Full = Annotated[
    bool, typer.Option("--full", help="Read everything, also where the source can tell what changed since last time.")
]
