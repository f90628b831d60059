"""A run's progress in the Prefect UI: log lines, and one progress bar for the load."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from httpx import HTTPError
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.logging import get_run_logger

from directory.errors import UsersyncError
from reconcile.explain import headline, kind_title
from reconcile.plan import Plan

__all__ = ["FlowObserver"]

_FIRST_AFTER_SECONDS = 10.0
"""A shorter load needs no bar."""
_EVERY_SECONDS = 2.0
_EVERY_PERCENT = 25.0
"""Each update is an event, which takes some 7 kB of Prefect's database until it is forgotten (measured with 3.8.8)."""


class FlowObserver:
    """Fulfils `tasks.observer.Observer`. The bar moves four times at most, and not twice in two seconds.

    The bar is made with the first of them; a run that sends nothing, or is done with it in ten seconds, has none. It
    has no key, under which Prefect would keep and tell of it once more; the page of the flow run shows it.
    """

    def __init__(self) -> None:
        self._logger = get_run_logger()
        self._artifact: UUID | None = None
        self._share: float | None = None
        self._not_before = 0.0
        self._told = 0.0
        self._kind = ""
        self._pending: asyncio.Task[None] | None = None

    async def end(self) -> None:
        """Wait for the update that is on its way, and send the last one."""
        if self._pending is not None:
            await self._pending
        if self._artifact is not None:
            await self._update()

    def waiting(self, reason: UsersyncError) -> None:
        self._logger.info("waiting for another run to end. %s", reason)

    def reading(self, side: str, what: str, rows: int) -> None:
        pass

    def planned(self, plan: Plan) -> None:
        self._logger.info("%s", headline(plan))
        for kind, count in plan.header.counts.items():
            self._logger.info("%s: %s", kind_title(kind), f"{count:,}")
        for finding in plan.header.waiting.findings if plan.header.waiting else plan.header.held:
            self._logger.warning("held: %s", finding.message)

    def loading(self, kind: str, settled: int, total: int) -> None:
        self._share = 100.0 * settled / max(total, 1)
        if kind != self._kind:
            if not self._kind:
                self._not_before = time.monotonic() + _FIRST_AFTER_SECONDS
            self._kind = kind
            self._logger.info("%s", kind_title(kind))
        moved = self._share - self._told >= _EVERY_PERCENT
        due = moved and time.monotonic() >= self._not_before
        if due and (self._pending is None or self._pending.done()):
            self._not_before, self._told = time.monotonic() + _EVERY_SECONDS, self._share
            self._pending = asyncio.get_running_loop().create_task(self._update())

    async def _update(self) -> None:
        share = min(self._share or 0.0, 100.0)
        try:
            if self._artifact is None:
                made = await acreate_progress_artifact(share, description="load")
                self._artifact = made
            else:
                await aupdate_progress_artifact(self._artifact, progress=share)
        except HTTPError as error:
            self._logger.warning("the progress bar could not be moved (%s); the run goes on", error)
