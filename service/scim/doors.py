"""Who may come in, and how often."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from ledger.scim.connectors import Authentic, Token
from ledger.scim.store import Scim
from service.access.rate import Buckets, Rate
from service.scim.answers import Refused
from service.scim.settings import Limits

__all__ = ["Doors"]

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="SCIM"'}
_REMEMBERED: Final = 10_000
"""Tokens that are not looked up again for a moment; of more, the oldest are forgotten."""
_NOTED_EVERY: Final = 60.0


class Doors:
    def __init__(
        self, store: Scim, limits: Limits, *, memory: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._memory = memory
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Authentic]] = OrderedDict()
        self._noted: dict[str, float] = {}
        self._requests = Buckets(Rate(limits.requests_per_second, limits.burst), clock=clock)
        per_second = limits.refusals_per_minute / 60
        self._refusals = Buckets(Rate(per_second, max(1.0, limits.refusals_per_minute / 2)), clock=clock)

    def admit(self, slug: str, presented: str | None, client: str | None) -> Authentic:
        """Whose token it is. Raises Refused: 401 in the same words whatever is wrong, 429 for who comes too often."""
        found = None if presented is None else self._recalled(slug, presented)
        if found is None:
            # Before looking it up, so that guessing costs the guesser and not the database. Who was let in before is
            # not shut out because somebody guesses from the same address.
            if presented is None or _fingerprint(slug, presented) not in self._known:
                _refuse_after(self._refusals.wait_seconds(client or ""), "too many requests without a valid token")
            found = None if presented is None else self._store.connectors.authenticate(slug, presented)
            if found is None:
                self._refusals.take(client or "")
                raise Refused(401, "a valid bearer token of this connector is needed", headers=_CHALLENGE)
            self._remember(slug, presented or "", found)
        _refuse_after(self._requests.take(found.token.id), "too many requests with this token")
        return found

    def use_is_news(self, token: Token) -> bool:
        """Whether its last use was not noted within the last minute, as far as this process knows."""
        last = self._noted.get(token.id)
        now = self._clock()
        if last is not None and now - last < _NOTED_EVERY:
            return False
        self._noted[token.id] = now
        return True

    def _recalled(self, slug: str, presented: str) -> Authentic | None:
        known = self._known.get(_fingerprint(slug, presented))
        if known is None or known[0] < self._clock() or not known[1].token.live:
            return None
        return known[1]

    def _remember(self, slug: str, presented: str, found: Authentic) -> None:
        fingerprint = _fingerprint(slug, presented)
        self._known[fingerprint] = (self._clock() + self._memory, found)
        self._known.move_to_end(fingerprint)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _refuse_after(wait: float, what: str) -> None:
    if wait:
        raise Refused(429, f"{what}; wait as long as Retry-After says", headers={"Retry-After": str(int(wait) + 1)})


def _fingerprint(slug: str, presented: str) -> bytes:
    """What is remembered instead of the token: looking it up tells nobody by its time how near a guess is."""
    return hashlib.sha256(f"{slug} {presented}".encode()).digest()
