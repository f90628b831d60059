"""What a hook of any vendor is: who may call it, whom a call is about, and how to say that the login goes on."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

import msgspec
from starlette.datastructures import Headers

from ledger.instant import now

__all__ = [
    "Call",
    "Event",
    "Hook",
    "NotAuthentic",
    "Unreadable",
    "body_of",
    "digest",
    "names",
    "one_header",
    "refuse_old",
]

T = TypeVar("T")
_MOST_NAME = 500


class Call(NamedTuple):
    headers: Headers
    body: bytes


class Event(NamedTuple):
    """Something that happened once."""

    id: str
    """The vendor's, the same for every delivery of it."""
    people: tuple[str, ...]
    """What those are called whom it is about; empty where it is about nobody."""


class NotAuthentic(Exception):
    """The vendor did not send this, or not now. What it says is for the audit log and not for who asked."""


class Unreadable(Exception):
    """The vendor sent this, and it is not what the vendor's documents promise."""


class Hook(Protocol):
    """One vendor's way to call, for one sync."""

    scheme: str
    """For WWW-Authenticate."""
    unchanged: bytes
    """The answer that changes nothing about the login, JSON; empty for an answer without a body."""
    waits: bool
    """Whether the login waits for the answer. Where it does not, the answer does not wait for the sync either."""
    remembered_seconds: float
    """For how long a call could be repeated with success, so that it has to be known again."""

    async def read(self, call: Call) -> list[Event]:
        """Raises NotAuthentic, Unreadable, and UsersyncError where it cannot be found out who asks."""

    def verification(self, headers: Headers) -> bytes | None:
        """The answer to a GET by which the vendor finds out that the address is ours; None where there is none."""


def one_header(call: Call, name: str) -> str:
    """Raises NotAuthentic where it is not there exactly once."""
    given = call.headers.getlist(name)
    if len(given) != 1:
        raise NotAuthentic(f"the header {name} is {'missing' if not given else 'there more than once'}")
    return given[0]


def body_of(call: Call, kind: type[T]) -> T:
    """The body, decoded. Raises Unreadable."""
    try:
        return msgspec.json.decode(call.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # Its message names the place and the expected type, and no value.
        raise Unreadable(f"the body is not what the vendor documents: {error}") from None


def refuse_old(at: datetime | None, seconds: float) -> None:
    """Raises NotAuthentic for what was said too long ago, or in the future, and Unreadable where nothing says when."""
    if at is None or at.tzinfo is None:
        raise Unreadable("it does not say when it was sent")
    if abs(now() - at) > timedelta(seconds=seconds):
        raise NotAuthentic(f"it was sent at {at:%Y-%m-%d %H:%M:%S} UTC, more than {seconds:g} seconds from now")


def digest(body: bytes) -> str:
    """An id for what the vendor gives none."""
    return hashlib.sha256(body).hexdigest()


def names(*given: str | None) -> tuple[str, ...]:
    """The first of them that can be somebody's name, or none."""
    usable = (one for one in given if one and one.strip() and len(one) <= _MOST_NAME and one.isprintable())
    return tuple(usable)[:1]
