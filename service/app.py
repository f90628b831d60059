"""The application: who may come in, then the routes.

What a request passes, outermost first, and why in this order:

1. `SecurityHeaders`: whatever is answered, refusals too, carries them.
2. `Entrance`: from where it comes. Nothing of the request but its X-Forwarded-For is looked at for who is not allowed.
3. `Gate`: who asks, how often, and the audit log. Before the body: a stranger cannot make us read one.
4. `Limits`: the length of address and body, and how long the body may take. After it a body is short and whole.
5. The routes: scope, then parsing and checking, then the work.

The SCIM receiver and the hooks at login are mounted behind 1 and 2; callers and limits are their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Call

import ledger as ledgers
from directory.errors import UsersyncError
from flows.orders import Order
from ledger.tokens import Scope
from service.access.entrance import Entrance
from service.access.gate import Gate
from service.access.headers import SecurityHeaders
from service.access.limits import Limits
from service.access.rate import Buckets
from service.access.refusals import API, Refusal, for_programs, refusal, refused, status_of
from service.access.sessions import Sessions
from service.api import plans, runs, syncs
from service.api.asking import MissingScope, scope_of
from service.desk import Desk
from service.hooks.application import HOOKS, Hooks
from service.pages import routes as pages
from service.pages.drawing import trouble_page
from service.person_syncs import PersonSyncs
from service.scim import ScimSettings, application
from service.settings import ServiceSettings
from service.starting import Starter
from service.syncs import Syncs
from service.waking.watch import Waking

__all__ = ["described", "endpoints", "make_app"]

SCIM = "/scim/"
_MANY = 5
_PARTS = (syncs.routes, runs.routes, plans.routes)


def make_app(settings: ServiceSettings, scim: ScimSettings | None = None) -> ASGIApp:
    """The whole service, with a SCIM receiver under `/scim` where there are settings for it.

    Opens the ledger, and closes it when the server stops. Raises ConfigurationError where it cannot be opened.
    """
    ledger = ledgers.open(settings.ledger_url)
    receiver = None if scim is None else application(ledger, scim)
    sessions = Sessions(secure=settings.secure)
    desk = Desk(ledger, Syncs(settings.syncs), Starter(ledger, settings), sessions, settings)
    person_syncs = PersonSyncs(lambda file, person: desk.starter.sync_person(Order("person", file, person=person)))
    hooks = Hooks(ledger, desk.syncs, person_syncs, uses=settings.rate, failures=settings.failures)

    waking = Waking(ledger, desk.syncs, person_syncs, desk.starter.start)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Where nothing is received, another service does it, which wakes.
        watching = [] if receiver is None else [asyncio.create_task(waking.watch())]
        desk.starter.prepare()
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            await asyncio.to_thread(person_syncs.close)
            await hooks.close()
            await asyncio.to_thread(desk.starter.close)
            if receiver is not None:
                await asyncio.to_thread(receiver.close)
            ledger.close()

    routed = described(lifespan=lifespan)
    routed.state.desk = desk
    beside: dict[str, ASGIApp] = {HOOKS: hooks} if receiver is None else {HOOKS: hooks, SCIM: receiver}
    prefixes = tuple(beside)
    limited = Limits(
        _side_by_side(routed, beside),
        most_url=settings.most_url,
        most_body=settings.most_body,
        seconds=settings.body_seconds,
        beside=prefixes,
    )
    gated = Gate(
        limited,
        ledger=ledger,
        sessions=sessions,
        uses=Buckets(settings.rate),
        failures=Buckets(settings.failures),
        beside=prefixes,
    )
    entered = Entrance(gated, proxies=settings.proxies, allowed=settings.allowed)
    return SecurityHeaders(entered, secure=settings.secure)


def _side_by_side(routed: ASGIApp, beside: Mapping[str, ASGIApp]) -> ASGIApp:
    # Starlette's mount would take the first part of the path away, by which the receiver knows its connectors.
    async def either(scope: Call, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        found = next((app for prefix, app in beside.items() if path.startswith(prefix)), routed)
        await found(scope, receive, send)

    return either


def described(**more: object) -> FastAPI:
    """The routes and their OpenAPI description, without anything to work with."""
    app = FastAPI(
        title="usersync",
        version=version("bitbucket-usersync"),
        description="Runs, results, plans and approvals of usersync. See docs/http-api.md.",
        openapi_url=f"{API}openapi.json",
        # Both load scripts from elsewhere, and redirects would repeat the Host header.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        **more,  # type: ignore[arg-type]
    )
    for part in _PARTS:
        app.include_router(part, prefix=API.rstrip("/"))
    app.include_router(pages.routes, include_in_schema=False)
    app.add_exception_handler(UsersyncError, _failed)
    app.add_exception_handler(MissingScope, _scope_missing)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)
    _describe_tokens(app)
    return app


def endpoints() -> list[tuple[str, str, Scope | None]]:
    """Method, path and scope of everything that the API offers."""
    return [
        (method, f"{API.rstrip('/')}{route.path.replace(':path', '')}", scope_of(route.dependencies))
        for part in _PARTS
        for route in part.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def _describe_tokens(app: FastAPI) -> None:
    make = app.openapi

    def with_tokens() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = make()
            schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            schema["security"] = [{"token": []}]
        return app.openapi_schema or {}

    app.openapi = with_tokens  # type: ignore[method-assign]


def _answer(request: Request, status: int, said: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    if for_programs(request.scope):
        return JSONResponse(said.model_dump(), status, headers=headers)
    return trouble_page(request, status, said)


def _failed(request: Request, error: Exception) -> Response:
    if not isinstance(error, UsersyncError):
        raise TypeError("this answers errors of ours")
    return _answer(request, status_of(error), refusal(error))


def _scope_missing(request: Request, error: Exception) -> Response:
    scope = getattr(error, "scope", "")
    said = Refusal(
        what=f"the token does not have the scope `{scope}`",
        not_done="nothing was done",
        next=f"use a token that has it: `usersync token add NAME --scope {scope}`",
    )
    return _answer(request, HTTPStatus.FORBIDDEN, said)


def _unfit(request: Request, error: Exception) -> Response:
    """What does not fit, by its place and not by what was given: that may be anything."""
    if not isinstance(error, RequestValidationError):
        raise TypeError("this answers requests that do not fit")
    problems = [f"{'.'.join(map(str, one['loc'][1:])) or one['loc'][0]}: {one['msg']}" for one in error.errors()]
    more = f"; and {len(problems) - _MANY} more" if len(problems) > _MANY else ""
    said = Refusal(
        what=("; ".join(problems[:_MANY]) + more).encode("utf-8", "replace").decode(),
        subject="the request",
        not_done="nothing was done",
        next=f"see {API}openapi.json",
    )
    return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, said)


def _http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", HTTPStatus.NOT_FOUND)
    what = {404: "there is nothing here", 405: "this cannot be done here", 400: "the body is no JSON"}
    said = Refusal(what=what.get(status, str(getattr(error, "detail", ""))), not_done="nothing was done")
    return _answer(request, status, said, getattr(error, "headers", None))


def _defect(request: Request, error: Exception) -> Response:
    """The traceback goes to the log of the server, and nothing of it to who asked."""
    said = Refusal(
        what=f"a defect of usersync, {type(error).__name__}",
        next="the traceback is in the log of the service, please report it",
    )
    return refused(request.scope, HTTPStatus.INTERNAL_SERVER_ERROR, said)
