"""The token bucket that Bitbucket keeps for each user."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.bitbucket.clock import Clock
from sandbox.bitbucket.switches import Bucket


@dataclass(slots=True)
class Level:
    tokens: float
    at: float


class RateLimiter:
    """`settings` None means that limiting is off; `own` holds users with a bucket of their own, None exempts one."""

    def __init__(self, settings: Bucket | None, clock: Clock) -> None:
        self.settings = settings
        self.default = settings or Bucket(capacity=60, fill_rate=5)
        self.own: dict[str, Bucket | None] = {}
        self._clock = clock
        self._levels: dict[str, Level] = {}

    def configure(self, bucket: Bucket, *, enabled: bool) -> None:
        self.default = bucket
        self.settings = bucket if enabled else None
        self._levels.clear()

    def set_own(self, user: str, bucket: Bucket | None) -> None:
        self.own[user] = bucket
        self._levels.pop(user, None)

    def take(self, user: str) -> float:
        """Take one token. Returns 0, or the seconds until there is one again."""
        if self.settings is None:
            return 0.0
        bucket = self.own.get(user, self.settings)
        if bucket is None:
            return 0.0
        now = self._clock.now()
        level = self._levels.setdefault(user, Level(bucket.capacity, now))
        level.tokens = min(bucket.capacity, level.tokens + (now - level.at) * bucket.fill_rate)
        level.at = now
        if level.tokens >= 1:
            level.tokens -= 1
            return 0.0
        return (1 - level.tokens) / bucket.fill_rate
