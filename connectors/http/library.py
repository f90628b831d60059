"""The HTTP library, imported in this one place so that a switch to a compatible one is one line."""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

__all__ = ["LIBRARY_ERRORS", "LIBRARY_LOGGERS", "httpx", "read_transport"]

LIBRARY_LOGGERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "aiohttp.client",
)
"""Every logger the library writes to: URLs at INFO, headers of answers at DEBUG."""

LIBRARY_ERRORS: Final = (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL, aiohttp.ClientError, TimeoutError)
"""Everything that sending a request and reading its answer may raise."""


def read_transport(trust: ssl.SSLContext, proxy: str | None, *, keepalive_seconds: float) -> httpx.AsyncBaseTransport:
    """aiohttp's connections and its parser in C behind httpx's interface. It keeps no cookies and sets no limit."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=keepalive_seconds, ssl=trust)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    # The transport asks only the session, but without `verify` would load every certificate of the machine for itself.
    return AiohttpTransport(verify=trust, client=session, proxy=httpx.Proxy(proxy) if proxy else None)
