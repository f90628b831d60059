"""The parts of Bitbucket's answers that we read, and nothing more of them.

Names are those of Bitbucket Data Center 9.4's REST description (`RestDetailedUser`, `RestPermittedGroup`,
`RestBitbucketLicense` ...), which equal 6.7's; the shapes were compared with recorded bodies where the two disagree.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = [
    "AccountRow",
    "BasicAuthRules",
    "ErrorRow",
    "Errors",
    "GroupGrant",
    "GroupRow",
    "LicenceRow",
    "MailServer",
    "MemberRow",
    "Properties",
    "RateLimitOfUser",
    "RateLimitRules",
    "RateLimitSettings",
    "SlugRow",
    "UserGrant",
]


class AccountRow(Struct, rename="camel"):
    """An account, of which a server may leave out what it does not know: never logged in, no e-mail, no directory."""

    id: int
    name: str
    slug: str | None = None
    display_name: str | None = None
    email_address: str | None = None
    active: bool = True
    directory_name: str | None = None
    deletable: bool = False
    mutable_details: bool = False
    mutable_groups: bool = False
    last_authentication_timestamp: float | None = None
    type: str = "NORMAL"


class MemberRow(Struct):
    id: int
    name: str


class SlugRow(Struct):
    name: str
    slug: str


class GroupRow(Struct):
    name: str


class GroupGrant(Struct):
    """The description gives this shape for users' grants as well; recorded bodies say otherwise."""

    group: GroupRow
    permission: str


class UserGrant(Struct):
    user: MemberRow
    permission: str


class LicenceStatus(Struct, rename="camel"):
    current_number_of_users: int | None = None


class LicenceRow(Struct, rename="camel"):
    maximum_number_of_users: int | None = None
    unlimited_number_of_users: bool = False
    status: LicenceStatus | None = None


class Properties(Struct, rename="camel"):
    version: str
    display_name: str = "Bitbucket"


class MailServer(Struct):
    hostname: str | None = None


class RateLimitRules(Struct, rename="camel"):
    capacity: int
    fill_rate: int


class RateLimitSettings(Struct, rename="camel"):
    enabled: bool = False
    default_settings: RateLimitRules | None = None


class RateLimitOfUser(Struct):
    whitelisted: bool = False
    settings: RateLimitRules | None = None


class BasicAuthRules(Struct, rename="kebab"):
    block_requests: bool = False
    allowed_users: list[str] = []


class ErrorRow(Struct, rename="camel"):
    context: str | None = None
    message: str | None = None
    exception_name: str | None = None


class Errors(Struct):
    errors: list[ErrorRow]
