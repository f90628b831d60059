"""Everything that can go wrong, sorted by consequence.

UsersyncError
 + Retryable                 the same request may succeed later; nothing is wrong with the data
 |  + SourceUnavailable        the source did not answer, or asked us to wait, longer than we retry
 |  + TargetUnavailable        the target did, and the change is known not to have happened
 |  + OutcomeUnknown           a change was sent and its answer was lost; read back before sending it again
 + Skippable                 one record is refused, the run goes on
 |  + BrokenRow                a row of the source cannot be read; the read is incomplete
 |  + OperationRefused         the target refuses this one change, whenever it is sent
 |  |  + NotFound                the account or the group is not there
 |  |  + AlreadyExists           an account or a group of that name is there already
 |  |  + SeatsExhausted          the licence has no seat left
 + Held                      a guard said no; a person decides
 + Fatal                     the run ends
    + ConfigurationError       the sync file or a setting is wrong (exit code 2)
    + CredentialsRefused       the first 401 stops everything, before it locks the account
    + SourceUnreadable         the source answers, but not with what its documents promise
    + TargetUnreadable         the target does
    + StalePlan                the target moved on since the plan was made
    + LeaseTaken               another run works on the same target
    + UnknownRecord            the ledger has no such plan or run

Each says what happened, to which object, what was not done, and what to do next.
"""

from __future__ import annotations

__all__ = [
    "AlreadyExists",
    "BrokenRow",
    "ConfigurationError",
    "CredentialsRefused",
    "Fatal",
    "Held",
    "LeaseTaken",
    "NotFound",
    "OperationRefused",
    "OutcomeUnknown",
    "Retryable",
    "SeatsExhausted",
    "Skippable",
    "SourceUnavailable",
    "SourceUnreadable",
    "StalePlan",
    "TargetUnavailable",
    "TargetUnreadable",
    "UnknownRecord",
    "UsersyncError",
]


class UsersyncError(Exception):
    """The root. `str()` is one paragraph for a terminal; the parts are kept for results and tests."""

    def __init__(
        self,
        what: str,
        *,
        subject: str | None = None,
        not_done: str | None = None,
        next_step: str | None = None,
    ) -> None:
        self.what = what
        """What happened."""
        self.subject = subject
        """The object it happened to, such as `person 00u1f (jane)` or `syncs/okta.yaml line 7`."""
        self.not_done = not_done
        """What was not done because of it."""
        self.next_step = next_step
        """What the reader can do about it."""
        # One argument, and the rest as attributes: so an error survives the way to another process.
        super().__init__(what)

    def __str__(self) -> str:
        head = f"{self.subject}: {self.what}" if self.subject else self.what
        parts = [_sentence(head)]
        if self.not_done:
            parts.append(_sentence(f"Not done: {self.not_done}"))
        if self.next_step:
            parts.append(_sentence(f"Next: {self.next_step}"))
        return " ".join(parts)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


class Retryable(UsersyncError):
    """The same request may succeed later."""


class SourceUnavailable(Retryable):
    """The source did not answer, or asked us to wait, longer than we retry."""


class TargetUnavailable(Retryable):
    """The target did not answer, or asked us to wait, longer than we retry; the change did not happen."""


class OutcomeUnknown(Retryable):
    """A change was sent and its answer was lost. Read back before sending it again."""


class Skippable(UsersyncError):
    """One record is refused; the run goes on."""


class BrokenRow(Skippable):
    """A row of the source cannot be read."""


class OperationRefused(Skippable):
    """The target refuses this one change."""


class NotFound(OperationRefused):
    """The account or the group is not there."""


class AlreadyExists(OperationRefused):
    """An account or a group of that name is there already."""


class SeatsExhausted(OperationRefused):
    """The licence has no seat left."""


class Held(UsersyncError):
    """A guard said no; nothing of the plan was applied."""


class Fatal(UsersyncError):
    """The run ends."""


class ConfigurationError(Fatal):
    """The sync file or a setting is wrong."""


class CredentialsRefused(Fatal):
    """The source or the target refused our credentials, or they lack a permission."""


class SourceUnreadable(Fatal):
    """The source answers, but not with what its documents promise."""


class TargetUnreadable(Fatal):
    """The target answers, but not with what its documents promise."""


class StalePlan(Fatal):
    """The target moved on since the plan was made."""


class LeaseTaken(Fatal):
    """Another run works on the same target."""


class UnknownRecord(Fatal):
    """The ledger has no such plan or run."""
