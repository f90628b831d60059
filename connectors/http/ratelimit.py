"""How fast requests go out: a token bucket, a budget that the server's headers tell, and a gate that closes."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiolimiter import AsyncLimiter

from connectors.http.retry import seconds_to_wait

__all__ = ["Gate", "HeaderBudget", "Limits", "Sleep", "TokenBucket", "Window"]

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class TokenBucket:
    """A server's bucket: so many requests at once, refilled at a rate.

    `margin` is left of the capacity, never of the rate, so that a long run uses the whole rate. One token covers a
    server that counts a request a moment before we do.
    """

    capacity: float
    refill_per_second: float
    margin: float = 1.0

    def limiter(self) -> AsyncLimiter:
        usable = max(1.0, self.capacity - self.margin)
        return AsyncLimiter(usable, usable / self.refill_per_second)


class Gate:
    """Closed after a server asked us to wait: nobody passes until then, not just who was told."""

    def __init__(self) -> None:
        self._opens_at = 0.0

    def close_for(self, seconds: float) -> None:
        self._opens_at = max(self._opens_at, time.monotonic() + seconds)

    async def wait(self, sleep: Sleep) -> None:
        # One wait by the clock as it stands: with a sleep that returns early, a test's, nobody waits for ever.
        seconds = self._opens_at - time.monotonic()
        if seconds > 0:
            await sleep(seconds)


class Window:
    """What is known of one counted endpoint: it starts without a limit, until a first answer names one."""

    __slots__ = ("in_flight", "limit", "opens_at", "remaining", "reset")

    def __init__(self) -> None:
        self.reset = 0.0
        self.limit = math.inf
        self.remaining = math.inf
        self.opens_at = 0.0
        self.in_flight = 0


class HeaderBudget:
    """Spends what `X-Rate-Limit-Remaining` allows, then waits for the reset, so that no 429 comes at all.

    `share` is how much of the limit is ours; the rest is left to whoever else uses the same limit. Requests are counted
    by what `bucket` makes of their path, since vendors count their endpoints apart.
    """

    def __init__(self, share: float = 1.0, bucket: Callable[[str], str] = lambda _path: "") -> None:
        self._share = share
        self._bucket = bucket
        self._windows: dict[str, Window] = {}

    async def spend(self, url: str, sleep: Sleep) -> Window:
        """Take one request from the budget, waiting for the reset where it is spent; `settle` must follow."""
        window = self._windows.setdefault(self._bucket(urlsplit(url).path), Window())
        while window.remaining <= self._reserve(window):
            seconds = window.opens_at - time.monotonic()
            if seconds > 0:
                await sleep(seconds)
            if window.remaining <= self._reserve(window):
                # The first one awake opens the new window for all; the next answer tells what it really holds.
                window.remaining = window.limit
                window.opens_at = 0.0
        window.remaining -= 1
        window.in_flight += 1
        return window

    def settle(self, window: Window, headers: Mapping[str, str] | None) -> None:
        """Read the limits off an answer, or note that none came.

        Answers overtake each other, so within one window the lowest number counts. In a new window those still in
        flight are taken as not yet counted by the server.
        """
        window.in_flight -= 1
        counted = None if headers is None else _counters(headers)
        if headers is None or counted is None:
            return
        limit, remaining, reset = counted
        if reset < window.reset:
            return
        if reset > window.reset:
            window.reset = reset
            window.remaining = remaining - window.in_flight
        window.limit = limit
        window.remaining = min(window.remaining, remaining)
        only_the_reset = {"x-rate-limit-reset": str(reset), "date": headers.get("date", "")}
        window.opens_at = time.monotonic() + (seconds_to_wait(only_the_reset) or 0.0)

    def _reserve(self, window: Window) -> float:
        return 0.0 if math.isinf(window.limit) else window.limit - round(window.limit * self._share)


def _counters(headers: Mapping[str, str]) -> tuple[int, int, float] | None:
    try:
        limit = int(headers["x-rate-limit-limit"])
        remaining = int(headers["x-rate-limit-remaining"])
        reset = float(headers["x-rate-limit-reset"])
    except (KeyError, ValueError):
        return None
    # A limit of nothing is Okta's way to say that too many requests run at a time.
    return (limit, remaining, reset) if limit else None


@dataclass(frozen=True)
class Limits:
    """What one client may use. There are as many connections as requests at a time, and one for tokens."""

    concurrency: int = 8
    bucket: TokenBucket | None = None
    budget: HeaderBudget | None = None
