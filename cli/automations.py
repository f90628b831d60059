"""`usersync automations`: messages about what happens, switched on and off at a Prefect server."""

# ruff: noqa: PLC0415 -- a command imports what it needs when it runs

from __future__ import annotations

import os
from typing import Annotated

import typer

from directory.errors import ConfigurationError

__all__ = ["automations"]


def automations(
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="NAME", help="Switch this one on, or renew it. May be given more than once."),
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option("--off", metavar="NAME", help="Switch this one off. May be given more than once."),
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option("--notify", metavar="TYPE/NAME", help="The Prefect block that messages go to: slack-webhook/ops."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--hours", min=0.01, help="For no-success: how long without a success is too long.")
    ] = None,
) -> None:
    """List the automations of deploy/automations, or switch some on or off."""
    import asyncio

    from cli.output import answers

    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigurationError(
            "no Prefect server is named",
            subject="PREFECT_API_URL",
            not_done="nothing was switched on or off",
            next_step="set it, such as http://127.0.0.1:4200/api",
        )
    for line in asyncio.run(_carried_out(on or [], off or [], notify, hours)):
        answers().print(line, soft_wrap=True, markup=False, highlight=False)


async def _carried_out(on: list[str], off: list[str], notify: str | None, hours: float | None) -> list[str]:
    from flows.automations import standing, switch_off, switch_on

    told = [f"on: {await switch_on(name, notify=notify, hours=hours)}" for name in on]
    told += [f"off: {name}" if await switch_off(name) else f"{name} was not there" for name in off]
    if told:
        return told
    return [f"{one.state:7} {one.name:16} {one.description}" for one in await standing()]
