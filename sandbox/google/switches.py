"""What a test or a demo can set about the Google Workspace account that is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.company import DOMAIN, Person

ADMIN = f"admin@{DOMAIN}"
"""The administrator whom a service account may act for; no employee, and in no list."""

CUSTOMER_ID = "C03sandbox"

_SCOPE = "https://www.googleapis.com/auth/"
USERS_SCOPE = f"{_SCOPE}admin.directory.user.readonly"
GROUPS_SCOPE = f"{_SCOPE}admin.directory.group.readonly"
MEMBERS_SCOPE = f"{_SCOPE}admin.directory.group.member.readonly"
SCHEMAS_SCOPE = f"{_SCOPE}admin.directory.userschema.readonly"
READ_SCOPES = frozenset({USERS_SCOPE, GROUPS_SCOPE, MEMBERS_SCOPE, SCHEMAS_SCOPE})


@dataclass(frozen=True)
class ServiceAccount:
    """`keys` maps a key id to the public JWK. `delegated` are the scopes that the domain's administrator entered."""

    email: str
    keys: Mapping[str, Mapping[str, str | list[str]]]
    delegated: frozenset[str] = READ_SCOPES


@dataclass(frozen=True)
class Member:
    """A member that the invented company does not know: from outside, a nested group, or everybody."""

    id: str
    kind: str
    email: str | None = None


@dataclass(frozen=True)
class CustomField:
    """A field of a custom schema."""

    schema: str
    name: str
    kind: str
    value: Callable[[Person], object]


CUSTOM_FIELDS: tuple[CustomField, ...] = (
    CustomField("Employment", "badge", "INT64", lambda person: str(int(person.employee_number) + 500_000)),
    CustomField("Employment", "remote", "BOOL", lambda person: int(person.employee_number) % 3 == 0),
    CustomField("Tools", "names", "STRING", lambda person: ["git", person.department.lower()]),
)


@dataclass
class Switches:
    """Defaults follow Google's documents; anything may be changed while the simulator runs.

    What `directMembersCount` counts is not documented beyond "users that are direct members": `count_includes_groups`
    chooses. `further_members` are put into groups of the company by the group's id in it.
    """

    admins: set[str] = field(default_factory=lambda: {ADMIN})
    known_users: set[str] = field(default_factory=set)
    """Addresses, besides those of the company, that are users and yet no administrators."""
    queries_a_minute: int = 2400
    concurrency: int = 100
    token_seconds: int = 3599
    page_token_seconds: float = 3 * 24 * 3600
    clock_skew_seconds: float = 0.0
    api_enabled: bool = True
    count_includes_groups: bool = True
    archive_the_suspended: bool = False
    custom_fields: tuple[CustomField, ...] = CUSTOM_FIELDS
    further_members: dict[str, list[Member]] = field(default_factory=dict)
