"""How a run ended: one status, one exit code, one next step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from directory.errors import ConfigurationError, Held, UsersyncError
from reconcile.plan import Plan

__all__ = ["EXIT_CODES", "Ending", "Status", "status_of_error"]

Status = Literal[
    "succeeded",
    "nothing_to_do",
    "planned",
    "partial",
    "held",
    "rejected",
    "failed",
    "cancelled",
    "crashed",
    "refused",
]

EXIT_CODES: dict[Status, int] = {
    "succeeded": 0,
    "nothing_to_do": 0,
    "planned": 0,
    "failed": 1,
    "cancelled": 1,
    "crashed": 1,
    "refused": 2,
    "held": 3,
    "rejected": 3,
    "partial": 4,
}
"""0 all that was planned is applied, or nothing to do; 1 failed; 2 configuration; 3 held or rejected; 4 in part."""


@dataclass(frozen=True)
class Ending:
    run_id: str
    status: Status
    plan: Plan | None
    message: str
    """What happened, in one sentence or one paragraph."""
    next_step: str
    applied: dict[str, int]
    """Operations per journal status."""
    document: str | None
    """Where the JSON document of the run is."""
    stale: bool = False
    """Whether it failed because the target is not what the plan starts from any more."""
    busy: bool = False
    """Whether it failed because another run held the target for longer than it would wait, or took it over."""

    unknown: bool = False
    """Whether it failed because nobody is called so, or more than one is."""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]


def status_of_error(error: BaseException) -> Status:
    """The status that an error ends a run with."""
    if isinstance(error, ConfigurationError):
        return "refused"
    if isinstance(error, Held):
        return "held"
    return "failed" if isinstance(error, UsersyncError) else "crashed"
