"""A request that is cancelled in the middle of its answer gives its connection back."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest

from connectors.http.client import HttpClient


async def test_a_read_that_is_cancelled_in_the_middle_of_a_body_leaves_no_connection_open() -> None:
    begun = asyncio.Event()
    ended = asyncio.Event()

    async def half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[1, 2")
        await writer.drain()
        begun.set()
        await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(half_an_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = HttpClient(f"http://127.0.0.1:{port}", name="the server", side="source")
    reading = asyncio.create_task(client.get_json("/list", decode=list[Any]))
    await begun.wait()
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    del reading
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    await asyncio.wait_for(ended.wait(), 5)
    await client.aclose()
    server.close()
    await server.wait_closed()
    assert [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)] == []
