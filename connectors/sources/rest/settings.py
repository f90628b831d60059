"""What the `source` section of a sync file may say about a JSON API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.secret import SecretReference
from connectors.tables.json_path import JsonPath
from directory.snapshot import PEOPLE

__all__ = [
    "GROUP_ID",
    "Auth",
    "GroupFields",
    "GroupsRequest",
    "MembershipFields",
    "MembershipsRequest",
    "Paging",
    "PeopleFields",
    "PeopleRequest",
    "Request",
    "RestSettings",
]

GROUP_ID: Final = "{group_id}"
"""Stands in a path for the id of each group."""


_SECRET_NAMES: Final = ("authorization", "cookie", "password", "secret", "token", "apikey", "api_key", "api-key")


def _json_path(text: str) -> str:
    JsonPath(text)
    return text


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError("the url looks like https://hr.example.com/api/v2, without credentials or a query in it")
    return url.rstrip("/")


def _path(path: str) -> str:
    if "://" in path or "?" in path:
        raise ValueError("a path is what follows the url, such as /people; parameters go into `query`")
    return path


Plain = TypeVar("Plain", bound=Mapping[str, Any])


def _no_secret(given: Plain) -> Plain:
    for name in given:
        if any(word in name.lower() for word in _SECRET_NAMES):
            raise ValueError(f"{name!r} looks like a secret, which no sync file holds; give it by reference, in `auth`")
    return given


Place = Annotated[str, AfterValidator(_json_path)]
Word = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def _needs(self, kind: str, needed: Sequence[str], allowed: Sequence[str] = ()) -> None:
        """Raises ValueError where keys that belong to `kind` are missing, or others are given."""
        given = self.model_fields_set - {"type"}
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"type {kind} needs {', '.join(missing)}")
        foreign = sorted(given - set(needed) - set(allowed))
        if foreign:
            raise ValueError(f"type {kind} knows no {', '.join(foreign)}")


class Auth(_Section):
    """How the API learns who asks. Each type has keys of its own."""

    type: Literal["none", "basic", "bearer", "header", "oauth2"] = "none"
    username: Word | None = None
    """With basic."""
    password: SecretReference | None = None
    """With basic."""
    token: SecretReference | None = None
    """With bearer."""
    header: Word | None = None
    """With header: its name, such as X-API-Key."""
    value: SecretReference | None = None
    """With header: what is sent in it."""
    token_url: Annotated[str, AfterValidator(_address)] | None = None
    """With oauth2 (client credentials): the whole address of the token endpoint."""
    client_id: Word | None = None
    client_secret: SecretReference | None = None
    scope: str | None = None
    secret_in_body: bool = False
    """With oauth2: whether the client id and secret go into the form, for servers that do not take HTTP Basic."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        keys: Mapping[str, tuple[str, ...]] = {
            "basic": ("username", "password"),
            "bearer": ("token",),
            "header": ("header", "value"),
            "oauth2": ("token_url", "client_id", "client_secret"),
        }
        self._needs(self.type, keys.get(self.type, ()), ("scope", "secret_in_body") if self.type == "oauth2" else ())
        return self


