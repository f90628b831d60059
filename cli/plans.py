"""`usersync plan`, `show` and `apply`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from typing import Annotated, Literal, get_args

import typer

from cli.options import AsJson, Full, LedgerUrl, SyncArgument

__all__ = ["apply", "plan", "show"]

KindName = Literal[
    "create_group",
    "adopt",
    "leave",
    "remove_access",
    "strip_groups",
    "anonymise",
    "set_aside",
    "delete",
    "erase",
    "rename",
    "create",
    "update",
    "restore_access",
    "add_membership",
    "remove_membership",
    "release",
    "set_picture",
    "reset_picture",
]
OriginName = Literal["source", "rules", "drift"]
PlanArgument = Annotated[str, typer.Argument(metavar="PLAN", help="A plan's id, or at least six characters of it.")]


def plan(sync: SyncArgument, full: Full = False, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Say what a sync would do, and store it. Nothing is written to Bitbucket."""
    from cli.conducting import Order
    from cli.running import carry_out

    raise typer.Exit(carry_out(Order("plan", sync, ledger, full=full), as_json=as_json))


def apply(
    plan_id: PlanArgument,
    sync: Annotated[
        str | None,
        typer.Argument(metavar="SYNC", help="The sync file; the one the plan was made with, if not given."),
    ] = None,
    approved_by: Annotated[
        str | None, typer.Option("--approved-by", metavar="NAME", help="Your name, to let a held plan through.")
    ] = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Apply a stored plan, exactly as it was shown."""
    from cli.books import looked_up
    from cli.conducting import Order
    from cli.running import carry_out
    from tasks.records import sync_file_of

    with looked_up(ledger) as book:
        full_id = book.plans.get(plan_id).id
        sync_file = sync or sync_file_of(book, full_id)
    raise typer.Exit(carry_out(Order("apply", sync_file, ledger, full_id, approved_by), as_json=as_json))


def show(
    plan_id: PlanArgument,
    why: Annotated[
        str | None, typer.Option("--why", metavar="PERSON", help="Only this person: what happens to them, and why.")
    ] = None,
    kind: Annotated[
        KindName | None,
        typer.Option("--kind", metavar="KIND", help=f"Only operations of one kind: {', '.join(get_args(KindName))}."),
    ] = None,
    origin: Annotated[
        OriginName | None,
        typer.Option(
            "--origin",
            help="Only what is due because this changed; drift: the target, by hand.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every row, however many there are.")] = False,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a stored plan."""
    from cli.books import looked_up
    from cli.output import answers, say, whole_json, width_of
    from cli.render import plan as drawn
    from tasks.plans import stored_plan
    from tasks.records import known_person, plan_as_json

    with looked_up(ledger) as book:
        stored, found = stored_plan(book, plan_id)
    if why is not None:
        known_person(found, why)
    if as_json:
        whole_json(plan_as_json(stored, found, kind=kind, person=why, origin=origin))
        return
    console = answers()
    width = width_of(console)
    if why is not None:
        say(console, drawn.verdict(found, why, width=width))
        return
    say(console, drawn.overview(found, width=width, approved_by=stored.approved_by))
    say(console, drawn.state(stored, width=width))
    most = None if everything else drawn.MANY
    say(console, drawn.rows(found, width=width, most=most, kind=kind, origin=origin))
    say(console, drawn.next_command(stored, found, width=width))
