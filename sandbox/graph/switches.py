"""What a test or a demo can set about the Entra tenant that is simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sandbox.company import Person

TENANT = "7d2f5a4e-0c1b-4f6e-9a57-3f1de5c0aa01"
CLIENT_ID = "5b0c7e5e-91f4-4c26-8d53-6a2b1c9d7702"
CLIENT_SECRET = "sandbox~client.secret"  # noqa: S105 invented, opens nothing but this simulator


def nobody(_: Person) -> bool:
    return False


@dataclass
class Switches:
    """Defaults follow Microsoft's documents; anything may be changed while the simulator runs.

    `resource_units` is the budget of one app in one tenant for `window_seconds` (8,000 per ten seconds for a tenant of
    more than 500 users), None for no limit. `ordering` is a seed: another one, set in the middle of a read, changes the
    order in which lists come. `delta_replays` is how many rows each later page of a delta repeats. `erased_as` is the
    reason that a delta gives for users who are gone: `changed` for the thirty days in which they can be restored.
    """

    tenant: str = TENANT
    token_seconds: int = 3599
    resource_units: int | None = 8000
    window_seconds: float = 10.0
    ordering: str = ""
    batch_shuffled: bool = True
    delta_page: int = 200
    delta_members_page: int = 500
    delta_replays: int = 0
    erased_as: Literal["changed", "deleted"] = "changed"
    is_guest: Callable[[Person], bool] = nobody
    members_list_service_principals: bool = False
