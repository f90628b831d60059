"""One run at a time on one target."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from directory.errors import LeaseTaken
from ledger.leases import Lease
from ledger.opening import Ledger
from tasks.observer import Observer

__all__ = ["holding"]

RENEW_SECONDS = 5.0
_RETRY_SECONDS = 2.0


@asynccontextmanager
async def holding(
    ledger: Ledger, target: str, run_id: str, observer: Observer, *, wait_seconds: float = 0.0
) -> AsyncIterator[Lease]:
    """Hold the target's lease for as long as the block lasts, renewed in the background.

    Waits up to `wait_seconds` for another run to end; raises `LeaseTaken` after that.
    """
    begun = asyncio.get_running_loop().time()
    told = False
    while True:
        try:
            lease = ledger.leases.acquire(target, run_id)
            break
        except LeaseTaken as taken:
            if asyncio.get_running_loop().time() >= begun + wait_seconds:
                raise
            if not told:
                observer.waiting(taken)
                told = True
            await asyncio.sleep(_RETRY_SECONDS)

    async def renew() -> None:
        # While nothing is sent, a lease that another run took over is noticed before the first call by the loader.
        with suppress(LeaseTaken):
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                lease.renew()

    holder = asyncio.current_task()

    def ended(renewal: asyncio.Task[None]) -> None:
        # Whatever broke into the renewal was meant for the run, which must not go on without its lease.
        if not renewal.cancelled() and renewal.exception() is not None and holder is not None:
            holder.cancel()

    renewal = asyncio.create_task(renew())
    renewal.add_done_callback(ended)
    try:
        yield lease
    finally:
        renewal.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await renewal
        finally:
            lease.release()
