"""Syncs of single people whom hooks and pushes name: a few at a time, a bounded number in the line, nobody twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from tasks.ending import Ending

__all__ = ["PersonSyncs"]

_AT_ONCE = 4
_MOST_WAITING = 200

_Who = tuple[str, str]
"""Sync file and person."""


class PersonSyncs:
    """`carry_out` brings a person of a sync file up to date, and blocks until it is done."""

    def __init__(self, carry_out: Callable[[str, str], Ending], *, most_waiting: int = _MOST_WAITING) -> None:
        self._carry_out = carry_out
        self._most_waiting = most_waiting
        self._threads = ThreadPoolExecutor(_AT_ONCE, "person-sync")
        self._lock = Lock()
        self._waiting: dict[_Who, asyncio.Future[Ending]] = {}

    def start(self, sync_file: str, person: str) -> asyncio.Future[Ending] | None:
        """None where too many wait. Whoever waits already is not put into the line again; what they are like is read
        later than this call, so nothing is missed."""
        who = (sync_file, person)
        with self._lock:
            found = self._waiting.get(who)
            if found is not None:
                return found
            if len(self._waiting) >= self._most_waiting:
                return None
            begun = asyncio.get_running_loop().run_in_executor(self._threads, self._carried_out, who)
            self._waiting[who] = begun
            return begun

    def _carried_out(self, who: _Who) -> Ending:
        with self._lock:
            self._waiting.pop(who, None)
        return self._carry_out(*who)

    def close(self) -> None:
        """Blocks until what has begun is done; what waits is dropped, and left to the next sync."""
        self._threads.shutdown(cancel_futures=True)
