"""What a test or a demo can set about the Okta that is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox.company import Person

SSWS_TOKEN = "00sandboxSswsToken"  # noqa: S105 invented, opens nothing but this simulator

# Requests per minute and organisation, from the last table that Okta published (enterprise plan); now they are only
# shown in each organisation's dashboard. Which bucket the members of a group fall into is not documented.
ENTERPRISE_LIMITS: Mapping[str, int] = {
    "users": 600,
    "user": 1000,
    "groups": 600,
    "group": 600,
    "logs": 50,
    "token": 600,
    "other": 600,
}


@dataclass(frozen=True)
class CustomAttribute:
    """An attribute that the organisation added to its user profile. `kind` is a type of Okta's schema."""

    name: str
    title: str
    kind: str
    value: Callable[[Person], object]


DEFAULT_CUSTOM_ATTRIBUTES: tuple[CustomAttribute, ...] = (
    CustomAttribute("badgeNumber", "Badge number", "integer", lambda person: int(person.employee_number) + 500_000),
    CustomAttribute("worksRemotely", "Works remotely", "boolean", lambda person: int(person.employee_number) % 3 == 0),
    CustomAttribute("tools", "Tools", "array", lambda person: ["git", person.department.lower()]),
    CustomAttribute("bitbucketName", "Name in Bitbucket", "string", lambda person: person.username),
)


@dataclass
class Switches:
    """Defaults follow Okta's documents; anything may be changed while the simulator runs.

    `clock_skew_seconds` moves the organisation's clock against this machine's; it needs a server that sends no Date of
    its own, see `OktaSimulator.served`. `search_lag_seconds` is how far the index behind
    `search=` lags behind, of users and of groups; `membership_lag_seconds` how much later than the members themselves
    `lastMembershipUpdated` shows a change of them (Okta promises no bound for either).
    """

    limits: Mapping[str, int] = field(default_factory=lambda: dict(ENTERPRISE_LIMITS))
    window_seconds: int = 60
    share_of_one_token: float = 0.5
    concurrency: int = 75
    token_seconds: int = 3600
    require_dpop: bool = False
    search_lag_seconds: float = 0.0
    membership_lag_seconds: float = 0.0
    clock_skew_seconds: float = 0.0
    everyone_visible: bool = True
    leavers_stay_in_groups: bool = True
    default_group_members_page: int = 1000
    custom_attributes: tuple[CustomAttribute, ...] = DEFAULT_CUSTOM_ATTRIBUTES
    ssws_tokens: set[str] = field(default_factory=lambda: {SSWS_TOKEN})
    ssws_tokens_without_role: set[str] = field(default_factory=set)
    log_readable: bool = True
