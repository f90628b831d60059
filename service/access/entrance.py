"""The first question to every request: from where does it come, and may it come from there."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.addresses import Networks, Untraceable, client_address, within
from service.access.refusals import Refusal, refused
from service.access.visit import Visit

__all__ = ["Entrance"]


class Entrance:
    """Attaches a `Visit` to what it lets in."""

    def __init__(self, app: ASGIApp, *, proxies: Networks, allowed: Networks) -> None:
        self._app = app
        self._proxies = proxies
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        peer = scope.get("client")
        forwarded = Headers(scope=scope).getlist("x-forwarded-for")
        try:
            client = client_address(peer[0] if peer else None, forwarded, self._proxies)
        except Untraceable as reason:
            said = Refusal(what=f"it cannot be told from where this comes: {reason}", not_done="nothing was done")
            await refused(scope, HTTPStatus.FORBIDDEN, said)(scope, receive, send)
            return
        if self._allowed and not within(client, self._allowed):
            said = Refusal(what="requests from your address are not taken", not_done="nothing was done")
            await refused(scope, HTTPStatus.FORBIDDEN, said)(scope, receive, send)
            return
        # What stands behind it and knows nothing of visits, the SCIM receiver, is told the same.
        scope["client"] = (str(client), peer[1] if peer else 0)
        Visit(client).attach(scope)
        await self._app(scope, receive, send)
