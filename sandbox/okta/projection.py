"""What a request asks to be left out of a user: `fields=` and the `okta-response` option of its Content-Type."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.requests import Request

from sandbox.okta.documents import Document

PROFILE = re.compile(r"profile:\(([^)]*)\)")


def without(document: Document, request: Request) -> Document:
    """`fields` is documented for lists of users; elsewhere it is ignored."""
    shown = dict(document)
    if "omitCredentials" in _omitted(request.headers.get("content-type", "")):
        shown.pop("credentials", None)
    fields = request.query_params.get("fields")
    return _projected(shown, fields) if fields and request.url.path == "/api/v1/users" else shown


def _omitted(content_type: str) -> set[str]:
    _, _, option = content_type.partition("okta-response=")
    return _names(option.strip('"'))


def _projected(document: Document, fields: str) -> Document:
    """`id,status,profile:(firstName,city)`; the id is always there. `profile` alone means all of it."""
    in_profile = PROFILE.search(fields)
    wanted = _names(PROFILE.sub("", fields)) | {"id"}
    shown = {name: value for name, value in document.items() if name in wanted}
    profile = document.get("profile")
    if in_profile is not None and isinstance(profile, dict):
        names = _names(in_profile.group(1))
        shown["profile"] = {name: value for name, value in profile.items() if name in names}
    return shown


def _names(text: str) -> set[str]:
    return set(_stripped(text.split(",")))


def _stripped(parts: Iterable[str]) -> Iterable[str]:
    return (part.strip() for part in parts if part.strip())
