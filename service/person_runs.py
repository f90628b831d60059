"""Runs for single people, in this process: one event loop for all, and what they work with kept from one to the next.

To read the sync file, open the ledger and connect to both sides takes longer than the run itself, and somebody may be
waiting at the login.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from flows.orders import Order
from tasks.ending import Ending
from tasks.workshop import Workshop, find_sync_file, open_workshop

__all__ = ["PersonRuns"]

_IDLE_SECONDS = 60.0
"""So long connections are kept for the next person."""
_OLDEST_SECONDS = 600.0
"""So long a secret may be used after it was changed, where the old one still works."""
_GOOD = frozenset({"succeeded", "nothing_to_do"})

_Version = tuple[int, int, int]
"""Of a sync file: whether it is the one that was read."""


@dataclass
class _Kept:
    version: _Version
    shop: Workshop
    closing: AsyncExitStack
    opened: float = field(default_factory=time.monotonic)
    used: float = 0.0


class PersonRuns:
    """Each run has a workshop of its own. It is given to the next run of the same sync file when this one ended well,
    and closed when it did not, when the file was changed, or when nobody used it for a minute."""

    def __init__(
        self,
        ledger_url: str,
        *,
        wait_seconds: float,
        idle_seconds: float = _IDLE_SECONDS,
        oldest_seconds: float = _OLDEST_SECONDS,
    ) -> None:
        self._ledger_url = ledger_url
        self._wait_seconds = wait_seconds
        self._idle_seconds = idle_seconds
        self._oldest_seconds = oldest_seconds
        self._kept: dict[Path, list[_Kept]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, order: Order) -> Ending:
        """Bring the person of the order up to date; blocks until it is done.

        Raises `UsersyncError` where it could not begin.
        """
        return asyncio.run_coroutine_threadsafe(self._carried_out(order), self._at_work()).result()

    def prepare(self) -> None:
        """Import in the background what the first run would import while somebody waits for it."""
        self._at_work().call_soon_threadsafe(_import_decisions)

    def close(self) -> None:
        """Blocks until what has begun is done."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._drained(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _at_work(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="person-runs")
                self._thread.start()
            return self._loop

    async def _carried_out(self, order: Order) -> Ending:
        from flows.pipeline import sync_person  # noqa: PLC0415 -- all the decisions, see `prepare`

        path = find_sync_file(order.sync_file)
        kept = await self._taken(path) or await self._opened(path)
        good = False
        try:
            ending = await sync_person(kept.shop, order.person, wait_seconds=self._wait_seconds)
            good = ending.status in _GOOD
        finally:
            await self._returned(path, kept, good=good)
        return ending

    async def _opened(self, path: Path) -> _Kept:
        version = _version(path)
        closing = AsyncExitStack()
        shop = await closing.enter_async_context(open_workshop(path, ledger_url=self._ledger_url))
        return _Kept(version, shop, closing)

    async def _taken(self, path: Path) -> _Kept | None:
        """The one used last, whose connections are the likeliest to be open still."""
        idle = self._kept.get(path, [])
        while idle:
            kept = idle.pop()
            if kept.version == _version(path) and not self._is_over(kept):
                return kept
            await kept.closing.aclose()
        return None

    async def _returned(self, path: Path, kept: _Kept, *, good: bool) -> None:
        kept.used = time.monotonic()
        if not good:
            await kept.closing.aclose()
            return
        self._kept.setdefault(path, []).append(kept)
        asyncio.get_running_loop().call_later(self._idle_seconds, self._look_later)

    def _look_later(self) -> None:
        over = [(path, kept) for path, several in self._kept.items() for kept in several if self._is_over(kept)]
        for path, kept in over:
            self._kept[path].remove(kept)
            task = asyncio.get_running_loop().create_task(kept.closing.aclose())
            task.add_done_callback(_ended)

    def _is_over(self, kept: _Kept) -> bool:
        now = time.monotonic()
        return now - kept.used >= self._idle_seconds or now - kept.opened >= self._oldest_seconds

    async def _drained(self) -> None:
        me = asyncio.current_task()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not me), return_exceptions=True)
        for several in self._kept.values():
            for kept in several:
                await kept.closing.aclose()
        self._kept.clear()
        await asyncio.get_running_loop().shutdown_default_executor()


def _version(path: Path) -> _Version:
    """Noughts for a file that is not there, which the workshop then says."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _import_decisions() -> None:
    import flows.pipeline  # noqa: F401, PLC0415 -- SciPy and all the decisions, a second or two


def _ended(task: asyncio.Task[None]) -> None:
    """What was only closed has nothing left to tell."""
    if not task.cancelled():
        task.exception()
