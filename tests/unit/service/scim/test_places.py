"""A connector with many requests at once leaves room for the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from service.scim import Limits
from service.scim.answers import Refused
from service.scim.places import Places
from tests.scim_service import BASE, Served, serve

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


async def until(happened: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await happened.wait()


class Slow:
    """Requests whose bodies begin to come, and end when somebody says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.end = asyncio.Event()

    async def body(self, name: str) -> AsyncIterator[bytes]:
        self.begun += 1
        text = json.dumps({"schemas": [USER], "userName": name}).encode()
        yield text[:5]
        await until(self.end)
        yield text[5:]

    def post(self, served: Served, name: str) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(served.client.post("/Users", content=self.body(name)))


async def settled(served: Served, slow: Slow, begun: int, queued: int) -> None:
    async with asyncio.timeout(10):
        queue = served.receiver._places._queued
        while slow.begun < begun or queue.get(served.connector.id, 0) < queued:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0)


async def test_a_few_are_dealt_with_at_once_some_wait_and_more_are_sent_away(ledger_url: str):
    async with serve(ledger_url, limits=Limits(at_once=2, queued=3)) as served:
        slow = Slow()
        taken = [slow.post(served, f"p{number}") for number in range(5)]
        await settled(served, slow, 2, 3)
        over = [await served.client.get("/Users"), await served.client.post("/Users", json={"userName": "x"})]

        served.book.scim.connectors.add("okta")
        okta = {"Authorization": f"Bearer {served.book.scim.connectors.add_token('okta').secret}"}
        written = await served.client.post(f"{BASE}/scim/okta/v2/Users", json={"userName": "jane"}, headers=okta)
        other = await served.client.get(f"{BASE}/scim/okta/v2/Users", headers=okta)
        assert slow.begun == 2, "a body is read once there is a place"

        slow.end.set()
        answers = await asyncio.gather(*taken)
        afterwards = await served.client.get("/Users")

    assert [(each.status_code, each.headers["retry-after"]) for each in over] == [(429, "5")] * 2
    assert over[0].json()["schemas"] == [ERROR]
    assert (written.status_code, other.json()["totalResults"]) == (201, 1)
    assert [each.status_code for each in answers] == [201] * 5
    assert (afterwards.status_code, afterwards.json()["totalResults"]) == (200, 5)


async def test_whatever_a_request_ends_with_its_place_is_free_again(ledger_url: str):
    async with serve(ledger_url, limits=Limits(at_once=1, queued=0, body_seconds=0.2)) as served:
        slow = Slow()
        late = await served.client.post("/Users", content=slow.body("late"))
        unread = await served.client.post("/Users", content=b"[")
        unknown = await served.client.get("/Users/nobody")
        going = slow.post(served, "gone")
        await settled(served, slow, 2, 0)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        good = await served.client.post("/Users", json={"schemas": [USER], "userName": "jane"})

    assert (late.status_code, late.json()["detail"]) == (408, "the body did not come within 0.2 seconds")
    assert [each.status_code for each in (unread, unknown, good)] == [400, 404, 201]


async def test_places_are_taken_in_the_order_of_coming_and_those_who_give_up_hold_nobody_back():
    places, order = Places(at_once=1, most_queued=3), list[str]()

    async def come(name: str) -> None:
        async with places.one("entra"):
            order.append(name)
            await asyncio.sleep(0)

    async with places.one("entra"):
        waiting = {name: asyncio.create_task(come(name)) for name in "abc"}
        await asyncio.sleep(0)
        with pytest.raises(Refused):
            async with places.one("entra"):
                order.append("nobody")
        waiting["b"].cancel()
        await asyncio.sleep(0)
        waiting["d"] = asyncio.create_task(come("d"))
        async with places.one("okta"):
            order.append("okta")
    await asyncio.gather(*waiting.values(), return_exceptions=True)
    await come("e")

    assert order == ["okta", "a", "c", "d", "e"]


def test_one_connector_cannot_take_all_connections_of_the_service():
    from cli.serve import _MOST_CONNECTIONS

    assert 2 * (Limits().at_once + Limits().queued) < _MOST_CONNECTIONS
