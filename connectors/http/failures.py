"""What a request that came to nothing means for the side it was sent to, in words for an administrator."""

from __future__ import annotations

from typing import Literal

from directory.errors import (
    CredentialsRefused,
    NotFound,
    OutcomeUnknown,
    SourceUnavailable,
    SourceUnreadable,
    TargetUnavailable,
    TargetUnreadable,
    UsersyncError,
)

__all__ = ["Failures", "Side"]

Side = Literal["source", "target"]


class Failures:
    """Makes the errors of one client: `name` is what the administrator calls the system."""

    def __init__(self, side: Side, name: str) -> None:
        self._side = side
        self._name = name
        self._not_done = "the read did not finish" if side == "source" else "the request did not take effect"

    def unavailable(self, call: str, reason: str, tries: int) -> UsersyncError:
        kind = SourceUnavailable if self._side == "source" else TargetUnavailable
        again = f"after {tries} tries" if tries > 1 else "at the first try"
        return kind(
            f"{self._name} gave no usable answer {again}: {reason}",
            subject=call,
            not_done=self._not_done,
            next_step=f"see whether {self._name} is up and reachable from here, then run again",
        )

    def unreadable(self, call: str, reason: str) -> UsersyncError:
        kind = SourceUnreadable if self._side == "source" else TargetUnreadable
        return kind(
            f"{self._name} answered, but not as its documents promise: {reason}",
            subject=call,
            not_done=self._not_done,
            next_step="check that the configured address is the API's and that no proxy answers in its place",
        )

    def refused(self, call: str, status: int, said: str) -> CredentialsRefused:
        return CredentialsRefused(
            f"{self._name} refused our credentials (HTTP {status}{': ' + said if said else ''})",
            subject=call,
            not_done="nothing more was sent, so that no account gets locked",
            next_step="renew the token or the password, then run `usersync check`",
        )

    def forbidden(self, call: str, said: str) -> CredentialsRefused:
        return CredentialsRefused(
            f"{self._name} says our credentials may not do this (HTTP 403{': ' + said if said else ''})",
            subject=call,
            not_done=self._not_done,
            next_step="give them the missing permission, then run `usersync check`",
        )

    def missing(self, call: str, said: str) -> NotFound:
        return NotFound(f"{self._name} has no such object{': ' + said if said else ''}", subject=call)

    def outcome_unknown(self, call: str, reason: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{self._name} was sent a change, and whether it happened is not known: {reason}",
            subject=call,
            not_done="the change was not sent again",
            next_step="read back before sending it again",
        )
