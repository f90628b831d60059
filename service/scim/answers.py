"""What goes back to a client: a status, headers, and a body in the media type of SCIM (RFC 7644, section 3.12)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from scim2_models import SCIMException
from scim2_server.errors import MethodNotAllowedException

__all__ = ["Answer", "Refused", "answer_of_failure", "document", "refusal"]

_ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
_LIBRARY: Final = re.compile(r"\s*(?:For further information visit \S+|\[type=[^\]]*\])")
_LONGEST: Final = 300


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that is not looked into."""

    def __init__(
        self, status: int, detail: str, *, scim_type: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.answer = refusal(status, detail, scim_type=scim_type, headers=headers)


def document(status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(content, ensure_ascii=False).encode(), headers or {})


def refusal(
    status: int, detail: str, *, scim_type: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """An error in the form of SCIM. `status` is text there."""
    content = {"schemas": [_ERROR], "status": str(status), "detail": detail}
    if scim_type is not None:
        content["scimType"] = scim_type
    return document(status, content, headers)


def answer_of_failure(failure: Exception) -> Answer:
    """The error that a client is told; nothing of how we are made. What is no fault of the client is a bare 500."""
    if isinstance(failure, Refused):
        return failure.answer
    if not isinstance(failure, SCIMException):
        return refusal(500, "the request could not be carried out; the service has noted why")
    error = failure.to_error()
    status = int(error.status or 500)
    headers = {"Allow": ", ".join(failure.allowed)} if isinstance(failure, MethodNotAllowedException) else {}
    detail = _plain(str(error.detail or "")) or HTTPStatus(status).phrase
    scim_type = None if error.scim_type is None else str(error.scim_type)
    return refusal(status, detail, scim_type=scim_type, headers=headers)


def _plain(detail: str) -> str:
    """On one line, without what the library that checks says of itself."""
    told = " ".join(_LIBRARY.sub("", detail).split())
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