class Paging(_Section):
    """How the API gives long lists. Each type has keys of its own."""

    type: Literal["none", "next_link", "link_header", "cursor", "page", "offset"] = "none"
    link: Place | None = None
    """With next_link: where in the answer the address of the next page is; absent or null on the last one."""
    cursor: Place | None = None
    """With cursor: where in the answer it is; absent or null on the last page."""
    parameter: Word | None = None
    """With cursor, page and offset: the query parameter that names the page wanted."""
    start: Annotated[int, Field(ge=0)] | None = None
    """With page: the number of the first one, 1 where it is not given. With offset: 0."""
    size_parameter: Word | None = None
    """With page and offset: the query parameter for the rows a page."""
    size: Annotated[int, Field(ge=1)] | None = None
    """What is sent in `size_parameter`."""
    ends_at_short_page: bool = False
    """With page and offset: whether a page with fewer rows than `size` is the last. Only where the API surely gives as
    many as it is asked for; otherwise the list ends at an empty page, or when `total` rows have come."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        counted = ("start", "size_parameter", "size", "ends_at_short_page")
        keys: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
            "next_link": (("link",), ()),
            "cursor": (("cursor", "parameter"), ()),
            "page": (("parameter",), counted),
            "offset": (("parameter",), counted),
        }
        self._needs(self.type, *keys.get(self.type, ((), ())))
        if self.size is None and (self.size_parameter is not None or self.ends_at_short_page):
            raise ValueError("size_parameter and ends_at_short_page need size")
        return self


class Request(_Section):
    """One list of the API."""

    path: Annotated[str, AfterValidator(_path)]
    """Behind the url, such as /people."""
    query: Annotated[Mapping[str, str | int | bool], AfterValidator(_no_secret)] = {}
    """Parameters of the first page, and of every page that is not named by a link. No secrets."""
    rows: Place = "$"
    """Where in the answer the rows are; $ where the answer is the list."""
    absent_is_empty: bool = False
    """Whether rows that are missing or null mean that there are none. Otherwise that ends the read."""
    total: Place | None = None
    """Where in the answer the number of all rows is. It is what proves that all of them came."""
    total_header: Word | None = None
    """Instead of `total`: the header that tells it, such as X-Total-Count."""
    paging: Paging = Paging()

    @model_validator(mode="after")
    def _one_total(self) -> Self:
        if self.total is not None and self.total_header is not None:
            raise ValueError("give total or total_header, not both")
        return self


class PeopleFields(_Section):
    """Where in a row our columns are."""

    external_id: Place
    """The id that never changes."""
    username: Place | None = None
    email: Place | None = None
    display_name: Place | None = None
    active: Place | None = None
    """Whether the person may come in; none where the API lists active people only."""


class PeopleRequest(Request):
    """The list of people."""

    fields: PeopleFields
    attributes: Mapping[str, Place] = {}
    """Further columns for expressions, as `column: place`."""

    @model_validator(mode="after")
    def _no_column_twice(self) -> Self:
        ours = sorted(PEOPLE.keys() & self.attributes.keys())
        if ours:
            raise ValueError(f"attributes cannot be carried as {', '.join(ours)}, which is a column of its own")
        return self


class GroupFields(_Section):
    """Where in a row our columns are."""

    group_id: Place
    """The id that never changes."""
    name: Place


class GroupsRequest(Request):
    """The list of groups."""

    fields: GroupFields


class MembershipFields(_Section):
    """Where in a row our columns are; $ where a row is the id itself."""

    member_id: Place
    """A person's external_id, or a group_id."""
    group_id: Place | None = None
    """None where the path names the group."""
    member_is_group: Place | None = None
    """What tells groups from people among members; none where there are no groups in groups."""


class MembershipsRequest(Request):
    """Who is in which group: one list of pairs, or with {group_id} in the path one list a group."""

    fields: MembershipFields
    group_values: tuple[str, ...] = ("true", "1", "group")
    """What stands for a group in `member_is_group`, in any case; anything else is a person."""

    @property
    def per_group(self) -> bool:
        return GROUP_ID in self.path

    @model_validator(mode="after")
    def _one_way_to_the_group(self) -> Self:
        if self.per_group and self.fields.group_id is not None:
            raise ValueError("give fields.group_id or {group_id} in the path, not both")
        if not self.per_group and self.fields.group_id is None:
            raise ValueError("say which group: by fields.group_id, or by {group_id} in the path")
        return self


class RestSettings(_Section):
    """A JSON API that gives people, groups and memberships."""

    kind: Literal["rest"] = "rest"
    url: Annotated[str, AfterValidator(_address)]
    """What all paths follow, such as https://hr.example.com/api/v2."""
    auth: Auth = Auth()
    headers: Annotated[Mapping[str, str], AfterValidator(_no_secret)] = {}
    """Sent with every request. No secrets; those go into `auth`."""
    people: PeopleRequest
    memberships: MembershipsRequest
    groups: GroupsRequest | None = None
    """Without it a group is known by its memberships, and its name is its id."""
    active_values: tuple[str, ...] = ("true", "yes", "1", "active", "enabled")
    """What stands for active, in any case."""
    inactive_values: tuple[str, ...] = ("false", "no", "0", "inactive", "disabled")
    """What stands for inactive. Any other value, and none, makes the row broken: nobody is guessed active."""
    concurrency: Annotated[int, Field(ge=1, le=100)] = 4
    """Requests at a time."""
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    """Where the API allows only so many. A 429 or 503 is waited for in any case."""
    ca_file: Path | None = None
    """Certificates to trust besides the usual ones, for a proxy that opens TLS."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.memberships.per_group and self.groups is None:
            raise ValueError("{group_id} in the path of memberships needs `groups`, which gives the ids")
        for request in (self.people, self.groups):
            if request is not None and GROUP_ID in request.path:
                raise ValueError("{group_id} belongs into the path of memberships alone")
        both = {value.lower() for value in self.active_values} & {value.lower() for value in self.inactive_values}
        if both:
            raise ValueError(f"active_values and inactive_values both hold {', '.join(sorted(both))}")
        return self
