"""How much of a request is read before anything looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.refusals import Refusal, refused

__all__ = ["Limits"]

_NOTHING = "nothing was done"


class Limits:
    """Longer addresses and bodies are refused, and so are bodies that do not come in time.

    `beside` are prefixes of applications that have limits of their own.
    """

    def __init__(
        self, app: ASGIApp, *, most_url: int, most_body: int, seconds: float, beside: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._most_url = most_url
        self._most_body = most_body
        self._seconds = seconds
        self._beside = tuple(beside)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or str(scope["path"]).startswith(self._beside or ("\n",)):
            await self._app(scope, receive, send)
            return
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self._most_url:
            said = Refusal(what=f"the address is longer than {self._most_url:,} bytes", not_done=_NOTHING)
            await refused(scope, HTTPStatus.REQUEST_URI_TOO_LONG, said)(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length")
        if declared is None and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        if declared is not None and (not declared.isdecimal() or int(declared) > self._most_body):
            await self._too_long(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._read(receive), self._seconds)
        except TimeoutError:
            said = Refusal(what=f"the body did not come within {self._seconds:g} seconds", not_done=_NOTHING)
            await refused(scope, HTTPStatus.REQUEST_TIMEOUT, said, {"Connection": "close"})(scope, receive, send)
            return
        if body is None:
            await self._too_long(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body; None where it is too long."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return bytes(body)
            body += message.get("body", b"")
            if len(body) > self._most_body:
                return None
            if not message.get("more_body", False):
                return bytes(body)

    async def _too_long(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = Refusal(what=f"the body is longer than {self._most_body:,} bytes", not_done=_NOTHING)
        answer = refused(scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said, {"Connection": "close"})
        await answer(scope, receive, send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
