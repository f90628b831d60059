"""The command `usersync`. Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 held, 4 applied in part."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from cli import (
    automations,
    blocks,
    cases,
    checks,
    copying,
    decisions,
    failures,
    person,
    plans,
    pruning,
    runs,
    schedules,
    scim,
    serve,
    undoing,
    whatif,
)
from cli.output import survive_any_encoding
from directory.errors import UsersyncError

__all__ = ["app", "attempt", "main", "run"]

_INTERRUPTED_BY_TYPER = 130

app = typer.Typer(
    name="usersync",
    help="Keep the users, groups and memberships of Bitbucket equal to an identity provider's.\n\n"
    "Exit codes: 0 done or nothing to do, 1 failed, 2 usage or configuration, 3 held by the guard, 4 applied in part.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 -- typer calls it
    if wanted:
        typer.echo(f"usersync {version('bitbucket-usersync')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    pass


app.command()(checks.check)
app.command()(plans.plan)
app.command()(runs.sync)
app.command("sync-person")(person.sync_person)
app.command()(plans.show)
app.command()(plans.apply)
app.command()(decisions.approve)
app.command()(decisions.reject)
app.command("plans")(decisions.list_plans)
app.command()(undoing.undo)
app.command("runs")(runs.list_runs)
app.command()(runs.results)
app.command("copy-ledger")(copying.copy_ledger)
app.command()(checks.schema)
app.command()(schedules.schedule)
app.command()(pruning.prune)
app.command("test")(cases.judge)
app.command()(whatif.whatif)
app.command()(automations.automations)
app.add_typer(blocks.commands, name="blocks")
app.add_typer(scim.commands, name="scim")
app.command("serve")(serve.serve)
app.command("audit")(serve.audit)
app.add_typer(serve.tokens, name="token")


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with the ledger and the results.")] = False,
) -> None:
    """The main job end to end, against simulators on this machine."""
    from cli.demo.story import tell  # noqa: PLC0415 -- imports the simulators

    raise typer.Exit(tell(attempt, keep=keep))


def attempt(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what goes wrong is told on stderr. Interruptions pass through."""
    try:
        app(list(arguments) if arguments is not None else None, prog_name="usersync")
    except SystemExit as end:
        if end.code == _INTERRUPTED_BY_TYPER:
            raise KeyboardInterrupt from None
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UsersyncError as error:
        return failures.tell(error)
    except failures.Interrupted:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever it is, nobody wants a traceback on a terminal
        return failures.tell_defect(error)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """As `attempt`; an interruption is told as well."""
    try:
        return attempt(arguments)
    except failures.Interrupted as interruption:
        return failures.tell_interrupted(str(interruption))
    except KeyboardInterrupt:
        return failures.tell_interrupted("nothing was being written to the target")


def run() -> None:
    """The entry point. SIGTERM and SIGHUP end a run as Ctrl-C does: it closes its books first."""
    survive_any_encoding()
    for stop in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, stop, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(main())
