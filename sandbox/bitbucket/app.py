"""The ASGI application: routing, authentication, limits, faults, and the request log."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.bitbucket import groups, memberships, people, permissions, refusals, system, users
from sandbox.bitbucket.access import authenticate, check_permission, check_xsrf
from sandbox.bitbucket.clock import Clock
from sandbox.bitbucket.control import control
from sandbox.bitbucket.exchange import Actor, Call, Reply, Route
from sandbox.bitbucket.faults import HTML, Fault, Faults
from sandbox.bitbucket.installation import Installation
from sandbox.bitbucket.journal import EffectLog, RequestLog, RequestRecord
from sandbox.bitbucket.ratelimit import RateLimiter
from sandbox.bitbucket.switches import Switches

RESOURCE = re.compile(r"/rest/(api|basicauth)/(?:1\.0|latest)(/.*)")
ACCEPTED = re.compile(r"\*/\*|application/\*|application/json")
DEFAULTS = Switches()
ROUTES = [
    *users.ROUTES,
    *groups.ROUTES,
    *memberships.ROUTES,
    *permissions.ROUTES,
    *people.ROUTES,
    *system.ROUTES,
]


class BitbucketSimulator:
    """A Bitbucket Data Center in memory, with one system administrator and the default group.

    `app` is the ASGI application, `state` the direct access for tests, `requests` the log of what was asked, `effects`
    the log of what took effect, `faults` what goes wrong on command.
    """

    def __init__(
        self, switches: Switches = DEFAULTS, admin: tuple[str, str] = ("admin", "admin"), *, clock: Clock | None = None
    ) -> None:
        self.switches = switches
        self.clock = clock or Clock()
        self.state = Installation(switches, self.clock)
        self.requests = RequestLog()
        self.faults = Faults()
        self.limiter = RateLimiter(switches.rate_limit, self.clock)
        self._literal: dict[tuple[str, str], Route] = {}
        self._by_slug: list[tuple[re.Pattern[str], Route]] = []
        self._route()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        self.app: ASGIApp = app
        name, password = admin
        self.state.add_user(name, password=password)
        self.state.grant_user(name, "SYS_ADMIN")
        if switches.default_group is not None:
            self.state.add_group(switches.default_group)
            self.state.grant_group(switches.default_group, "LICENSED_USER")

    @property
    def effects(self) -> EffectLog:
        return self.state.effects

    def _route(self) -> None:
        for route in ROUTES:
            if route.since > self.switches.major:
                continue
            if "{slug}" in route.path:
                pattern = re.compile(re.escape(route.path).replace(r"\{slug\}", "([^/]+)"))
                self._by_slug.append((pattern, route))
            else:
                self._literal[route.method, route.path] = route

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"the simulator speaks HTTP, not {scope['type']}")
        body = await _whole_body(receive)
        method, path = scope["method"], scope["path"]
        if path.startswith("/sandbox/"):
            await _send(send, control(self, method, path, body), {})
            return
        query = scope["query_string"].decode("latin-1")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        call = Call(method, path, query, headers, body, self.state, self.limiter)
        found = RESOURCE.fullmatch(path)
        fault = self.faults.strike(method, found.group(2) if found else path)
        await asyncio.sleep(self.switches.latency_seconds + (fault.seconds if fault else 0))
        reply = self._reply(call, found, fault)
        self.requests.append(RequestRecord(method, path, query, reply.status if reply else None, _name(call.actor)))
        if reply is None:
            await _drop(send, receive)
        elif fault is not None and fault.kind == "cut":
            await _send(send, reply, self._headers(call, reply), sent=len(reply.body) // 2)
            await _drop(send, receive)
        else:
            await _send(send, reply, self._headers(call, reply))

    def _reply(self, call: Call, found: re.Match[str] | None, fault: Fault | None) -> Reply | None:
        """The answer, None for a closed connection."""
        if fault is not None and fault.when == "before" and fault.kind in {"status", "drop"}:
            return _broken(fault)
        reply = self._judged(call, found)
        if fault is not None and fault.kind in {"status", "drop"}:
            return _broken(fault)
        if fault is not None and fault.kind == "truncate":
            reply.body = reply.body[: len(reply.body) // 2]
        return reply

    def _judged(self, call: Call, found: re.Match[str] | None) -> Reply:
        if call.path == "/status":
            return Reply(200, b'{"state":"RUNNING"}')
        if found is None:
            return Reply(404, content_type="")
        plugin, path = found.groups()
        try:
            return self._answer(call, path if plugin == "api" else f"{plugin}:{path}")
        except refusals.Refusal as refusal:
            if refusal.raw is not None:
                return Reply(refusal.status, *refusal.raw)
            return Reply(refusal.status, refusal.body())

    def _answer(self, call: Call, path: str) -> Reply:
        call.actor = authenticate(call)
        if call.actor is not None and (seconds := self.limiter.take(call.actor.key)):
            return self._limited(seconds)
        route = self._literal.get((call.method, path))
        if route is None:
            for pattern, candidate in self._by_slug:
                match = pattern.fullmatch(path)
                if match and candidate.method == call.method:
                    route, call.slug = candidate, match.group(1)
                    break
        if route is None:
            return Reply(405 if self._is_known(path) else 404, content_type="")
        if not ACCEPTED.search(call.headers.get("accept", "*/*")):
            return Reply(406, content_type="")
        check_xsrf(call)
        check_permission(call, route.needs)
        return route.handler(call)

    def _is_known(self, path: str) -> bool:
        return any(known == path for _, known in self._literal) or any(p.fullmatch(path) for p, _ in self._by_slug)

    def _limited(self, seconds: float) -> Reply:
        headers = {"Retry-After": str(max(1, round(seconds + 0.499)))} if self.switches.rate_limit_retry_after else {}
        return _error_of_kind(429, self.switches.rate_limit_body, headers)

    def _headers(self, call: Call, reply: Reply) -> dict[str, str]:
        headers = {
            "x-arequestid": f"@SANDBOX{len(self.requests)}",
            "cache-control": "no-cache, no-transform",
            "vary": "x-ausername,accept-encoding",
        }
        if call.actor is not None:
            headers["x-auserid"] = str(call.actor.user.id)
            headers["x-ausername"] = quote(call.actor.user.name, safe="")
        if reply.status == 401:
            headers["www-authenticate"] = f'OAuth realm="{quote(self.switches.base_url, safe="")}"'
        return headers


def _name(actor: Actor | None) -> str | None:
    return None if actor is None else actor.user.name


def _broken(fault: Fault) -> Reply | None:
    if fault.kind == "drop":
        return None
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return _error_of_kind(fault.status, fault.body, headers)


def _error_of_kind(status: int, kind: str, headers: dict[str, str]) -> Reply:
    if kind == "html":
        return Reply(status, HTML, "text/html;charset=UTF-8", headers)
    if kind == "empty":
        return Reply(status, b"", "", headers)
    texts = {429: "Rate limit exceeded", 503: "Bitbucket is temporarily unavailable"}
    body = refusals.Refusal(status, texts.get(status, "An internal error occurred")).body()
    return Reply(status, body, headers=headers)


async def _whole_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _send(send: Send, reply: Reply, headers: dict[str, str], sent: int | None = None) -> None:
    """Send an answer, or only the first `sent` bytes of it."""
    listed = {**headers, **reply.headers}
    if reply.body:
        listed["content-type"] = reply.content_type
    if reply.status != 204:
        listed["content-length"] = str(len(reply.body))
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in listed.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.body[:sent], "more_body": sent is not None})


async def _drop(send: Send, receive: Receive) -> None:
    """Close the connection under the client. ASGI has no word for it, so this reaches for uvicorn's transport."""
    cycle: Any = getattr(send, "__self__", None)
    if cycle is None:
        raise NotImplementedError("a connection can only be dropped when uvicorn serves the simulator unwrapped")
    cycle.transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
