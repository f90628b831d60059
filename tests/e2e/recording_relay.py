"""A relay on loopback that passes requests on to a server and remembers each with its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio.to_thread
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.serving import served

PASSED_ON = ("authorization", "content-type", "accept")


@dataclass(frozen=True)
class Relayed:
    method: str
    path: str
    query: str
    status: int
    content_type: str
    body: bytes


@dataclass
class Relay:
    """`before` is called with each request's path and query before it is passed on, and may change the server."""

    url: str = ""
    seen: list[Relayed] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda _path, _query: None

    def to(self, path_end: str) -> list[Relayed]:
        return [relayed for relayed in self.seen if relayed.path.endswith(path_end)]


@contextmanager
def relay(upstream: str) -> Iterator[Relay]:
    made = Relay()
    with httpx.Client(base_url=upstream, timeout=120) as client:

        async def pass_on(request: Request) -> Response:
            body = await request.body()
            return await anyio.to_thread.run_sync(_pass_on, made, client, request, body)

        app = Starlette(routes=[Route("/{path:path}", pass_on, methods=["GET", "POST", "PUT", "DELETE"])])
        with served(app) as url:
            made.url = url
            yield made


def _pass_on(relay: Relay, client: httpx.Client, request: Request, body: bytes) -> Response:
    relay.before(request.url.path, request.url.query)
    headers = {name: value for name, value in request.headers.items() if name in PASSED_ON}
    address = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    answer = client.request(request.method, address, headers=headers, content=body)
    content_type = answer.headers.get("content-type", "")
    relay.seen.append(
        Relayed(request.method, request.url.path, request.url.query, answer.status_code, content_type, answer.content)
    )
    return Response(answer.content, answer.status_code, media_type=content_type)
