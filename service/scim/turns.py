"""Writes wait for their turn in one thread, and those that wait together are committed together.

A commit costs as much for twenty writes as for one, and SQLite lets one transaction write at a time anyway. Each write
is a part of its own in that transaction: what fails is taken back alone. Nobody hears of a write before it is on disk.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ledger.scim.store import Open, Scim
from service.scim.answers import Refused

__all__ = ["Turns"]

T = TypeVar("T")

_TOGETHER: Final = 32
_LONGEST: Final = 0.05
"""Seconds after which a transaction takes no further write: other processes wait for it."""
_TRIES: Final = 10
_OVERTAKEN: Final = frozenset({"40001", "40P01", "23503", "23505"})
"""States of PostgreSQL in which another process was faster: serialization, deadlock, foreign key, uniqueness. Tried
again, the write sees what that one did, and says so."""


@dataclass
class _Waiting:
    work: Callable[[Open], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    result: Any = None
    failure: BaseException | None = None

    def tell(self) -> None:
        def told() -> None:
            if self.answer.cancelled():
                return
            if self.failure is not None:
                self.answer.set_exception(self.failure)
            else:
                self.answer.set_result(self.result)

        try:
            self.loop.call_soon_threadsafe(told)
        except RuntimeError:  # the loop is closed, and nobody listens
            return


class Turns:
    def __init__(self, store: Scim, *, most_waiting: int) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._together = _TOGETHER if store.one_writer else 1
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    async def write(self, work: Callable[[Open], T]) -> T:
        """What `work` gives, once it is on disk. Raises what it raises, and Refused where too many wait."""
        if self._waiting.qsize() >= self._most_waiting:
            raise Refused(503, "too many writes are waiting; send this one again later", headers={"Retry-After": "5"})
        loop = asyncio.get_running_loop()
        waiting = _Waiting(work, loop, loop.create_future())
        self._start()
        self._waiting.put(waiting)
        done: T = await waiting.answer
        return done

    def close(self) -> None:
        """Finish what waits."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="scim writes", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        going = True
        while going:
            first = self._waiting.get()
            if first is None:
                return
            batch = [first]
            going = self._commit(batch)
            for _ in range(_TRIES):
                if not _overtaken(first):
                    break
                first.failure = None
                going = self._commit(batch) and going
            for each in batch:
                each.tell()

    def _commit(self, batch: list[_Waiting]) -> bool:
        """Carry out the first, and what comes meanwhile; whether to go on afterwards."""
        going = True
        begun = time.monotonic()
        try:
            with self._store.write() as transaction:
                done = 0
                while done < len(batch):
                    self._carry_out(transaction, batch[done])
                    done += 1
                    if done < self._together and time.monotonic() - begun < _LONGEST:
                        going = self._one_more(batch) and going
        except Exception as failure:  # noqa: BLE001 -- each of the batch is told, and the next ones are carried out
            for each in batch:
                each.result, each.failure = None, failure
        return going

    def _one_more(self, batch: list[_Waiting]) -> bool:
        try:
            further = self._waiting.get_nowait()
        except queue.Empty:
            return True
        if further is None:
            return False
        batch.append(further)
        return True

    def _carry_out(self, transaction: Open, waiting: _Waiting) -> None:
        try:
            with transaction.part():
                waiting.result = waiting.work(transaction)
        except Exception as failure:  # noqa: BLE001 -- told to whoever waits for it
            waiting.failure = failure


def _overtaken(waiting: _Waiting) -> bool:
    failure: BaseException | None = waiting.failure
    while failure is not None:
        if getattr(getattr(failure, "orig", None), "sqlstate", None) in _OVERTAKEN:
            return True
        failure = failure.__cause__
    return False
