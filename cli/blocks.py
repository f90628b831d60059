"""`usersync blocks register` and `usersync blocks list`."""

# ruff: noqa: PLC0415 -- a command imports what it needs when it runs, and Prefect takes two seconds

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from cli.options import AsJson

if TYPE_CHECKING:
    from prefect.blocks.core import Block

__all__ = ["commands"]

commands = typer.Typer(help="Credentials as Prefect blocks: the forms for them.", no_args_is_help=True)


@commands.command("register")
def register(as_json: AsJson = False) -> None:  # noqa: FBT002 -- Typer's options are such defaults
    """Make the types of usersync's blocks known to the Prefect server that PREFECT_API_URL names."""
    from rich.text import Text

    from cli.output import answers, say, whole_json
    from tasks.block_types import register_block_types

    done = register_block_types()
    if as_json:
        whole_json(done)
        return
    say(answers(), [Text(f"  {slug:<22}{what}") for slug, what in done.items()])
    say(
        answers(),
        [Text("Next: fill one in, in the Prefect UI under Blocks; `usersync blocks list` says how to name it.")],
    )


@commands.command("list")
def list_types(as_json: AsJson = False) -> None:  # noqa: FBT002 -- Typer's options are such defaults
    """Print the types, their fields, and the references to write in a sync file. Nobody is asked."""
    from rich.text import Text

    from cli.output import answers, say, whole_json
    from connectors.blocks import block_types

    found = {slug: _described(slug, made) for slug, made in block_types().items()}
    if as_json:
        whole_json(found)
        return
    lines = []
    for slug, described in found.items():
        lines.append(Text(f"{described['name']} ({slug})", style="bold"))
        for field in described["fields"]:
            lines.append(Text(f"  {field['reference']}"))
            lines.append(Text(f"    {field['description']}", style="dim"))
    say(answers(), lines)


def _described(slug: str, made: type[Block]) -> dict[str, Any]:
    from connectors.blocks import EXPIRES_ON

    return {
        "name": made.get_block_type_name(),
        "fields": [
            {
                "field": name,
                "reference": f"block:{slug}/NAME/{name}",
                "description": field.description,
            }
            for name, field in made.model_fields.items()
            if name != EXPIRES_ON
        ],
    }
