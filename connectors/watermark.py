"""What the watermarks of incremental sources have in common: they are text, and belong to one set of settings."""

from __future__ import annotations

import hashlib
from typing import Self

import msgspec

__all__ = ["Watermark", "fingerprint"]


class Watermark(msgspec.Struct):
    """From where a source goes on; each source says of what it consists."""

    @classmethod
    def decoded(cls, text: str | None) -> Self | None:
        """None where there is none, or one of another shape."""
        try:
            return msgspec.json.decode(text or "", type=cls)
        except msgspec.DecodeError:
            return None

    def written(self) -> str:
        return msgspec.json.encode(self).decode()


def fingerprint(what: str) -> str:
    """Sixteen digits that change with what is given, such as the settings that a snapshot depends on."""
    return hashlib.sha256(what.encode()).hexdigest()[:16]
