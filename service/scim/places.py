"""How many requests of one connector are dealt with at once, so that a busy one leaves room for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from service.scim.answers import Refused

__all__ = ["Places"]

_COME_BACK: Final = "5"
"""Seconds. Those that wait are done in less than one, unless bodies come slowly or the disk does."""


class Places:
    """Each connector has as many, and others wait for one in the order in which they came. For one event loop."""

    def __init__(self, *, at_once: int, most_queued: int) -> None:
        self._at_once = at_once
        self._most_queued = most_queued
        self._free: dict[str, asyncio.Semaphore] = {}
        self._queued: dict[str, int] = {}

    @asynccontextmanager
    async def one(self, connector_id: str) -> AsyncIterator[None]:
        """A place for as long as this lasts. Raises Refused, with 429, where too many wait for one already."""
        free = self._free.setdefault(connector_id, asyncio.Semaphore(self._at_once))
        queued = self._queued.get(connector_id, 0)
        # An identity provider slows down badly at 429, so it is made to wait first.
        if free.locked() and queued >= self._most_queued:
            raise Refused(
                429,
                "too many requests of this connector at once; wait as long as Retry-After says",
                headers={"Retry-After": _COME_BACK},
            )
        self._queued[connector_id] = queued + 1
        try:
            await free.acquire()
        finally:
            self._queued[connector_id] -= 1
        try:
            yield
        finally:
            free.release()
