"""A run's ending as a Prefect state: the flow run says what the exit code says."""

from __future__ import annotations

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.ending import EXIT_CODES, Ending

__all__ = ["BUSY", "ENDING_NAMES", "SUPERSEDED", "state_of"]

ENDING_NAMES = {
    "succeeded": "Completed",
    "nothing_to_do": "Nothing to do",
    "planned": "Planned",
    "partial": "Applied in part",
    "held": "Held",
    "rejected": "Rejected",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "crashed": "Crashed",
    "refused": "Refused",
}


BUSY = "Target busy"
"""Of a run that waited in vain for another one: it did nothing, and Retry, or the next run, does what it was to do."""
SUPERSEDED = "Superseded"
"""Of a run that asked about a plan which nobody makes any more."""


def state_of(ending: Ending) -> State[dict[str, object]]:
    """Completed for exit code 0; otherwise a state of type FAILED whose name says which way: held, in part, failed."""
    kind = Completed if EXIT_CODES[ending.status] == 0 else Failed
    # An error says itself what to do next.
    said = ending.message if "Next: " in ending.message else f"{ending.message}. Next: {ending.next_step}"
    state: State[dict[str, object]] = kind(name=BUSY if ending.busy else ENDING_NAMES[ending.status], message=said)
    return state
