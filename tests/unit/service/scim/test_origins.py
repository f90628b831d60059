"""From where a connector may be pushed to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

import ledger
from ledger.audit import AuditEntry
from ledger.scim.connectors import Connectors
from service.access.addresses import networks
from service.app import make_app
from service.scim import ScimSettings
from service.scim.answers import Refused
from service.scim.origins import Origins
from service.settings import ServiceSettings
from tests.scim_service import BASE, Served, serve

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
HERE = "192.0.2.0/24"
"""The client of `serve` is 192.0.2.7."""


def some(*given: str) -> ledger.scim.connectors.Networks:
    return networks(given, what="--allow")


async def asked_from(served: Served, peer: str | None, **headers: str) -> httpx.Response:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = None if peer is None else (peer, 4711)
        await served.receiver(scope, receive, send)

    shown = {"Authorization": f"Bearer {served.token}", **headers}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers=shown) as client:
        return await client.get("/scim/entra/v2/Users")


async def noted(served: Served) -> list[AuditEntry]:
    """What is in the audit log, once the threads have written it."""
    await asyncio.to_thread(served.receiver.close)
    return served.book.audit.latest(limit=1000)


@pytest.mark.parametrize(
    ("allowed", "peer", "status"),
    [
        ((), "198.51.100.9", 200),
        ((HERE,), "192.0.2.7", 200),
        ((HERE,), "198.51.100.9", 403),
        ((HERE,), "::ffff:192.0.2.7", 200),
        ((HERE,), "::ffff:198.51.100.9", 403),
        (("::ffff:192.0.2.0/120",), "192.0.2.7", 200),
        (("::ffff:192.0.2.0/120",), "192.0.3.7", 403),
        (("2001:db8::/32",), "2001:db8::7", 200),
        (("2001:db8::/32",), "2001:db9::7", 403),
        (("2001:db8::/32",), "192.0.2.7", 403),
        (("fe80::%eth0/64",), "fe80::7%eth1", 200),
        (("2001:db8::/32", "198.51.100.9"), "198.51.100.9", 200),
        ((HERE,), "testclient", 403),
        ((HERE,), None, 403),
    ],
)
async def test_a_connector_is_pushed_to_from_its_networks_alone(
    tmp_path: Path, allowed: tuple[str, ...], peer: str | None, status: int
):
    async with serve(ledger.default_url(tmp_path), allowed=some(*allowed)) as served:
        assert (await asked_from(served, peer)).status_code == status


async def test_who_is_elsewhere_is_told_so_in_the_form_of_scim_and_whatever_token_they_show(tmp_path: Path):
    async with serve(ledger.default_url(tmp_path), allowed=some("198.51.100.0/24")) as served:
        answers = [
            await asked_from(served, "192.0.2.7"),
            await asked_from(served, "192.0.2.7", Authorization="Bearer wrong"),
            await asked_from(served, "192.0.2.7", Authorization=""),
        ]
        tokens = served.book.scim.connectors.tokens(served.connector)

    said = {"schemas": [ERROR], "status": "403", "detail": "requests from your address are not taken"}
    assert [(each.status_code, each.json()) for each in answers] == [(403, said)] * 3
    assert {each.headers["content-type"] for each in answers} == {"application/scim+json"}
    assert [each.last_used_at for each in tokens] == [None]


async def test_networks_are_changed_while_the_service_runs(ledger_url: str):
    async with serve(ledger_url) as served:
        connectors = served.book.scim.connectors
        connectors.add("okta", allowed=some("203.0.113.0/24"))
        statuses = []
        for given in ((), ("198.51.100.0/24",), (HERE,), ()):
            assert connectors.allow("entra", some(*given)).allowed == some(*given)
            statuses.append((await served.client.get("/Users")).status_code)

        assert statuses == [200, 403, 200, 200]
        assert connectors.get("okta").allowed == some("203.0.113.0/24")
        assert connectors.allowed() == {"okta": some("203.0.113.0/24")}
        connectors.revoke("okta")
        assert connectors.allowed() == {}


def test_networks_are_read_once_in_a_moment_whoever_asks(tmp_path: Path):
    now, reads = 0.0, 0

    class Counted(Connectors):
        def allowed(self) -> dict[str, ledger.scim.connectors.Networks]:
            nonlocal reads
            reads += 1
            return super().allowed()

    with ledger.open(ledger.default_url(tmp_path)) as book:
        connectors = Counted(book.scim.connectors._database)
        connectors.add("entra", allowed=some(HERE))
        origins = Origins(connectors, memory=1.0, clock=lambda: now)
        for number in range(100):
            origins.check(f"invented-{number}", "198.51.100.9")
            with pytest.raises(Refused):
                origins.check("entra", "198.51.100.9")
        assert reads == 1
        connectors.allow("entra", ())
        now = 1.0
        origins.check("entra", "198.51.100.9")
        assert reads == 2


async def test_a_refusal_is_in_the_audit_log_once_and_a_flood_does_not_fill_it(tmp_path: Path):
    async with serve(ledger.default_url(tmp_path), allowed=some(HERE)) as served:
        for _ in range(5):
            await asked_from(served, "198.51.100.9")
            await asked_from(served, "2001:db8::7")
            await asked_from(served, "2001:db8::8")
        few = await noted(served)
    assert [(each.who, each.client, each.what, each.status) for each in few[::-1]] == [
        (None, "198.51.100.9", "GET /scim/entra/v2", 403),
        (None, "2001:db8::7", "GET /scim/entra/v2", 403),
    ]
    assert few[0].details == {"refused": "the address lies in none of the connector's networks"}


def test_of_many_addresses_some_are_written_down_and_an_hour_later_some_more(tmp_path: Path):
    now = 0.0
    with ledger.open(ledger.default_url(tmp_path)) as book:
        origins = Origins(book.scim.connectors, memory=1.0, clock=lambda: now)

        def news() -> int:
            return sum(origins.refusal_is_news("entra", f"198.51.100.{number}") for number in range(200))

        assert (news(), news()) == (20, 0)
        assert origins.refusal_is_news("okta", "198.51.100.1"), "one connector does not use up what others have"
        now = 3600.0
        assert news() == 20


@asynccontextmanager
async def behind_a_proxy(folder: Path, peer: str) -> AsyncIterator[httpx.AsyncClient]:
    url = ledger.default_url(folder)
    with ledger.open(url) as book:
        book.scim.connectors.add("entra", allowed=some(HERE))
        token = book.scim.connectors.add_token("entra").secret
    app = make_app(
        ServiceSettings(url, folder / "syncs", ("none",), proxies=some("10.0.0.0/8")), ScimSettings(public_url=BASE)
    )
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url=f"{BASE}/scim/entra/v2", headers=headers) as client:
        yield client


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("192.0.2.7", 200),
        ("198.51.100.9", 403),
        ("192.0.2.7, 198.51.100.9", 403),
        ("198.51.100.9, 192.0.2.7, 10.0.0.2", 200),
        ("::ffff:192.0.2.7", 200),
        ("[::ffff:192.0.2.7]:4711", 200),
    ],
    ids=["allowed", "elsewhere", "invented left", "two proxies", "mapped", "mapped with a port"],
)
async def test_behind_proxies_the_address_that_they_tell_counts(tmp_path: Path, forwarded: str, status: int):
    async with behind_a_proxy(tmp_path, "10.0.0.1") as client:
        answer = await client.get("/Users", headers={"X-Forwarded-For": forwarded})
    assert answer.status_code == status


async def test_a_proxy_that_tells_nobody_s_address_is_not_let_in(tmp_path: Path):
    async with behind_a_proxy(tmp_path, "10.0.0.1") as client:
        assert (await client.get("/Users")).status_code == 403
