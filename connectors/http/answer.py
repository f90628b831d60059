"""An answer of a server, and how one is decoded."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from connectors.http.library import httpx

__all__ = ["Answer", "decode_json"]

T = TypeVar("T")


class Answer:
    """A whole answer. Its `repr` shows neither the body nor the headers, which may hold secrets."""

    __slots__ = ("content", "headers", "method", "status", "url", "value")

    def __init__(self, method: str, url: str, status: int, headers: httpx.Headers, content: bytes) -> None:
        self.method = method
        self.url = url
        """The address without its query, for messages."""
        self.status = status
        self.headers = headers
        self.content = content
        self.value: Any = None
        """What the content decoded to, where the caller asked for a type."""

    def __repr__(self) -> str:
        return f"<Answer {self.status} to {self.method} {self.url}, {len(self.content)} bytes>"

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self, kind: type[T]) -> T:
        """Raises `msgspec.DecodeError` where it is no JSON, `msgspec.ValidationError` where it does not fit."""
        value: T = decode_json(self.content, kind)
        return value

    def excerpt(self, length: int = 200) -> str:
        """The start of the body on one line; to be redacted before it is shown."""
        return " ".join(self.content[: length * 4].decode("utf-8", "replace").split())[:length]


@lru_cache(maxsize=64)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode_json(content: bytes, kind: Any) -> Any:
    return _decoder(kind).decode(content)
