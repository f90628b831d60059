"""SIGTERM while a flow runs: a cancellation in Prefect, a container that is stopped, a machine that goes down."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.exceptions import TerminationSignal

__all__ = ["orderly_stop"]


@contextmanager
def orderly_stop() -> Iterator[None]:
    """Let SIGTERM cancel the run between two steps of the event loop, so that its end is written down.

    Prefect's own handler raises `TerminationSignal` at whatever line the process is. Inside a call that runs beside
    others it would reach nobody as itself, and the ledger would have to wait for the next run to learn of the end.
    Here it is raised once the run is reported; Prefect then makes of it Cancelled or Crashed.
    """
    loop, run = asyncio.get_running_loop(), asyncio.current_task()
    before = signal.getsignal(signal.SIGTERM)
    asked = False

    def stop() -> None:
        nonlocal asked
        # A second signal would break into the report; who has no patience sends SIGKILL.
        if run is not None and not asked:
            asked = True
            run.cancel()

    try:
        loop.add_signal_handler(signal.SIGTERM, stop)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    except asyncio.CancelledError:
        if asked:
            raise TerminationSignal(signal.SIGTERM) from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
