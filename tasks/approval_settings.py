"""`approval` of a sync file: whether a flow run asks somebody about a held plan."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconcile.policy import Section

__all__ = ["ApprovalSection"]


class ApprovalSection(Section):
    """What a flow run does when its plan is held. Runs of the command line end held whatever stands here."""

    on_hold: Literal["end", "ask"] = "end"
    """`ask`: the flow run waits, without a process, until somebody decides in Prefect's pages or with
    `usersync approve`."""
    ask_for_hours: float = Field(default=24, gt=0, le=720)
    """When nobody decided by then, the flow run fails and nothing was applied."""
