"""The outermost layer of a simulator: it records every request and commits the faults that concern any answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import Fault, FaultKind, Faults

CONTROL_PREFIX = "/sandbox/"
FAULTS_KEY = "sandbox.faults"
IN_FLIGHT_KEY = "sandbox.in_flight"


@dataclass(frozen=True)
class SeenRequest:
    """One request and its outcome. `status` is 0 when the connection was closed without an answer."""

    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    status: int
    seconds: float
    faults: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


class Requests(list[SeenRequest]):
    """The log, in the order in which the answers went out."""

    def to(self, path: str) -> list[SeenRequest]:
        """Those to exactly this path."""
        return [seen for seen in self if seen.path == path]

    def statuses(self) -> list[int]:
        return [seen.status for seen in self]


@dataclass
class CapturedAnswer:
    """What the application wanted to send; answers of simulators are small enough to hold."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def collect(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


class Traffic:
    """ASGI middleware. `fail` builds the vendor's answer for a STATUS fault.

    Requests below `/sandbox/` steer the simulator and are neither recorded nor harmed.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        fail: Callable[[Fault], Response],
        *,
        latency_seconds: float = 0.0,
    ) -> None:
        self._app = app
        self._faults = faults
        self._fail = fail
        self._lock = threading.Lock()
        self.latency_seconds = latency_seconds
        self.requests = Requests()
        self.in_flight = 0
        self.most_in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        struck = self._faults.take(scope["path"])
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        scope[FAULTS_KEY] = struck
        scope[IN_FLIGHT_KEY] = self.in_flight
        try:
            answer = await self._answer(scope, receive, struck)
        finally:
            self.in_flight -= 1
        self._record(scope, answer, struck, time.monotonic() - started)
        await _deliver(answer, struck, receive, send)

    def clear(self) -> None:
        with self._lock:
            self.requests.clear()

    async def _answer(self, scope: Scope, receive: Receive, struck: dict[FaultKind, Fault]) -> CapturedAnswer:
        wait = self.latency_seconds + (struck[FaultKind.SLOW].seconds if FaultKind.SLOW in struck else 0.0)
        if wait:
            await asyncio.sleep(wait)
        if FaultKind.CHANGE in struck and (change := struck[FaultKind.CHANGE].change):
            change()
        answer = CapturedAnswer()
        if FaultKind.DROP in struck:
            return answer
        app: ASGIApp = self._fail(struck[FaultKind.STATUS]) if FaultKind.STATUS in struck else self._app
        await app(scope, receive, answer.collect)
        return answer

    def _record(self, scope: Scope, answer: CapturedAnswer, struck: Iterable[FaultKind], seconds: float) -> None:
        seen = SeenRequest(
            at=time.time(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("ascii"),
            headers=dict(Headers(scope=scope)),
            status=answer.status,
            seconds=seconds,
            faults=tuple(kind.value for kind in struck),
        )
        with self._lock:
            self.requests.append(seen)


async def _deliver(answer: CapturedAnswer, struck: Iterable[FaultKind], receive: Receive, send: Send) -> None:
    if FaultKind.DROP in struck:
        await _hang_up(receive)
        return
    half = answer.body[: len(answer.body) // 2]
    if FaultKind.TRUNCATED in struck:
        MutableHeaders(raw=answer.headers)["content-length"] = str(len(half))
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if FaultKind.CUT in struck:
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await _hang_up(receive)
        return
    await send({"type": "http.response.body", "body": half if FaultKind.TRUNCATED in struck else answer.body})


async def _hang_up(receive: Receive) -> None:
    """Close the TCP connection. ASGI has no message for it, so this reaches for the connection behind `receive`.

    Raises RuntimeError under a server other than uvicorn.
    """
    connection = getattr(receive, "__self__", None)
    transport: asyncio.WriteTransport | None = getattr(connection, "transport", None)
    if transport is None:
        raise RuntimeError("a fault that closes the connection needs a simulator served by uvicorn")
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
