"""Who may come in, and how often."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ledger.scim.connectors import Authentic, Token
from ledger.scim.store import Scim
from service.scim.answers import Refused
from service.scim.settings import Limits

__all__ = ["Doors", "bearer"]

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="SCIM"'}
_REMEMBERED: Final = 10_000
"""Senders whose requests are counted; of more, those that were quiet for longest are forgotten."""
_LONGEST_TOKEN: Final = 256
_NOTED_EVERY: Final = 60.0


@dataclass
class _Bucket:
    left: float
    at: float


class _Buckets:
    """Token buckets: so many at once, and so many a second."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._of: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, name: str, *, take: bool = True) -> float:
        """Seconds until there is room for one more; 0 where there is, and then it is taken."""
        now = self._clock()
        bucket = self._of.get(name)
        if bucket is None:
            bucket = self._of[name] = _Bucket(self._burst, now)
            if len(self._of) > _REMEMBERED:
                self._of.popitem(last=False)
        self._of.move_to_end(name)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= take
            return 0.0
        return (1 - bucket.left) / self._per_second


class Doors:
    def __init__(
        self, store: Scim, limits: Limits, *, memory: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._memory = memory
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Authentic]] = OrderedDict()
        self._noted: dict[str, float] = {}
        self._requests = _Buckets(limits.requests_per_second, limits.burst, clock)
        per_second = limits.refusals_per_minute / 60
        self._refusals = _Buckets(per_second, max(1.0, limits.refusals_per_minute / 2), clock)

    def admit(self, slug: str, presented: str | None, client: str | None) -> Authentic:
        """Whose token it is. Raises Refused: 401 in the same words whatever is wrong, 429 for who comes too often."""
        found = None if presented is None else self._recalled(slug, presented)
        if found is None:
            # Before looking it up, so that guessing costs the guesser and not the database. Who was let in before is
            # not shut out because somebody guesses from the same address.
            if presented is None or _fingerprint(slug, presented) not in self._known:
                self._count(self._refusals, client or "", "too many requests without a valid token", take=False)
            found = None if presented is None else self._store.connectors.authenticate(slug, presented)
            if found is None:
                self._refusals.wait(client or "")
                raise Refused(401, "a valid bearer token of this connector is needed", headers=_CHALLENGE)
            self._remember(slug, presented or "", found)
        self._count(self._requests, found.token.id, "too many requests with this token")
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

    @staticmethod
    def _count(buckets: _Buckets, name: str, what: str, *, take: bool = True) -> None:
        wait = buckets.wait(name, take=take)
        if wait:
            raise Refused(429, f"{what}; wait as long as Retry-After says", headers={"Retry-After": str(int(wait) + 1)})


def _fingerprint(slug: str, presented: str) -> bytes:
    """What is remembered instead of the token: looking it up tells nobody by its time how near a guess is."""
    return hashlib.sha256(f"{slug} {presented}".encode()).digest()


def bearer(header: str | None) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= _LONGEST_TOKEN and token.isascii() else None
