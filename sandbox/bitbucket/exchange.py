"""A request as the resources see it, and their answer to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from sandbox.bitbucket.installation import Installation
from sandbox.bitbucket.model import User, outranks
from sandbox.bitbucket.ratelimit import RateLimiter
from sandbox.bitbucket.refusals import Refusal, invalid, invalid_argument
from sandbox.bitbucket.state import State
from sandbox.bitbucket.switches import Permission, Switches

JSON = "application/json;charset=UTF-8"
Needs = Literal["anonymous", "authenticated"] | Permission


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Actor:
    """Who is asking; a token never carries more than LICENSED_USER."""

    user: User
    permission: Permission | None

    @property
    def key(self) -> str:
        return self.user.key


@dataclass(slots=True)
class Call:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    installation: Installation
    limiter: RateLimiter
    slug: str = ""
    actor: Actor | None = None
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pairs = parse_qsl(self.query, keep_blank_values=True)

    @property
    def switches(self) -> Switches:
        return self.installation.switches

    @property
    def truth(self) -> State:
        return self.installation.truth

    @property
    def caller(self) -> Actor:
        if self.actor is None:
            raise RuntimeError(f"{self.method} {self.path} reached its resource without authentication")
        return self.actor

    def param(self, name: str) -> str | None:
        return next((value for key, value in self.pairs if key == name), None)

    def params(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def required(self, name: str) -> str:
        value = self.param(name)
        if not value:
            raise invalid(name, f"{name} is required.")
        return value

    def filter(self) -> str:
        return (self.param("filter") or "").casefold()

    def document(self, java_class: str, **fields: type) -> dict[str, Any]:
        """The JSON body; unknown fields are refused as Jackson words it (recorded for UserUpdate on 7.21).

        Raises 415 for another content type, 400 for anything that is not an object of these fields.
        """
        if not self.headers.get("content-type", "").startswith("application/json"):
            raise Refusal(415, raw=(b"", ""))
        try:
            value = msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise invalid_argument(f"The request body is not valid JSON: {error}") from None
        if not isinstance(value, dict):
            raise invalid_argument("The request body must be a JSON object.")
        for name, given in value.items():
            if name not in fields:
                if self.switches.unknown_field_refused:
                    raise self._unrecognized(name, java_class)
            elif given is not None and not isinstance(given, fields[name]):
                raise invalid(name, f"{name} has the wrong type.")
        return {name: value.get(name) for name in fields}

    def _unrecognized(self, name: str, java_class: str) -> Refusal:
        column = self.body.find(b'"%b"' % name.encode()) + len(name) + 4
        return Refusal(
            400,
            f'Unrecognized field "{name}" (Class {java_class}), not marked as ignorable\n at [Source: '
            f"com.atlassian.stash.internal.web.util.web.CountingServletInputStream@5368d0c6; line: 1, column: {column}]"
            f' (through reference chain: {java_class}["{name}"])',
        )

    def is_outranked_by_user(self, key: str) -> bool:
        return outranks(self.truth.permission_of(key), self.caller.permission)

    def is_outranked_by_group(self, key: str) -> bool:
        return outranks(self.truth.group_permission(key), self.caller.permission)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is below `/rest/api/<version>`, or starts with another plugin's name and a colon; `{slug}` is one segment.

    `since` is the first major version that has the resource.
    """

    method: str
    path: str
    needs: Needs
    handler: Handler
    since: int = 0
