"""`usersync check` and `schema`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from cli.options import AsJson, LedgerUrl, SyncArgument

if TYPE_CHECKING:
    from connectors.contract import CheckFinding
    from reconcile.expiry import Expiring
    from tasks.login_settings import AtLoginSection

__all__ = ["check", "schema"]


def check(sync: SyncArgument, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Say whether both ends can be reached, and what is missing. Nothing is written to either."""
    import asyncio

    from cli.output import answers, say, whole_json, width_of
    from cli.render.check import check_lines

    found = asyncio.run(_findings(sync, ledger))
    problems = sum(finding.level == "problem" for _, findings in found.values() for finding in findings)
    if as_json:
        whole_json({side: [asdict(finding) for finding in findings] for side, (_, findings) in found.items()})
        raise typer.Exit(1 if problems else 0)
    console = answers()
    for side, (name, findings) in found.items():
        say(console, check_lines(side, name, findings, width=width_of(console)))
        console.print()
    if problems:
        console.print(f"{problems} problem{'s' if problems > 1 else ''} to mend.", style="bold red")
        raise typer.Exit(1)
    console.print(f"Ready. Next: usersync plan {sync}", style="bold")


async def _findings(sync: str, ledger: str | None) -> dict[str, tuple[str, list[CheckFinding]]]:
    """Per side its name and what was found. Raises `ConfigurationError` for what is wrong with the file."""
    from reconcile.expiry import SecretOf
    from tasks.expiries import expiring_secrets
    from tasks.workshop import find_sync_file, open_workshop

    async with open_workshop(find_sync_file(sync), ledger_url=ledger) as shop:
        urgent = expiring_secrets(shop.sync, shop.clock().date())
        soon = {side: [_told(one) for one in urgent if one.side == side] for side in get_args(SecretOf)}
        found = {
            "source": (shop.names.source, await shop.source.check() + soon["source"]),
            "target": (shop.names.target, await shop.target.check() + soon["target"]),
        }
        if shop.sync.at_login is not None:
            found["at login"] = ("hooks", _secrets_of_hooks(shop.sync.at_login) + soon["at_login"])
        return found


def _secrets_of_hooks(section: AtLoginSection) -> list[CheckFinding]:
    """Whether they can be looked up here; the service may run elsewhere, so that it is no problem of this machine."""
    from connectors.contract import CheckFinding
    from connectors.secret import references_in, resolve_secret
    from directory.errors import ConfigurationError

    found = []
    for reference in dict.fromkeys(references_in(section)):
        try:
            resolve_secret(reference)
        except ConfigurationError as error:
            wait = "until `usersync serve` has it, calls of the hook are answered and nobody is brought up to date"
            found.append(CheckFinding("note", f"{reference}: {error.what}", wait))
        else:
            found.append(CheckFinding("ok", f"{reference} is there"))
    return found


def _told(one: Expiring) -> CheckFinding:
    """What has expired may stop a run; what will has not yet."""
    from connectors.contract import CheckFinding

    return CheckFinding("problem" if one.days_left < 0 else "note", one.message, one.next_step)


def schema(
    of: Annotated[
        Literal["sync", "results", "case"],
        typer.Argument(help="The sync file, the document of a run, or a case of a policy test."),
    ] = "sync",
) -> None:
    """Print a JSON Schema, for editors and for whoever reads results."""
    from cli.output import whole_json

    if of == "sync":
        from tasks.sync_file import sync_file_schema

        whole_json(sync_file_schema())
        return
    if of == "case":
        from directory.field_help import described_schema
        from reconcile.cases import Case

        whole_json(described_schema(Case))
        return
    from reconcile.results import schema as document_schema

    whole_json(document_schema())
