"""Graph's throttling of identity resources: a bucket of resource units, not of requests.

Graph, "Microsoft Graph service-specific throttling limits", identity and access. Each request inside a batch is
charged by itself.
"""

from __future__ import annotations

import re
import time

from sandbox.graph.asking import Ask, Reply
from sandbox.graph.refusals import throttled
from sandbox.graph.switches import Switches

BASE_COSTS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"^/users$"), 2),
    (re.compile(r"^/groups/[^/]+/members$"), 3),
    (re.compile(r"^/groups/[^/]+/transitiveMembers$"), 5),
    (re.compile(r"^/users/[^/]+/memberOf$"), 2),
)


class ResourceUnits:
    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._window = -1
        self._used = 0
        self.spent = 0
        """Units charged so far, refused requests left out."""

    def charge(self, ask: Ask, *, in_batch: bool) -> Reply | None:
        """A refusal where the bucket is empty. The wait is a decimal number inside a batch, as Graph gives it there."""
        now = time.time()
        window = int(now // self._switches.window_seconds)
        if window != self._window:
            self._window, self._used = window, 0
        price = cost(ask)
        limit = self._switches.resource_units
        if limit is not None and self._used + price > limit:
            left = (window + 1) * self._switches.window_seconds - now
            return throttled(f"{left + 0.001:.3f}" if in_batch else str(int(left) + 1))
        self._used += price
        self.spent += price
        return None

    def headers(self, ask: Ask) -> dict[str, str]:
        told = {"x-ms-resource-unit": str(cost(ask))}
        limit = self._switches.resource_units
        if limit is not None and self._used > 0.8 * limit:
            told["x-ms-throttle-limit-percentage"] = f"{self._used / limit:.2f}"
        return told


def cost(ask: Ask) -> int:
    price = next((units for pattern, units in BASE_COSTS if pattern.match(ask.path)), 1)
    price -= "$select" in ask.query
    price += "$expand" in ask.query
    price -= ask.query.get("$top", "100").isdecimal() and int(ask.query.get("$top", "100")) < 20
    return max(1, price)
