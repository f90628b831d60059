"""The HTTP library, imported in this one place so that a switch to a compatible one is one line."""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

__all__ = ["LIBRARY_LOGGERS", "httpx", "read_transport"]

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


def read_transport(trust: ssl.SSLContext, limits: httpx.Limits, proxy: str | None) -> httpx.AsyncBaseTransport:
    """aiohttp's parser in C behind httpx's interface: a read costs a third of the CPU time. It keeps no cookies."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=limits.max_connections or 0, keepalive_timeout=limits.keepalive_expiry or 0, ssl=trust
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(client=session, proxy=httpx.Proxy(proxy) if proxy else None)
