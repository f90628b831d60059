"""What a Bitbucket may do differently from another, one switch for each unknown.

A rule that Atlassian documents or that was recorded on a real server has no switch. Where documents are silent or
contradict each other, the default is the likelier behaviour and the other values are what a client must survive too.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Permission = Literal["LICENSED_USER", "PROJECT_CREATE", "ADMIN", "SYS_ADMIN"]
PERMISSIONS: tuple[Permission, ...] = ("LICENSED_USER", "PROJECT_CREATE", "ADMIN", "SYS_ADMIN")


class Bucket(BaseModel):
    """A token bucket for each user: `capacity` requests at once, `fill_rate` more each second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity: int = Field(60, gt=0)
    fill_rate: int = Field(5, gt=0)


class Switches(BaseModel):
    """How this Bitbucket behaves. Times are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field("9.4.0", pattern=r"^\d+\.\d+(\.\d+)?$")
    """6.7.0 to 9.4.x. Names the anonymous 401 (from 9.0 another class), offers `/admin/user-directories` from 8.0 and
    `/rest/basicauth` from 9.0."""
    base_url: str = "http://bitbucket.example.test"
    """Where links in answers point; Bitbucket uses its configured base URL, whatever the request came by."""

    page_cap: int = Field(1000, gt=0)
    """The largest page; a larger `limit` is lowered in silence and the answer tells the limit used."""
    page_mode: Literal["plain", "filtered_full", "filtered_short"] = "plain"
    """`filtered_*`: rows the caller may not see stand between the others. `full` reads on until the page is full
    (nextPageStart is beyond start + limit), `short` leaves them out of the page (size is below limit)."""
    hidden_every: int = Field(3, ge=2)
    """In the filtered modes every how manieth row is one that the caller may not see."""
    last_page_next: Literal["absent", "null"] = "absent"
    """How the last page shows that there is no `nextPageStart`."""
    order: Literal["name", "id", "shuffled"] = "name"
    """The order of lists is promised nowhere."""
    order_seed: int = 0

    licence_maximum: int | None = None
    """Seats; None is a licence without a limit."""
    licence_installed: bool = True
    mail_server: bool = False
    notify_without_mail_status: Literal[400, 409] = 400
    default_group: str | None = "stash-users"

    captcha_after: int | None = 5
    """How many wrong passwords lock an account; None never does."""
    basic_auth_blocked: bool = False
    basic_auth_allowed_users: frozenset[str] = frozenset()
    basic_auth_blocked_status: Literal[401, 403] = 403
    xsrf_checked: bool = True
    xsrf_status: Literal[403, 404] = 403

    rate_limit: Bucket | None = None
    rate_limit_retry_after: bool = True
    """Whether a 429 says in `Retry-After` when to come back."""
    rate_limit_body: Literal["json", "html", "empty"] = "json"

    lag_reads: int = Field(0, ge=0)
    """A write is seen by reads only after this many further reads."""
    lag_seconds: float = Field(0.0, ge=0)
    """A write is seen by reads only after this time."""
    latency_seconds: float = Field(0.0, ge=0)
    """How long every answer takes at least."""

    unknown_member: Literal["atomic", "partial"] = "atomic"
    """What groups/add-users and users/add-groups did before their 404 when one name is unknown: nothing, or all that
    stood before it."""
    already_member: Literal["ok", "conflict"] = "ok"
    empty_list: Literal["ok", "refused"] = "ok"
    """Adding an empty list of names."""
    own_demotion_by_leaving: Literal["conflict", "allowed"] = "conflict"
    """Leaving the last group that makes the caller an administrator."""
    nested_members: bool = False
    """Whether more-members of a group lists the members of its nested groups too."""

    partial_update: Literal["keeps", "blanks"] = "keeps"
    """What PUT /admin/users does to a field that is absent."""
    unknown_field_refused: bool = True
    rename_onto_existing_status: Literal[409, 400] = 409
    rename_case_only: Literal["accepted", "conflict"] = "accepted"
    read_only_status: Literal[409, 403, 400, 401] = 409
    """A write to a user or group of a read-only directory."""
    email_unique: bool = False
    password_min_length: int = 1
    forbidden_in_names: str = ""
    slug_replacements: dict[str, str] = {"@": "_"}
    """Only `@` is proven."""
    slug_lower_case: bool = True
    inactive_users_listed: bool = True

    recreated_user_keeps_id: bool = True
    recreated_user_regains: Literal["nothing", "permissions", "permissions_and_groups"] = "permissions"
    """What a user created again within `tombstone_days` of the deletion has without further ado."""
    tombstone_days: float = 7.0

    user_directories_shape: Literal["array", "page"] = "array"

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def lagging(self) -> bool:
        return self.lag_reads > 0 or self.lag_seconds > 0
