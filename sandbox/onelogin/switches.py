"""What a test or a demo can set about the OneLogin account that is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.company import Person

CLIENT_ID = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d"
CLIENT_SECRET = "sandboxOneLoginSecret"  # noqa: S105 invented, opens nothing but this simulator

CUSTOM_ATTRIBUTES: Mapping[str, Callable[[Person], object]] = {
    "employee_number": lambda person: person.employee_number,
    "bitbucket_name": lambda person: person.username,
}


@dataclass
class Switches:
    """Defaults follow OneLogin's documents; anything may be changed while the simulator runs.

    What a cursor remembers besides page and limit is not documented: `cursor_keeps_fields` chooses.
    Nor is whether a role that a user gains or loses counts as an update of theirs (`role_counts_as_update`), whether a
    role still has its name where `fields` are asked for, and whether its list of users is cut short.
    """

    clients: dict[str, str] = field(default_factory=lambda: {CLIENT_ID: CLIENT_SECRET})
    scopes_missing: bool = False
    token_seconds: int = 36000
    calls_an_hour: int = 5000
    most_users: int = 100
    most_roles: int = 650
    cursor_keeps_fields: bool = True
    role_counts_as_update: bool = False
    role_names_with_fields: bool = True
    most_users_of_a_role: int | None = None
    clock_skew_seconds: float = 0.0
    custom_attributes: Mapping[str, Callable[[Person], object]] = field(default_factory=lambda: dict(CUSTOM_ATTRIBUTES))
