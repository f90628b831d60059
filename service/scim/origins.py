"""From where a connector may be pushed to, asked before anything that a request carries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from ledger.scim.connectors import Connectors, Networks
from service.access.addresses import address, neighbourhood, within
from service.access.rate import Buckets, Rate
from service.scim.answers import Refused

__all__ = ["Origins"]

_HOUR: Final = 3600.0
_NOTED_OF_A_CONNECTOR: Final = 20
"""In an hour, whatever the number of addresses: who has many must not fill the audit log with them."""


class Origins:
    """The networks are read anew once in `memory` seconds, for all connectors together: neither who is refused nor who
    invents names of connectors costs the database anything. For one event loop."""

    def __init__(self, connectors: Connectors, *, memory: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._connectors = connectors
        self._memory = memory
        self._clock = clock
        self._known: Mapping[str, Networks] = {}
        self._good_until = float("-inf")
        self._by_client = Buckets(Rate(1 / _HOUR, 1), clock=clock)
        self._by_connector = Buckets(Rate(_NOTED_OF_A_CONNECTOR / _HOUR, _NOTED_OF_A_CONNECTOR), clock=clock)

    def check(self, slug: str, client: str | None) -> None:
        """Raises Refused, with 403, for an address that the connector's networks leave out, and for none at all."""
        if self._good_until <= self._clock():
            self._known = self._connectors.allowed()
            self._good_until = self._clock() + self._memory
        allowed = self._known.get(slug, ())
        if allowed and not _lies_in(client, allowed):
            raise Refused(403, "requests from your address are not taken")

    def refusal_is_news(self, slug: str, client: str | None) -> bool:
        """Whether to write it down: once in an hour of each address, and of not too many."""
        who = f"{slug} {_counted(client)}"
        if self._by_client.wait_seconds(who) or self._by_connector.take(slug):
            return False
        self._by_client.take(who)
        return True


def _lies_in(client: str | None, allowed: Networks) -> bool:
    try:
        return within(address(client or ""), allowed)
    except ValueError:
        return False


def _counted(client: str | None) -> str:
    try:
        return neighbourhood(address(client or ""))
    except ValueError:
        return ""
