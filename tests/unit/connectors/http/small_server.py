"""A tiny server that answers from a script, one line a request, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.serving import served

Handler = Callable[[Request], Response]


@dataclass
class Asked:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class SmallServer:
    """`script` is answered in order; its last line answers all further requests."""

    script: list[Response | Handler]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append(Asked(request.method, request.url.path, request.url.query, dict(request.headers), body))
        line = self.script[min(len(self.asked), len(self.script)) - 1]
        return line if isinstance(line, Response) else line(request)


@contextmanager
def answering(*script: Response | Handler) -> Iterator[SmallServer]:
    server = SmallServer(list(script))
    methods = ["GET", "POST", "PUT", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", server.answer, methods=methods)])
    with served(app) as url:
        server.url = url
        yield server


def ok(value: object = None, **headers: str) -> JSONResponse:
    return JSONResponse(
        value if value is not None else [], headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def status(code: int, body: object = None, **headers: str) -> JSONResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse(body if body is not None else {"errorSummary": f"status {code}"}, code, headers=named)


class BrokenAnswer(Response):
    """Promises more bytes than it sends, then breaks the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b"[1, 2", "more_body": False})


class Sleeps(list[float]):
    """A sleep that takes no time and remembers how long it would have taken."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
