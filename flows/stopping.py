"""SIGTERM while a flow runs: a cancellation in Prefect, a container that is stopped, a machine that goes down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.exceptions import TerminationSignal

__all__ = ["orderly_stop"]


@contextmanager
def orderly_stop() -> Iterator[None]:
    """Let Prefect's `TerminationSignal` end the run wherever it is raised, and leave it here as itself.

    Prefect's handler of SIGTERM raises it at whatever line the process is, and no other handler may be set: Prefect
    tells a cancellation from a crash only while its own is there. asyncio passes it on well from most places, but packs
    it into a group where calls run side by side, and only logs it where a callback of the event loop is at work.
    """
    loop, run = asyncio.get_running_loop(), asyncio.current_task()
    before = loop.get_exception_handler()
    caught: list[TerminationSignal] = []

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, TerminationSignal) and run is not None:
            caught.append(error)
            run.cancel()
        elif before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    try:
        yield
    except asyncio.CancelledError:
        if caught:
            raise caught[0] from None
        raise
    except BaseExceptionGroup as several:
        found = several.subgroup(TerminationSignal)
        if found is None:
            raise
        raise _first(found) from None
    finally:
        loop.set_exception_handler(before)


def _first(group: BaseExceptionGroup[TerminationSignal]) -> TerminationSignal:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
