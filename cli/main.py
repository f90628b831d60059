"""The command `usersync`. Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 held, 4 applied in part."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from cli import checks, failures, plans, runs
from cli.output import survive_any_encoding
from directory.errors import UsersyncError

__all__ = ["app", "main", "run"]

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
app.command()(plans.show)
app.command()(plans.apply)
app.command("runs")(runs.list_runs)
app.command()(runs.results)
app.command()(checks.schema)


@app.command()
def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with the ledger and the results.")] = False,
) -> None:
    """The main job end to end, against simulators on this machine."""
    from cli.demo.story import tell  # noqa: PLC0415 -- imports the simulators

    raise typer.Exit(tell(main, keep=keep))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is told on stderr."""
    try:
        app(list(arguments) if arguments is not None else None, prog_name="usersync")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return failures.tell_interrupted() if code == _INTERRUPTED_BY_TYPER else code
    except UsersyncError as error:
        return failures.tell(error)
    except KeyboardInterrupt:
        return failures.tell_interrupted()
    except Exception as error:  # noqa: BLE001 -- whatever it is, nobody wants a traceback on a terminal
        return failures.tell_defect(error)
    return 0


def run() -> None:
    """The entry point."""
    survive_any_encoding()
    sys.exit(main())
