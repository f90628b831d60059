"""The HTTP library, imported in this one place so that a switch to a compatible one is one line."""

from __future__ import annotations

from typing import Final

import httpx

__all__ = ["LIBRARY_LOGGERS", "httpx"]

LIBRARY_LOGGERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
"""Every logger the library writes to: URLs at INFO, headers of answers at DEBUG."""
