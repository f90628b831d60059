"""Okta's rate limits: a bucket per kind of endpoint and minute for the organisation, half of it for one token.

Okta developer documentation, "Rate limits" and "Rate limit best practices". A concurrency refusal has 0 for both the
limit and what remains, and a reset that says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sandbox.okta.switches import Switches

ORGANISATION = ""
BUCKETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"/oauth2/"), "token"),
    (re.compile(r"/api/v1/users/?$"), "users"),
    (re.compile(r"/api/v1/users/[^/]+/?$"), "user"),
    (re.compile(r"/api/v1/groups/?$"), "groups"),
    (re.compile(r"/api/v1/groups/"), "group"),
    (re.compile(r"/api/v1/logs"), "logs"),
)


@dataclass(frozen=True)
class Grant:
    """`reset` is in seconds since 1970 of the organisation's clock."""

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        return {
            "x-rate-limit-limit": str(self.limit),
            "x-rate-limit-remaining": str(self.remaining),
            "x-rate-limit-reset": str(self.reset),
        }


@dataclass
class RateLimits:
    switches: Switches
    _window: int = -1
    _used: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, path: str, principal: str | None, now: float) -> Grant:
        """Count one request, of `principal` too if there is one; the scope with the least left is told."""
        window, reset = self._turn(now)
        if window != self._window:
            self._window = window
            self._used.clear()
        bucket = bucket_of(path)
        limit = self.switches.limits.get(bucket, self.switches.limits.get("other", 600))
        scopes = {ORGANISATION: limit}
        if principal is not None:
            scopes[principal] = max(1, int(limit * self.switches.share_of_one_token))
        left = {scope: allowed - self._used.get((bucket, scope), 0) for scope, allowed in scopes.items()}
        tightest = min(left, key=lambda scope: (left[scope], scope == ORGANISATION))
        if left[tightest] < 1:
            return Grant(allowed=False, limit=scopes[tightest], remaining=0, reset=reset)
        for scope in scopes:
            self._used[bucket, scope] = self._used.get((bucket, scope), 0) + 1
        return Grant(allowed=True, limit=scopes[tightest], remaining=left[tightest] - 1, reset=reset)

    def too_concurrent(self, now: float) -> Grant:
        return Grant(allowed=False, limit=0, remaining=0, reset=self._turn(now)[1])

    def _turn(self, now: float) -> tuple[int, int]:
        window = int(now // self.switches.window_seconds)
        return window, (window + 1) * self.switches.window_seconds


def bucket_of(path: str) -> str:
    return next((bucket for pattern, bucket in BUCKETS if pattern.match(path)), "other")
