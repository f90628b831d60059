"""Sessions of browsers: a random cookie in place of the token, and a secret that every form repeats.

They live in the memory of this process: after a restart people show their token again. The cookie is kept as a digest,
and the token behind it is looked up at each request, so revoking a token ends its sessions at once.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ledger.secret import digest

__all__ = ["Session", "Sessions", "same_origin", "same_text"]

_IDLE_SECONDS = 3600.0
_LONGEST_SECONDS = 12 * 3600.0
_MOST_KEPT = 1000


@dataclass
class Session:
    token_id: str
    csrf: str
    """What each form of this session carries."""
    began: float
    used: float


class Sessions:
    """Not for threads: it is asked on the event loop."""

    def __init__(self, *, secure: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._secure = secure
        self._clock = clock
        self._kept: OrderedDict[str, Session] = OrderedDict()

    @property
    def cookie(self) -> str:
        """The cookie's name. `__Host-` makes browsers refuse one that another host or plain HTTP set (RFC 6265bis)."""
        return "__Host-usersync" if self._secure else "usersync"

    @property
    def secure(self) -> bool:
        return self._secure

    def begin(self, token_id: str) -> str:
        """Returns the cookie's value."""
        value = secrets.token_urlsafe(32)
        self._kept[digest(value)] = Session(token_id, secrets.token_urlsafe(32), self._clock(), self._clock())
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return value

    def find(self, value: str) -> Session | None:
        """The session of a cookie, unless it was idle or lasted for too long."""
        key = digest(value)
        session = self._kept.get(key)
        if session is None:
            return None
        now = self._clock()
        if now - session.used > _IDLE_SECONDS or now - session.began > _LONGEST_SECONDS:
            del self._kept[key]
            return None
        session.used = now
        return session

    def end(self, value: str) -> None:
        self._kept.pop(digest(value), None)


def same_text(given: str, expected: str) -> bool:
    """Compared in a time that tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a form was sent from one of our own pages.

    `Sec-Fetch-Site` cannot be set by a page. A browser that is too old for it sends Origin, which names the host that
    it believes to talk to.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] == headers.get("host")
