"""What comparisons use in place of text (RFC 7643, section 2.2; RFC 7644, section 5), as scim2-models does."""

from __future__ import annotations

import unicodedata

__all__ = ["exact", "folded"]


def exact(text: str) -> str:
    """Where case counts: normal form C."""
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """Where it does not: in lower case as well, which may take text out of the normal form."""
    return exact(exact(text).lower())
