"""When a request is sent again, and how long to wait before."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

__all__ = ["RetryPolicy", "Verdict", "is_concurrency_limit", "seconds_to_wait"]


@dataclass(frozen=True)
class RetryPolicy:
    """All times in seconds. A server that names a time is obeyed; otherwise waits grow from `first_delay` on."""

    attempts: int = 10
    """The first one included."""
    give_up_after: float = 600.0
    """Waits of one request, added up."""
    first_delay: float = 1.0
    longest_delay: float = 5.0
    longest_wait: float = 180.0
    """What a server may ask for at once; whoever asks for more is unavailable."""
    concurrency_delay: tuple[float, float] = (1.0, 2.0)
    """Range of the wait after an answer that says: too many at a time."""
    malformed_attempts: int = 3
    """How often an answer is read whose JSON is cut short."""

    def backoff(self, failures: int) -> float:
        """The wait after so many failures in a row, jittered so that parallel requests do not come back together."""
        ceiling = min(self.longest_delay, self.first_delay * 2.0**failures)
        return random.uniform(min(self.first_delay, ceiling), ceiling)  # noqa: S311 spreads load, guards nothing

    def concurrency_backoff(self) -> float:
        return random.uniform(*self.concurrency_delay)  # noqa: S311 spreads load, guards nothing


class Verdict(Enum):
    """What became of one attempt."""

    FINAL = "final"
    """The server answered; what the status means is the caller's business."""
    THROTTLED = "throttled"
    """Refused before anything happened: 429 or 503."""
    UNAUTHORIZED = "unauthorized"
    """Our token was not accepted; a fresh one may be."""
    REFUSED = "refused"
    """Our credentials are no good; nothing more is sent."""
    NOT_SENT = "not sent"
    """No connection came about, so nothing happened."""
    LOST = "lost"
    """Sent, but the answer was lost, or says nothing about what happened: 500, 502, 504."""
    MALFORMED = "malformed"
    """The body is cut short or no JSON."""
    UNFIT = "unfit"
    """JSON, but not of the promised shape; asking again would not help."""
    HOPELESS = "hopeless"
    """No connection, and none to be hoped for: an untrusted certificate, a malformed address."""


def is_concurrency_limit(status: int, headers: Mapping[str, str]) -> bool:
    """Okta's answer to too many requests at a time; its reset time means nothing then."""
    return status == 429 and headers.get("x-rate-limit-limit") == "0" and headers.get("x-rate-limit-remaining") == "0"


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """What the server asks for, or None.

    `Retry-After` is a number (integers by RFC 9110, decimals by Microsoft Graph) or an HTTP date; `X-Rate-Limit-Reset`
    is Okta's, in epoch seconds. Both dates count from the server's own `Date`, so a wrong clock here does no harm.
    """
    asked = _number(headers.get("retry-after"))
    if asked is None:
        until = _http_date(headers.get("retry-after")) or _epoch(headers.get("x-rate-limit-reset"))
        if until is None:
            return None
        now = _http_date(headers.get("date")) or datetime.now(UTC)
        asked = (until - now).total_seconds()
    return asked if asked > 0 else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _epoch(text: str | None) -> datetime | None:
    number = _number(text)
    try:
        return None if number is None else datetime.fromtimestamp(number, UTC)
    except (OverflowError, ValueError, OSError):
        return None
