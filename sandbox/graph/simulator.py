"""An Entra tenant on loopback: its token endpoint, and the part of Graph v1.0 that reads users, groups and members.

Microsoft Graph v1.0 documentation as named in the modules beside this one. One server plays both hosts, that of the
login and that of Graph.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import Company
from sandbox.control import Control
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.forms import form_fields
from sandbox.graph import batch, refusals
from sandbox.graph.asking import Ask, Refusal, Reply
from sandbox.graph.delta import Deltas, Forgotten
from sandbox.graph.limits import ResourceUnits
from sandbox.graph.oauth import RegisteredApp, TokenEndpoint
from sandbox.graph.resources import Resources
from sandbox.graph.state import GraphState
from sandbox.graph.switches import CLIENT_ID, CLIENT_SECRET, Switches
from sandbox.serving import served
from sandbox.traffic import FAULTS_KEY, Requests, Traffic

PREFIX = "/v1.0"


class GraphSimulator:
    """`app` is an ASGI application; `requests` what it was asked; `faults` what it shall do wrong next.

    A fault whose path matches a request inside a batch strikes that request; one of the connection strikes the batch.

    with simulator.served() as url: ...
    """

    def __init__(self, company: Company, switches: Switches | None = None) -> None:
        self.switches = switches or Switches()
        self.company = company
        self.state = GraphState(company, self.switches)
        self.faults = Faults()
        self.login = TokenEndpoint(self.switches)
        self.register(RegisteredApp(CLIENT_ID, {CLIENT_SECRET}))
        self.deltas = Deltas(self.state)
        self.units = ResourceUnits(self.switches)
        self.batched: list[str] = []
        """The addresses of all requests inside batches."""
        self._resources = Resources(self.state, self.deltas)
        control = Control(company, self.faults, lambda: self.app)
        self.app = Traffic(
            Starlette(
                routes=[
                    Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
                    Route(f"{PREFIX}/$batch", self._batch, methods=["POST"]),
                    Route(PREFIX + "/{rest:path}", self._single, methods=["GET"]),
                    *control.routes(),
                ]
            ),
            self.faults,
            _fail,
        )

    @property
    def requests(self) -> Requests:
        return self.app.requests

    def register(self, app: RegisteredApp) -> None:
        """Make an app known to the token endpoint."""
        self.login.apps[app.client_id] = app

    def expire_tokens(self) -> None:
        """End every access token now; as the `change` of a fault, in the middle of a read."""
        self.login.tokens.clear()

    def refuse_everybody(self) -> None:
        """No app is known any more, and no token is good."""
        self.login.apps.clear()
        self.login.tokens.clear()

    def forget_deltas(self, answer: Forgotten = "syncStateNotFound") -> None:
        """Refuse every delta token that was given out, in one of the two ways of Graph."""
        self.deltas.forget(answer)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Yield the base URL, of the login host and of Graph alike."""
        with served(self.app) as url:
            yield url

    async def _token(self, request: Request) -> Response:
        host = str(request.base_url).rstrip("/")
        form = await form_fields(request)
        endpoint = str(request.url.replace(query=""))
        return self.login.grant(request.path_params["tenant"], form, endpoint, host, time.time())

    async def _single(self, request: Request) -> Response:
        ask = Ask(
            path="/" + request.path_params["rest"],
            query=dict(request.query_params),
            headers=dict(request.headers),
            base=str(request.base_url).rstrip("/") + PREFIX,
            struck=request.scope[FAULTS_KEY],
        )
        return self._answer(ask, in_batch=False).response()

    async def _batch(self, request: Request) -> Response:
        if self._roles(request.headers.get("authorization", "")) is None:
            return refusals.expired_token().response()
        try:
            inner = batch.read(await request.body())
        except Refusal as refusal:
            return refusal.reply.response()
        base = str(request.base_url).rstrip("/") + PREFIX
        replies: dict[str, Reply] = {}
        for one in inner:
            self.batched.append(one.url)
            path, _, query = one.url.partition("?")
            struck = self.faults.take(PREFIX + unquote(path))
            headers = {**{name.lower(): value for name, value in one.headers.items()}}
            headers["authorization"] = request.headers.get("authorization", "")
            if one.fails_because_of(replies):
                replies[one.id] = refusals.reply(424, "FailedDependency", "A request that this one needs has failed.")
                continue
            ask = Ask(unquote(path), dict(parse_qsl(query, keep_blank_values=True)), headers, base, struck)
            replies[one.id] = await self._struck(ask, request.scope[FAULTS_KEY])
        return batch.written(replies, shuffled=self.switches.batch_shuffled).response()

    async def _struck(self, ask: Ask, outer: dict[FaultKind, Fault]) -> Reply:
        """What happens to one request of a batch; a connection can only break for the batch as a whole."""
        for kind in (FaultKind.DROP, FaultKind.CUT, FaultKind.TRUNCATED):
            if kind in ask.struck:
                outer[kind] = ask.struck[kind]
        if FaultKind.SLOW in ask.struck:
            await asyncio.sleep(ask.struck[FaultKind.SLOW].seconds)
        if FaultKind.CHANGE in ask.struck and (change := ask.struck[FaultKind.CHANGE].change):
            change()
        if FaultKind.STATUS in ask.struck:
            return _failed(ask.struck[FaultKind.STATUS])
        return self._answer(ask, in_batch=True)

    def _answer(self, ask: Ask, *, in_batch: bool) -> Reply:
        roles = self._roles(ask.headers.get("authorization", ""))
        if roles is None:
            return refusals.expired_token()
        throttled = self.units.charge(ask, in_batch=in_batch)
        if throttled is not None:
            return throttled
        try:
            with self.company.lock:
                reply = self._resources.answer(ask, roles)
        except Refusal as refusal:
            reply = refusal.reply
        reply.headers = {**self.units.headers(ask), "request-id": "sandbox", **reply.headers}
        return reply

    def _roles(self, authorization: str) -> frozenset[str] | None:
        scheme, _, credential = authorization.partition(" ")
        token = self.login.valid(credential, time.time()) if scheme.lower() == "bearer" else None
        return None if token is None else token.roles


def _fail(fault: Fault) -> Response:
    response = _failed(fault).response()
    if fault.body is not None:
        return Response(fault.body, fault.status, headers=dict(fault.headers))
    return response


def _failed(fault: Fault) -> Reply:
    reply = refusals.throttled("1") if fault.status == 429 else refusals.unavailable(fault.status)
    reply.headers.update(fault.headers)
    return reply
