"""What is asked of an LDAP library: one search, one answer. Another library needs another `Connection` and no more.

Attribute values are bytes, as RFC 4511 has them. Names are in lower case; options stay, as in `member;range=0-1499`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from directory.errors import SourceUnreadable

__all__ = ["Connection", "Control", "Entry", "NoSuchObject", "Page", "RefusedSearch", "Scope", "UnavailableControl"]

Scope = Literal["base", "one", "subtree"]


class RefusedSearch(SourceUnreadable):
    """The server answered a search with a result code that is no success (RFC 4511, section 4.1.9)."""

    code: int = 80


class NoSuchObject(RefusedSearch):
    """Result code 32: there is no entry of that name, or it may not be seen."""

    code = 32


class UnavailableControl(RefusedSearch):
    """Result code 12: the server does not know a control that the search insists on."""

    code = 12


@dataclass(frozen=True)
class Control:
    """A request control; the value is BER-encoded already."""

    oid: str
    value: bytes | None = None
    critical: bool = True


@dataclass(frozen=True)
class Entry:
    dn: str
    attributes: Mapping[str, Sequence[bytes]]
    controls: Mapping[str, bytes] = field(default_factory=dict)
    """Response controls of this entry, raw BER by OID."""

    def raw(self, name: str) -> bytes | None:
        values = self.attributes.get(name.lower())
        return values[0] if values else None

    def texts(self, name: str) -> list[str]:
        """Values that are text, in the server's order; others are left out."""
        found = (_text(value) for value in self.attributes.get(name.lower(), ()))
        return [text for text in found if text is not None]

    def text(self, name: str) -> str | None:
        """The first value."""
        return next(iter(self.texts(name)), None)

    def number(self, name: str) -> int | None:
        """The first value where it is an integer."""
        try:
            return int(self.text(name) or "")
        except ValueError:
            return None


@dataclass(frozen=True)
class Page:
    entries: list[Entry]
    referrals: list[str]
    """Continuation references (RFC 4511, section 4.5.3), as URLs. They are not followed."""
    controls: Mapping[str, bytes] = field(default_factory=dict)
    """Response controls of the whole search, raw BER by OID."""
    cookie: bytes = b""
    """Where the next page goes on (RFC 2696); empty at the end."""


class Connection(Protocol):
    async def bind(self) -> None:
        """Connect, begin TLS where that is wanted, and say who asks. Two round trips at most.

        Raises `SourceUnavailable`, `CredentialsRefused`, or `SourceUnreadable` for a server that cannot prove its name.
        """

    async def search(
        self,
        base: str,
        scope: Scope,
        filter_: str,
        attributes: Sequence[str],
        controls: Sequence[Control] = (),
        *,
        page: tuple[int, bytes] | None = None,
    ) -> Page:
        """One round trip. `page` asks for so many entries from a cookie on.

        Raises `SourceUnavailable`, `CredentialsRefused`, `ConfigurationError` for a filter that is none, and
        `RefusedSearch` for every other result but success, so that a list cut short by a limit is never a list.
        """

    async def close(self) -> None:
        """Unbind."""


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
