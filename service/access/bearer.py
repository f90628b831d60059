"""The token of an Authorization header: RFC 6750, section 2.1."""

from __future__ import annotations

__all__ = ["bearer"]

_LONGEST = 256
"""Of those that we give out; they have less than a hundred characters."""


def bearer(header: str | None, *, longest: int = _LONGEST) -> str | None:
    """None for no token, for another scheme than Bearer, and for what is longer or not ASCII."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= longest and token.isascii() else None
