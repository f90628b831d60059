"""Graph's refusals in plain words, for `usersync check`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from connectors.http.answer import Answer
from connectors.sources.entra.wire import Refusal

__all__ = ["explained"]

_EXPLAINED: Final = (
    (
        re.compile(r"property named '([^']+)'"),
        "users have no property {}",
        "correct `attributes`; names are case-sensitive, directory extensions are called extension_APPID_NAME",
    ),
    (
        re.compile(r"clause specified for property '([^']+)'"),
        "Graph cannot filter groups by {}",
        "correct `groups_filter`; displayName, mailNickname, securityEnabled and groupTypes are the usual ones",
    ),
    (
        re.compile(r"Invalid filter clause"),
        "Graph cannot read the filter ({said})",
        "correct `groups_filter`; text stands in single quotes, as in startswith(displayName,'bb-')",
    ),
    (
        re.compile(r"^Unsupported"),
        "Graph does not allow this filter ({said})",
        "try a simpler `groups_filter`",
    ),
)
"""Pattern of Graph's message, what it means, what to do."""


def explained(answer: Answer) -> tuple[str, str]:
    """What Graph says, and what to do about it."""
    try:
        error = answer.json(Refusal).error
    except msgspec.DecodeError:
        return f"HTTP {answer.status}", "see whether a proxy answers in Graph's place"
    said = f"HTTP {answer.status} {error.code}: {error.message}"
    if answer.status == 403:
        return (
            "the app registration lacks a permission",
            "add the application permissions User.Read.All and GroupMember.Read.All, and grant admin consent",
        )
    for pattern, what, step in _EXPLAINED:
        if found := pattern.search(error.message):
            return what.format(*found.groups(), said=error.message), step
    return said, "see Graph's documentation for this error"
