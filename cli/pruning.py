"""`usersync prune`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.options import AsJson, LedgerUrl

__all__ = ["prune"]


def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Such as 90d or 12w.", show_default=True)
    ] = "90d",
    audit_older_than: Annotated[
        str,
        typer.Option("--audit-older-than", metavar="AGE", help="The same for the audit logs.", show_default=True),
    ] = "400d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed.")] = False,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Remove old runs, plans, results, documents and audit entries from the ledger; never what is still needed."""
    from rich.text import Text

    from cli.books import looked_up
    from cli.output import answers, say, whole_json
    from ledger.instant import now
    from tasks.pruning import age
    from tasks.pruning import prune as remove

    before, audit_before = now() - age(older_than), now() - age(audit_older_than)
    with looked_up(ledger) as book:
        pruned = remove(book, before, audit_before=audit_before, dry_run=dry_run)
    if as_json:
        whole_json(asdict(pruned))
    else:
        said = pruned.told()
        say(answers(), [Text(f"{said[0].upper()}{said[1:]}."), *(Text(f"Not removed: {one}") for one in pruned.stuck)])
    raise typer.Exit(1 if pruned.stuck else 0)
