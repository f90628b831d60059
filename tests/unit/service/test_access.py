"""Who may come in, how often, and what every answer carries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from directory.errors import ConfigurationError
from ledger.tokens import SCOPES
from service.access.addresses import networks
from service.access.rate import Buckets, Rate
from service.access.sessions import Sessions
from service.app import described, make_app
from service.settings import refuse_openness
from tests.unit.service.conftest import Asked, Office, on_both_databases


def operations() -> list[tuple[str, str]]:
    """Every operation of the description."""
    paths: dict[str, dict[str, Any]] = described().openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


@pytest.mark.parametrize(("method", "path"), operations())
async def test_nothing_is_told_or_done_without_a_token_or_without_its_scope(
    asked: Asked, office: Office, method: str, path: str
) -> None:
    address = path.format(sync="staff", run="latest", plan="abcdef", person="ann", flow_run_id="0" * 32)
    for token in ("", "usersync_22222222_nothing", "Basic"):
        async with asked(token=token) as client:
            answer = await client.request(method, address, json={"decision": "approve", "mode": "sync"})
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert office.bitbucket.effects == []
    refused: list[str] = []
    for scope in SCOPES:
        async with asked(scope) as client:
            answer = await client.request(method, address, json={"decision": "approve"})
            if answer.status_code == 403:
                assert "the token does not have the scope" in answer.json()["what"]
                refused.append(scope)
    assert len(refused) == 2


@on_both_databases
async def test_a_revoked_token_is_refused_at_the_next_request(asked: Asked, office: Office) -> None:
    async with asked("read") as client:
        assert (await client.get("/api/syncs")).status_code == 200
        office.ledger.tokens.revoke("portal")
        assert (await client.get("/api/syncs")).status_code == 401


async def test_every_answer_carries_the_headers_and_none_repeats_the_host(asked: Asked) -> None:
    async with asked("read") as client:
        answers = [
            await client.get(path)
            for path in ("/api/syncs", "/api/nothing", "/api/syncs/", "/", "/login", "/style.css", "/health", "/x//")
        ]
        answers.append(await client.post("/api/syncs", content=b"{"))
        answers.append(await client.get("/api/runs", params={"x": "y" * 9000}))
    async with asked("read", allowed=networks(["203.0.113.0/24"], what="--allow")) as client:
        answers.append(await client.get("/api/syncs"))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] in {"no-store", "max-age=300"}
        assert "evil.example" not in answer.text + str(answer.headers)
    assert answers[-1].status_code == 403
    assert answers[-2].status_code == 414


async def test_a_long_body_is_refused_before_it_is_parsed(asked: Asked, office: Office) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b"[" * 4096

    async with asked("run") as client:
        declared = await client.post("/api/syncs/staff/runs", content=b"[" * 70_000)
        streamed = await client.post("/api/syncs/staff/runs", content=endless())
        nested = await client.post("/api/syncs/staff/runs", content=b"[" * 60_000)
    assert (declared.status_code, streamed.status_code, nested.status_code) == (413, 413, 422)
    assert [one.status for one in office.ledger.audit.latest()] == [422, 413, 413]


async def test_a_token_that_is_used_too_often_waits(asked: Asked) -> None:
    async with asked("read", rate=Rate(per_second=0.5, burst=2)) as client:
        statuses = [(await client.get("/api/syncs")).status_code for _ in range(3)]
        late = await client.get("/api/syncs")
    assert statuses == [200, 200, 429]
    assert late.headers["retry-after"] == "2"


async def test_whoever_guesses_is_slowed_down_and_nobody_else(asked: Asked, office: Office) -> None:
    good = office.token("read")
    settings = replace(office.settings, failures=Rate(per_second=0.01, burst=3))
    app = make_app(settings)

    async def status(peer: str, token: str) -> int:
        transport = httpx.ASGITransport(app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await client.get("/api/syncs", headers={"Authorization": f"Bearer {token}"})
            return answer.status_code

    assert [await status("2001:db8::7", "usersync_22222222_x") for _ in range(4)] == [401, 401, 401, 429]
    assert await status("2001:db8::8", good) == 429, "the same customer"
    assert await status("192.0.2.1", good) == 200


async def test_only_the_networks_that_are_allowed_behind_a_declared_proxy(asked: Asked, office: Office) -> None:
    behind: dict[str, Any] = {
        "proxies": networks(["10.0.0.0/8"], what="--proxy"),
        "allowed": networks(["192.0.2.0/24"], what="--allow"),
    }
    async with asked("read", "run", peer="10.0.0.1", **behind) as client:
        inside = await client.get("/api/syncs", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.7"})
        outside = await client.get("/api/syncs", headers={"X-Forwarded-For": "192.0.2.7, 203.0.113.9"})
        nowhere = await client.get("/api/syncs")
        await client.post("/api/syncs/nemo/runs", json={}, headers={"X-Forwarded-For": "192.0.2.99"})
    async with asked("read", peer="192.0.2.7", **behind) as client:
        beside = await client.get("/api/syncs")
    assert [one.status_code for one in (inside, outside, nowhere, beside)] == [200, 403, 403, 403]
    (written,) = office.ledger.audit.latest()
    assert (written.client, written.who, written.what, written.status) == (
        *("192.0.2.99", "portal"),
        *("POST /api/syncs/nemo/runs", 404),
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "usersync.example"])
def test_nobody_listens_to_the_network_without_tls_or_a_proxy(host: str) -> None:
    with pytest.raises(ConfigurationError, match="open to the network without TLS"):
        refuse_openness(host, tls=False, proxies=())
    refuse_openness(host, tls=True, proxies=())
    refuse_openness(host, tls=False, proxies=networks(["10.0.0.1"], what="--proxy"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_alone_needs_neither(host: str) -> None:
    refuse_openness(host, tls=False, proxies=())


def test_a_bucket_fills_again_and_old_ones_are_forgotten() -> None:
    now = [0.0]
    buckets = Buckets(Rate(per_second=2, burst=2), clock=lambda: now[0])
    assert [buckets.take("a"), buckets.take("a"), buckets.take("a")] == [0, 0, 0.5]
    now[0] = 0.5
    assert (buckets.take("a"), buckets.take("a")) == (0, 0.5)
    for number in range(20_000):
        buckets.take(str(number))
    assert len(buckets._kept) == 10_000


def test_a_session_ends_when_it_is_idle_and_when_it_lasts_too_long() -> None:
    now = [0.0]
    sessions = Sessions(secure=True, clock=lambda: now[0])
    idle, busy = sessions.begin("t"), sessions.begin("t")
    assert sessions.cookie == "__Host-usersync"
    for hour in range(1, 12):
        now[0] = hour * 3600 - 1.0
        assert sessions.find(busy) is not None
    assert sessions.find(idle) is None
    now[0] = 12 * 3600 + 1.0
    assert sessions.find(busy) is None
    assert sessions.find("") is None


@on_both_databases
async def test_pages_need_a_session_and_forms_their_secret(asked: Asked, office: Office) -> None:
    token = office.token("read", "run", "approve", name="ada")
    own = {"Sec-Fetch-Site": "same-origin"}
    async with asked(token="") as client:
        assert (await client.get("/")).headers["location"] == "/login"
        page = await client.get("/login")
        secret = page.text.split('name="csrf" value="')[1].split('"')[0]
        wrong = await client.post("/login", data={"csrf": secret, "token": "usersync_22222222_x"}, headers=own)
        foreign = await client.post(
            "/login", data={"csrf": secret, "token": token}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        secret = wrong.text.split('name="csrf" value="')[1].split('"')[0]
        unproved = await client.post("/login", data={"csrf": "x", "token": token}, headers=own)
        signed_in = await client.post("/login", data={"csrf": secret, "token": token}, headers=own)
        assert [one.status_code for one in (wrong, foreign, unproved, signed_in)] == [401, 403, 403, 303]
        cookie = signed_in.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert token not in str(signed_in.headers)
        overview = await client.get("/syncs/staff")
        secret = overview.text.split('name="csrf" value="')[1].split('"')[0]
        for data, headers in (
            ({}, own),
            ({"csrf": "x"}, own),
            ({"csrf": secret}, {"Sec-Fetch-Site": "same-site"}),
            ({"csrf": secret}, {}),
            ({"csrf": secret}, {"Origin": "http://other.example"}),
        ):
            answer = await client.post("/syncs/staff/runs", data={"mode": "plan", **data}, headers=headers)
            assert answer.status_code == 403, (data, headers)
        assert (await client.post("/syncs/staff/runs", json={"csrf": secret}, headers=own)).status_code == 415
        assert (await client.get("/api/syncs")).status_code == 401, "a cookie is nothing to the API"
        office.ledger.tokens.revoke("ada")
        assert (await client.get("/")).headers["location"] == "/login"
    assert office.ledger.runs.latest() == []
    written = office.ledger.audit.latest()
    assert [(one.who, one.status) for one in written if one.what == "POST /login"] == [
        ("ada", 303),
        *((None, status) for status in (403, 403, 401)),
    ]
    assert all(token not in str(one) and secret not in str(one) for one in written)


@on_both_databases
async def test_what_a_person_is_called_is_never_markup(asked: Asked, office: Office) -> None:
    nasty = "<script>alert(1)</script>\"'>"
    head = "external_id,username,email,display_name,active,groups\n"
    office.write_people(f'{head}"{nasty.replace(chr(34), chr(34) * 2)}",ann,ann@example.com,Ann,true,bb-dev\n')
    run = (await asyncio.to_thread(office.run)).run_id
    token = office.token("read", name="ada")
    async with asked(token="") as client:
        secret = (await client.get("/login")).text.split('name="csrf" value="')[1].split('"')[0]
        await client.post("/login", data={"csrf": secret, "token": token}, headers={"Sec-Fetch-Site": "same-origin"})
        pages = [
            await client.get(f"/runs/{run}", params={"q": nasty}),
            await client.get(f"/runs/{run}"),
            await client.get(f"/runs/{run}/people/ann"),
            await client.get(f"/runs/{run}/people/{nasty}"),
            await client.get(f"/plans/{office.ledger.plans.latest()[0].id}", params={"who": nasty}),
            await client.get("/runs/nemo"),
        ]
    assert [page.status_code for page in pages] == [200, 200, 200, 200, 200, 404]
    assert all("<script" not in page.text for page in pages)
