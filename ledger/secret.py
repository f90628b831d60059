"""Secrets that we give out ourselves: kept as digests, compared in constant time.

Each is 256 random bits, which need no slow hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac

__all__ = ["digest", "is_secret_of"]


def digest(secret: str) -> str:
    """What is kept of a secret. Takes whatever text somebody sends, half characters included."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


_OF_NOTHING = digest("")


def is_secret_of(presented: str, kept: str | None) -> bool:
    """Whether a digest is that of the secret. None, for an id that nobody knows, takes as long as a wrong secret."""
    return hmac.compare_digest(digest(presented), _OF_NOTHING if kept is None else kept) and kept is not None
