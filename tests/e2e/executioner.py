"""Kills a process at one of its requests, so that the moment does not hang on how fast the machine is."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import dataclass
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Moment:
    """`at` counts the requests to all simulators from 1.

    `asked`: before it is looked at; `done`: what it asks for has happened, the answer has not left; `answered`: `later`
    seconds after the answer has left.
    """

    at: int
    when: Literal["asked", "done", "answered"]
    later: float = 0.0


class Executioner:
    """Stands between the simulators and their clients, and counts; without a moment nobody is killed."""

    def __init__(self) -> None:
        self.requests = 0
        self.writes_begin: int | None = None
        """The number of the first request that is no GET."""
        self.struck = False
        """Whether the moment came."""
        self._moment: Moment | None = None
        self._victim = 0
        self._known = threading.Event()
        self._lock = threading.Lock()

    def await_moment(self, moment: Moment | None) -> None:
        """Count from the start again, up to a moment."""
        self.requests, self.writes_begin, self.struck, self._moment = 0, None, False, moment
        self._known.clear()

    def meet(self, process_id: int) -> None:
        """Whom to kill."""
        self._victim = process_id
        self._known.set()

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def between(scope: Scope, receive: Receive, send: Send) -> None:
            when = self._count(scope)
            if when == "asked":
                self._kill()
            elif when == "done":
                await app(scope, receive, _withheld)
                self._kill()
            else:
                await app(scope, receive, send)
            if when == "answered" and self._moment is not None:
                await asyncio.sleep(self._moment.later)
                self._kill()

        return between

    def _count(self, scope: Scope) -> str | None:
        with self._lock:
            self.requests += 1
            if scope["method"] != "GET" and self.writes_begin is None:
                self.writes_begin = self.requests
            moment = self._moment
            return moment.when if moment is not None and self.requests == moment.at else None

    def _kill(self) -> None:
        assert self._known.wait(10)
        self.struck = True
        os.kill(self._victim, signal.SIGKILL)


async def _withheld(message: Message) -> None:
    pass
