"""Which secrets and certificates must be renewed soon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

__all__ = ["Expiring", "Expiry", "SecretOf", "expiring"]

SecretOf = Literal["source", "target", "at_login"]
"""Whose it is; of the hooks at login, as the sync file names its section."""


@dataclass(frozen=True, order=True)
class Expiry:
    """A day on which something stops to be good; it is good through that day or up to an hour of it."""

    on: date
    side: SecretOf
    what: str
    """Such as `the source's secret`: it begins a sentence, in the singular."""


@dataclass(frozen=True)
class Expiring:
    side: SecretOf
    what: str
    on: date
    days_left: int
    """Below zero: for so many days it has been too late."""

    @property
    def message(self) -> str:
        if self.days_left < 0:
            return f"{self.what} expired on {self.on}"
        when = {0: "today", 1: "tomorrow"}.get(self.days_left, f"in {self.days_left} days")
        return f"{self.what} expires {when}, on {self.on}"

    @property
    def next_step(self) -> str:
        return "make a new one before that, put it in its place, and run `usersync check`"


def expiring(known: Iterable[Expiry], today: date, *, within_days: int) -> list[Expiring]:
    """What expires today, within so many days, or has expired; the most urgent first."""
    soon = sorted(one for one in known if (one.on - today).days <= within_days)
    return [Expiring(one.side, one.what, one.on, (one.on - today).days) for one in soon]
