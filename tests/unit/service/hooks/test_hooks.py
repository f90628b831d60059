"""What holds for every hook: the login goes on, in time, and only the identity provider is worked for."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from directory.errors import ConfigurationError
from sandbox.serving import served
from service.hooks.seen import Seen
from service.person_syncs import PersonSyncs
from tasks.ending import Ending
from tasks.sync_file import load_sync_file
from tests.unit.service.conftest import Office, on_both_databases
from tests.unit.service.hooks.conftest import PATIENCE, SECRET, Called, calling, hooks
from tests.unit.service.hooks.payloads import Issuer, as_json, log_event, okta_events, okta_inline, party

NOTHING: dict[str, list[str]] = {"commands": []}


def slowed(app: ASGIApp, seconds: float) -> ASGIApp:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(seconds)
        await app(scope, receive, send)

    return late


@on_both_databases
async def test_a_login_does_not_wait_for_a_system_that_is_late_and_the_sync_goes_on(
    hooked: Office, keys: Issuer
) -> None:
    with served(slowed(hooked.bitbucket.app, 0.6)) as url:
        hooked.url = url
        hooked.write_sync_file(hooks(keys, wait=0.5))
        async with calling(hooked) as called:
            began = time.monotonic()
            answer = await called.post("okta", okta_inline(), authorization=SECRET)
            took = time.monotonic() - began
            assert (answer.status_code, answer.json()) == (200, NOTHING)
            assert 0.45 < took < 3, "what Okta allows"
            assert called.accounts() == set()
            noted = await called.noted()
            assert (noted.status, noted.details["late"]) == (200, True)
            assert noted.details["runs"]["ann@example.com"]["status"] == "succeeded"
            assert called.accounts() == {"ann"}


async def test_an_event_is_answered_before_the_work(hooked: Office, keys: Issuer) -> None:
    with served(slowed(hooked.bitbucket.app, 0.6)) as url:
        hooked.url = url
        hooked.write_sync_file(hooks(keys, wait=2.5))
        async with calling(hooked) as called:
            delivery = okta_events(log_event(party("ann@example.com")))
            assert (await called.post("okta-events", delivery, authorization=SECRET)).status_code == 200
            assert called.office.ledger.audit.latest()[0].status is None
            assert called.accounts() == set()
            await called.noted()
            assert called.accounts() == {"ann"}


async def test_where_the_source_is_down_the_login_goes_on_and_it_is_said(called: Called) -> None:
    (called.office.folder / "people.csv").unlink()
    answer = await called.post("okta", okta_inline(), authorization=SECRET)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    noted = await called.noted()
    assert noted.status == 200
    assert noted.details["runs"]["ann@example.com"]["status"] in {"failed", "refused"}


async def test_somebody_whom_the_source_does_not_know_logs_in_as_before(called: Called) -> None:
    answer = await called.post("okta", okta_inline("nemo@example.com"), authorization=SECRET)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert (await called.noted()).details["runs"]["nemo@example.com"]["status"] == "unknown person"


async def test_a_secret_that_is_missing_here_is_our_fault(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OKTA_HOOK")
    answer = await called.post("okta", okta_inline(), authorization=SECRET)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert "not set" in (await called.noted()).details["trouble"]
    assert called.accounts() == set()


async def test_mistakes_in_the_sync_file_are_our_fault(called: Called) -> None:
    called.office.write_sync_file("peeple: {}\n")
    answer = await called.post("okta", okta_inline(), authorization=SECRET)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert called.accounts() == set()


async def test_without_a_ledger_the_login_goes_on_and_nothing_is_done(called: Called) -> None:
    with sqlite3.connect(called.office.settings.ledger_url.removeprefix("sqlite:///")) as book:
        book.execute("DROP TABLE audit")
    answer = await called.post("okta", okta_inline(), authorization=SECRET)
    assert (answer.status_code, answer.json()) == (200, NOTHING)
    assert called.accounts() == set()


@pytest.mark.parametrize("path", ["/hooks/staff/onelogin", "/hooks/nobody/okta", "/hooks/", "/hooks/staff/okta/more"])
async def test_there_is_nothing_elsewhere(called: Called, path: str) -> None:
    answer = await called.client.post(path, json={})
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_hook_that_the_sync_file_does_not_name_is_not_there(office: Office) -> None:
    async with calling(office) as called:
        assert (await called.post("okta", okta_inline(), authorization=SECRET)).status_code == 404


async def test_a_stranger_is_told_to_wait_and_keeps_nobody_else_out(called: Called) -> None:
    statuses = [(await called.post("okta", okta_inline())).status_code for _ in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429


async def test_a_body_that_is_too_long_is_not_read(called: Called) -> None:
    answer = await called.post("okta", b"[" * 300_000, authorization=SECRET)
    assert answer.status_code == 413
    assert called.office.ledger.audit.latest() == []


async def test_a_token_of_the_api_opens_no_hook_and_a_secret_of_a_hook_no_api(called: Called) -> None:
    token = called.office.token("run")
    assert (await called.post("okta", okta_inline(), authorization=f"Bearer {token}")).status_code == 401
    assert (await called.client.get("/api/syncs", headers={"Authorization": SECRET})).status_code == 401


async def test_no_secret_is_written_down(called: Called) -> None:
    await called.post("okta", okta_inline(), authorization=SECRET)
    await called.post("okta", okta_inline(), authorization="Basic c29tZXRoaW5nIGVsc2U=")
    await called.noted()
    for file in called.office.folder.rglob("*"):
        if file.is_file():
            assert SECRET.split()[1].encode() not in file.read_bytes(), file
            assert b"c29tZXRoaW5nIGVsc2U=" not in file.read_bytes(), file


def test_what_was_told_is_forgotten_after_its_time_and_when_there_is_too_much() -> None:
    moment = [0.0]
    seen = Seen(most=3, clock=lambda: moment[0])
    assert [seen.first("a", 10), seen.first("a", 10), seen.first("b", 10)] == [True, False, True]
    moment[0] = 11
    assert seen.first("a", 10)
    assert [seen.first(one, 10) for one in "cde"] == [True] * 3
    assert len(seen) == 3
    assert not seen.first("e", 10)


async def test_nobody_stands_in_the_line_twice_and_the_line_is_not_endless() -> None:
    begun: list[str] = []
    came = threading.Semaphore(0)
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def carried(_file: str, person: str) -> Ending:
        begun.append(person)
        came.release()
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        return Ending("r1", "succeeded", None, "", "", {}, None)

    person_syncs = PersonSyncs(carried, most_waiting=2)
    busy = []
    for number in range(4):
        busy.append(person_syncs.start("staff.yaml", f"busy{number}"))
        assert await asyncio.to_thread(came.acquire, timeout=PATIENCE)
    first, again = person_syncs.start("staff.yaml", "ann"), person_syncs.start("staff.yaml", "ann")
    assert first is again
    assert person_syncs.start("other.yaml", "ann") is not None
    assert person_syncs.start("staff.yaml", "ben") is None
    gate.set()
    await asyncio.gather(*(one for one in (*busy, first) if one is not None))
    assert begun.count("ann") == 2, "once for each sync file"
    await asyncio.to_thread(person_syncs.close)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("okta: {}", "a hook that anybody may call is none"),
        ("okta: {secret: abc}", "never as itself"),
        ("okta: {oauth: {issuer: 'http://okta.example.com', audience: a, client_id: b}}", "https:// alone"),
        ("entra: {tenant_id: contoso, audience: a}", "tenant_id"),
        ("onelogin: {}", "onelogin"),
    ],
    ids=["open", "secret in the file", "plain HTTP", "no tenant id", "unknown"],
)
def test_a_hook_that_would_not_be_safe_is_a_mistake(office: Office, section: str, told: str) -> None:
    path = office.write_sync_file(f"at_login:\n  {section}\n")
    with pytest.raises(ConfigurationError, match=told):
        load_sync_file(path)


async def test_the_same_event_serves_for_each_sync_once(hooked: Office, keys: Issuer) -> None:
    hooked.write_sync_file(hooks(keys), name="other")
    async with calling(hooked) as called:
        body = as_json(okta_inline("nemo@example.com"))
        for sync in ("staff", "other"):
            await called.post("okta", body, sync, authorization=SECRET)
            assert "replayed" not in (await called.noted()).details
