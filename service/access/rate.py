"""Token buckets, one for each of many, in the memory of this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Buckets", "Rate"]

_MOST_KEPT = 10_000


@dataclass(frozen=True)
class Rate:
    """So many in a second in the long run, and so many at once."""

    per_second: float
    burst: float


class Buckets:
    """Not for threads: it is asked on the event loop."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """How full each one was, and when; the one that was used last is last."""

    def wait_seconds(self, who: str) -> float:
        """0 where there is one to take, else how long until there is. Takes nothing."""
        missing = 1.0 - self._level(who)
        return max(0.0, missing / self._rate.per_second)

    def take(self, who: str) -> float:
        """Take one if there is one, and return 0; else how many seconds until there is."""
        wait = self.wait_seconds(who)
        if wait == 0.0:
            self._kept[who] = (self._level(who) - 1.0, self._clock())
            self._kept.move_to_end(who)
            # The one that was left alone for the longest is full again, or nearly.
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return wait

    def _level(self, who: str) -> float:
        level, since = self._kept.get(who, (self._rate.burst, self._clock()))
        return min(self._rate.burst, level + (self._clock() - since) * self._rate.per_second)
