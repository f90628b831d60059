"""What a test or a demo can set about the Keycloak realm that is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.company import Person

REALM = "fjordlight"
USER_EVENT_TYPES = (
    "CLIENT_LOGIN",
    "DELETE_ACCOUNT",
    "LOGIN",
    "REGISTER",
    "UPDATE_EMAIL",
    "UPDATE_PROFILE",
    "USER_DISABLED_BY_PERMANENT_LOCKOUT",
    "VERIFY_EMAIL",
)
CLIENT_ID = "directory-reader"
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 invented, opens nothing but this simulator

READING_ROLES = frozenset({"view-users", "query-users", "query-groups", "view-realm", "view-events"})

DEFAULT_ATTRIBUTES: Mapping[str, Callable[[Person], str]] = {
    "department": lambda person: person.department,
    "title": lambda person: person.title,
    "city": lambda person: person.city,
    "employeeNumber": lambda person: person.employee_number,
}


@dataclass(frozen=True)
class ConfidentialClient:
    """A client with a secret and a service account.

    `roles` are those of `realm-management` that were assigned to the service account, `groups` the ids of the company's
    groups that somebody put it into. With `lightweight` its access tokens do not tell its roles.
    """

    client_id: str
    secret: str
    roles: frozenset[str] = READING_ROLES
    groups: frozenset[str] = frozenset()
    lightweight: bool = False


@dataclass
class Switches:
    """Anything may be changed while the simulator runs.

    An access token of the master realm lives for 60 seconds by default, one of another realm for 300; the shorter is
    the default here. Events of both kinds are off in a new realm, as in Keycloak; `KeycloakSimulator.audit.switch`
    turns them on and off as an administrator does. Who is `federated` comes from another directory, such as LDAP.
    `truncate_pages_above` cuts the JSON of pages that ask for more rows than that, which is what a time limit does to
    them (keycloak/keycloak issue 26884).
    """

    realm: str = REALM
    token_seconds: int = 60
    admin_events_enabled: bool = False
    user_events_enabled: bool = False
    user_event_types: Sequence[str] = USER_EVENT_TYPES
    federated: Callable[[Person], bool] = lambda _person: False
    truncate_pages_above: int | None = None
    unmanaged_attribute_policy: str | None = None
    attributes: Mapping[str, Callable[[Person], str]] = field(default_factory=lambda: dict(DEFAULT_ATTRIBUTES))
    clients: dict[str, ConfidentialClient] = field(
        default_factory=lambda: {CLIENT_ID: ConfidentialClient(CLIENT_ID, CLIENT_SECRET)}
    )
