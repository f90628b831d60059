"""Who asks: a program with its token, or somebody's browser with a session. Writes are written down here, all of them.

An entry of the audit log is made before a write is carried out and completed with what was answered, whatever that is.
Requests whose token is unknown are answered at once and are no writes; sign-ins are written down, also those that fail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from directory.errors import UsersyncError
from ledger.opening import Ledger
from ledger.tokens import Token
from service.access.addresses import neighbourhood
from service.access.bearer import bearer
from service.access.rate import Buckets
from service.access.refusals import API, Refusal, refusal, refused, status_of
from service.access.sessions import Sessions
from service.access.visit import Visit, visit_of

__all__ = ["SIGN_IN", "Gate"]

SIGN_IN = "/login"
_OPEN = frozenset({SIGN_IN, "/health", "/style.css", "/favicon.ico", f"{API}openapi.json"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_WHAT = 500
_NOTHING = "nothing was done"


class Gate:
    """`beside` are prefixes of applications that know their callers themselves."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        ledger: Ledger,
        sessions: Sessions,
        uses: Buckets,
        failures: Buckets,
        beside: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._ledger = ledger
        self._sessions = sessions
        self._uses = uses
        self._failures = failures
        self._beside = beside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or (self._beside and path.startswith(self._beside)):
            await self._app(scope, receive, send)
            return
        try:
            await self._let_in(scope, receive, send, path)
        except UsersyncError as error:  # the ledger does not answer
            await refused(scope, status_of(error), refusal(error))(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        visit = visit_of(scope)
        signing_in = path == SIGN_IN and scope["method"] not in _SAFE
        if path in _OPEN and not signing_in:
            await self._app(scope, receive, send)
            return
        wait = self._failures.wait_seconds(neighbourhood(visit.client))
        if wait and (path.startswith(API) or signing_in):
            await _too_many(scope, wait)(scope, receive, send)
            return
        if signing_in:
            await self._written_down(scope, receive, send, visit)
            if visit.token is None:
                self._failures.take(neighbourhood(visit.client))
            return
        headers = Headers(scope=scope)
        visit.token = await (self._program(headers, visit) if path.startswith(API) else self._browser(headers, visit))
        if visit.token is None:
            await _nobody(scope)(scope, receive, send)
            return
        wait = self._uses.take(visit.token.id)
        if wait:
            await _too_many(scope, wait)(scope, receive, send)
        elif scope["method"] in _SAFE:
            await self._app(scope, receive, send)
        else:
            await self._written_down(scope, receive, send, visit)

    async def _program(self, headers: Headers, visit: Visit) -> Token | None:
        given = bearer(headers.get("authorization"))
        found = None if given is None else await run_sync(self._ledger.tokens.known, given)
        if found is None:
            self._failures.take(neighbourhood(visit.client))
        return found

    async def _browser(self, headers: Headers, visit: Visit) -> Token | None:
        cookies: Mapping[str, str] = cookie_parser(headers.get("cookie", ""))
        visit.session = self._sessions.find(cookies.get(self._sessions.cookie, ""))
        if visit.session is None:
            return None
        return await run_sync(self._ledger.tokens.good, visit.session.token_id)

    async def _written_down(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> None:
        what = f"{scope['method']} {scope['path']}"[:_LONGEST_WHAT]
        before = visit.token
        entry = await run_sync(
            lambda: self._ledger.audit.begin(
                token_id=before.id if before else None,
                who=before.name if before else None,
                client=str(visit.client),
                what=what,
            )
        )
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            after = visit.token
            await run_sync(
                lambda: self._ledger.audit.end(
                    entry,
                    status=status,
                    details=visit.details,
                    token_id=after.id if after else None,
                    who=after.name if after else None,
                )
            )


def _nobody(scope: Scope) -> ASGIApp:
    """The same answer for no token, an unknown one and one that is no longer good. Browsers are led to the sign-in."""
    if not str(scope["path"]).startswith(API):
        return RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    said = Refusal(
        what="this needs a token that is known here and still good",
        not_done=_NOTHING,
        next="send it as `Authorization: Bearer …`; `usersync token add` makes one",
    )
    return refused(scope, HTTPStatus.UNAUTHORIZED, said, {"WWW-Authenticate": "Bearer"})


def _too_many(scope: Scope, wait: float) -> ASGIApp:
    seconds = max(1, math.ceil(wait))
    said = Refusal(what="too many requests", not_done=_NOTHING, next=f"try again in {seconds} seconds")
    return refused(scope, HTTPStatus.TOO_MANY_REQUESTS, said, {"Retry-After": str(seconds)})
