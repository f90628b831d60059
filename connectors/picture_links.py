"""Pictures behind addresses that the source gives: from hosts that the sync file names, and from nowhere else.

Whoever may write the attribute must not make us ask an address inside our network, so a redirect is not followed, no
credentials are sent, and no more is read than a picture may have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from connectors.contract import Picture
from connectors.http.library import LIBRARY_ERRORS, httpx
from directory.errors import SourceUnavailable, SourceUnreadable, UsersyncError

__all__ = ["LARGEST", "PictureLinks"]

LARGEST: Final = 10 * 1024 * 1024
"""Bytes of one image file."""

_SIDE_BY_SIDE: Final = 8
_SECONDS: Final = 30.0


class PictureLinks:
    """Fetches one address at a time for each of eight callers."""

    def __init__(self, hosts: Collection[str], *, schemes: Collection[str] = ("https",)) -> None:
        self._hosts = {host.lower() for host in hosts}
        self._schemes = frozenset(schemes)
        self._slots = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._client = httpx.AsyncClient(follow_redirects=False, timeout=_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def fetch(self, url: str) -> Picture:
        """The file behind an address, or why it is not had. Never None: a missing file is no word of the source's."""
        refusal = self._refusal(url)
        if refusal is not None:
            return refusal
        host = urlsplit(url).netloc
        try:
            async with self._slots, asyncio.timeout(_SECONDS), self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    return SourceUnreadable(f"{host} answered {response.status_code} to the address of a picture")
                content = b""
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > LARGEST:
                        return SourceUnreadable(f"a picture at {host} is larger than {LARGEST // 1024**2} MB")
                return content
        except (*LIBRARY_ERRORS, httpx.HTTPError) as error:
            return SourceUnavailable(f"{host} gave no picture: {type(error).__name__}")

    def _refusal(self, url: str) -> UsersyncError | None:
        try:
            parts = urlsplit(url)
            known = parts.netloc.lower() in self._hosts
        except ValueError:
            return SourceUnreadable("the address of a picture is none")
        if parts.scheme not in self._schemes:
            return SourceUnreadable(f"pictures are fetched over https alone, not over {parts.scheme or 'nothing'}")
        if not known:
            return SourceUnreadable(
                f"the picture is at {parts.hostname}, which `pictures.hosts` does not name, so it was not fetched"
            )
        return None
