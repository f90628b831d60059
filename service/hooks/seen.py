"""What was told already: the same event again starts nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Seen"]

_MOST_KEPT = 20_000


class Seen:
    """In the memory of this process, for one event loop. Where there are too many, the oldest is forgotten first."""

    def __init__(self, *, most: int = _MOST_KEPT, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def first(self, event: str, seconds: float) -> bool:
        """Whether it was not told within its time; it is remembered for so many seconds."""
        moment = self._clock()
        known = self._until.get(event)
        if known is not None and known > moment:
            return False
        self._until[event] = moment + seconds
        self._until.move_to_end(event)
        while len(self._until) > self._most:
            self._until.popitem(last=False)
        return True

    def __len__(self) -> int:
        return len(self._until)
