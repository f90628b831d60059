"""The receiver in a process of its own: `python -m tests.scim_server URL SOCKET_NUMBER`, and what starts it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

import ledger
from service.scim import Limits, ScimSettings, application

__all__ = ["started"]


@asynccontextmanager
async def started(url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The process, and the address that it serves at; the process is killed afterwards, if it lives."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.scim_server", url, str(listening.fileno())),
        pass_fds=[listening.fileno()],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    listening.close()
    try:
        yield process, address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def serve(url: str, number: int) -> None:
    limits = Limits(requests_per_second=100_000, burst=100_000)
    listening = socket.socket(fileno=number)
    with ledger.open(url) as book:
        served = application(book, ScimSettings(public_url="https://push.example", limits=limits))
        config = uvicorn.Config(served, log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
