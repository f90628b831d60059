"""Two services over one PostgreSQL ledger, as two machines would have them behind one proxy."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

import ledger as ledgers
from tests import postgresql
from tests.e2e.served_office import ServedOffice, prepared_office, row, served_office

PATIENCE = 60
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgresql_server: str) -> Iterator[ServedOffice]:
    with prepared_office(tmp_path, monkeypatch) as prepared:
        prepared.ledger_url = postgresql.emptied(postgresql_server)
        ledgers.open(prepared.ledger_url).close()
        prepared.write_people([row(number) for number in range(20)])
        yield prepared


@contextmanager
def both(office: ServedOffice) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A client of each."""
    with (
        served_office(replace(office)) as here,
        served_office(replace(office)) as there,
        httpx.Client(base_url=here.address, timeout=PATIENCE) as one,
        httpx.Client(base_url=there.address, timeout=PATIENCE) as other,
    ):
        yield one, other


def sign_in(client: httpx.Client, token: str) -> None:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
    assert found
    assert client.post("/login", data={"csrf": found[1], "token": token}, headers=OWN).status_code == 303


def test_what_one_begins_the_other_sees_and_what_one_refuses_the_other_refuses(office: ServedOffice) -> None:
    bearer = {"Authorization": f"Bearer {office.token()}"}
    with both(office) as (one, other):
        one.headers.update(bearer)
        other.headers.update(bearer)
        started = one.post("/api/syncs/staff/runs", json={})
        assert started.status_code == 202, started.text
        run = f"/api/runs/{started.json()['run']}"
        last = time.monotonic() + PATIENCE
        while not (seen := other.get(run).json())["ended_at"]:
            assert time.monotonic() < last
            time.sleep(0.1)
        assert seen["status"] == "succeeded"
        assert len(other.get(f"{run}/results").json()["people"]) == 20
        person = other.post("/api/syncs/staff/people/person00001")
        assert one.get(f"/api/runs/{person.json()['run']}").json()["status"] == "nothing_to_do"
        assert {entry["what"] for entry in one.get("/api/audit").json()} == {
            "POST /api/syncs/staff/runs",
            "POST /api/syncs/staff/people/person00001",
        }
        with ledgers.open(office.ledger_url) as book:
            book.tokens.revoke("ada")
        assert [client.get("/api/syncs").status_code for client in (one, other)] == [401, 401]


def test_a_session_is_of_the_service_that_began_it_and_ends_everywhere_with_its_token(office: ServedOffice) -> None:
    token = office.token("read")
    with both(office) as (one, other):
        sign_in(one, token)
        assert one.get("/").status_code == 200
        other.cookies.update(one.cookies)
        led = other.get("/")
        assert (led.status_code, led.headers["location"]) == (303, "/login")
        other.cookies.clear()
        sign_in(other, token)
        assert [client.get("/").status_code for client in (one, other)] == [200, 200]
        with ledgers.open(office.ledger_url) as book:
            book.tokens.revoke("ada")
        assert [client.get("/").headers.get("location") for client in (one, other)] == ["/login", "/login"]
