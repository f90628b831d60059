"""The simulator's time, which a test may move."""

from __future__ import annotations

import time


class Clock:
    """Wall time plus what was advanced; a standing clock moves by `advance` alone."""

    def __init__(self, *, standing_at: float | None = None) -> None:
        self._standing_at = standing_at
        self._advanced = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        base = time.time() if self._standing_at is None else self._standing_at
        return base + self._advanced

    def now_ms(self) -> int:
        return int(self.now() * 1000)

    def advance(self, seconds: float) -> None:
        self._advanced += seconds
