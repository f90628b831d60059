"""What is known of a request before it is answered: from where it comes, who asks, and what to write down of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import Scope

from ledger.tokens import Token
from service.access.addresses import Address
from service.access.sessions import Session

__all__ = ["Visit", "visit_of"]

_KEY = "usersync.visit"


@dataclass
class Visit:
    client: Address
    token: Token | None = None
    """Who asks; None on what is open to everybody."""
    session: Session | None = None
    """Of a browser; None for programs."""
    details: dict[str, Any] = field(default_factory=dict)
    """What the audit log says of a write, besides its address. Never a secret."""

    def attach(self, scope: Scope) -> None:
        scope[_KEY] = self


def visit_of(request: HTTPConnection | Scope) -> Visit:
    """The visit that the entrance attached."""
    scope = request.scope if isinstance(request, HTTPConnection) else request
    found = scope[_KEY]
    if not isinstance(found, Visit):
        raise TypeError("the request did not come through the entrance")
    return found
