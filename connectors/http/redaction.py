"""Keeps secrets out of everything that is logged, raised or shown, once, at the seam to the network."""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from connectors.http.library import LIBRARY_LOGGERS

__all__ = ["HIDDEN", "Redactor", "hide_secrets_in_library_logs", "redacted"]

HIDDEN: Final = "[hidden]"

_NAMES: Final = (
    r"password|passwd|pwd|secret|client_secret|client_assertion|assertion|code|key|api_?key|"
    r"(?:access_|refresh_|id_)?token|authorization"
)
_IN_QUERIES: Final = re.compile(rf"\b({_NAMES})=[^&\s\"'<>)\]]+", re.IGNORECASE)
_IN_JSON: Final = re.compile(rf"([\"'](?:{_NAMES})[\"']\s*:\s*[\"'])[^\"']*", re.IGNORECASE)
_SCHEMES: Final = re.compile(r"\b(Basic|Bearer|SSWS|DPoP)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE)
_HEADERS: Final = re.compile(
    r"(b?[\"']?(?:set-cookie|cookie|authorization|proxy-authorization)[\"']?\s*[,:]\s*)(b?[\"'][^\"']*[\"']|[^\r\n]+)",
    re.IGNORECASE,
)
_TELLING: Final = 5
"""Letters from the beginning of a secret that are no coincidence."""
_USERINFO: Final = re.compile(r"(://)[^/\s@]+@")


def redacted(text: str) -> str:
    """The text without what looks like a credential: in query strings, JSON, headers and addresses."""
    text = _HEADERS.sub(rf"\g<1>{HIDDEN}", text)
    text = _IN_QUERIES.sub(rf"\g<1>={HIDDEN}", text)
    text = _IN_JSON.sub(rf"\g<1>{HIDDEN}", text)
    text = _SCHEMES.sub(rf"\g<1> {HIDDEN}", text)
    return _USERINFO.sub(rf"\g<1>{HIDDEN}@", text)


class Redactor:
    """Hides the secrets in use wherever they stand, besides what looks like one.

    Answers write them in their own ways: JSON and HTML escape, addresses quote, and an excerpt may end within one.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        self._secrets = secrets
        """Asked each time, since tokens change."""

    def __call__(self, text: str) -> str:
        written = {spelling for secret in filter(None, self._secrets()) for spelling in _spellings(secret)}
        for spelling in sorted(written, key=len, reverse=True):
            text = _without_beginning(text.replace(spelling, HIDDEN), spelling)
        return redacted(text)


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    for quotes in (True, False):
        yield html.escape(secret, quote=quotes)
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret))


def _without_beginning(text: str, spelling: str) -> str:
    """The text, unless it ends in the middle of a secret: then without what there is of it."""
    for length in range(len(spelling) - 1, _TELLING - 1, -1):
        if text.endswith(spelling[:length]):
            return text[:-length] + HIDDEN
    return text


class _HideSecrets(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redacted(record.getMessage())
        record.args = ()
        return True


_FILTER: Final = _HideSecrets()


def hide_secrets_in_library_logs() -> None:
    """Rewrite the library's log records before any handler sees them. Costs nothing while those loggers are off."""
    for name in LIBRARY_LOGGERS:
        # A logger holds a filter once, however often it is added.
        logging.getLogger(name).addFilter(_FILTER)
