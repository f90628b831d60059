"""Run a simulator as a process of its own: announce it on the first line of stdout, serve until SIGTERM."""

from __future__ import annotations

import socket
import sys

import msgspec
import uvicorn
from starlette.types import ASGIApp


def serve_until_stopped(app: ASGIApp, announcement: dict[str, object], port: int) -> None:
    """`port` 0 takes a free one. The announcement is one line of JSON with the base URL under `url`.

    Raises OSError when the port is taken.
    """
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it every answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    sys.stdout.write(msgspec.json.encode({"url": url, **announcement}).decode() + "\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
