"""Requests that no client of good will makes."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.service.conftest import Asked, Office, on_both_databases


@on_both_databases
@pytest.mark.parametrize(
    "body",
    [
        b'{"decision": "approve", "by": "\\ud800"}',
        b'{"decision": "approve", "comment": "\\u0000"}',
        b'{"decision": "approve", "decision": "reject"}',
        b'{"decision": NaN}',
        b'{"decision": "approve", "more": 1}',
        b"\xff\xfe",
        b"null",
        b"[]",
        b"",
    ],
    ids=["half a letter", "nothing as a letter", "twice", "no number", "more", "no text", "null", "a list", "none"],
)
async def test_an_odd_decision_is_refused_or_taken_but_never_a_defect(
    asked: Asked, office: Office, body: bytes
) -> None:
    plan = await asyncio.to_thread(office.held)
    async with asked("approve") as client:
        answer = await client.post(
            f"/api/plans/{plan}/decision", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code in {200, 422}, answer.text
    assert answer.json()


@on_both_databases
@pytest.mark.parametrize(
    "path",
    [
        "/api/syncs/..%2f..%2fetc%2fpasswd",
        "/api/syncs/staff.yaml",
        "/api/runs/%00",
        "/api/runs/' OR 1=1",
        "/api/plans/%ff%ff%ff",
        "/api/runs/latest/results?person=%00",
        "/api/runs?before=0000-00-00",
        "/api/runs?before=0001-01-01T00:00:00%2B23:59",
        "/api/runs?before=9999-12-31T23:59:59-23:59",
        "/api/runs?limit=99999999999999999999",
        "/api/flow-runs/not-one",
    ],
)
async def test_an_odd_address_is_nothing_of_ours(asked: Asked, path: str) -> None:
    async with asked("read") as client:
        answer = await client.get(path)
    assert answer.status_code in {200, 404, 422}, answer.text
    assert "passwd" not in answer.text or answer.status_code != 200


async def test_a_defect_tells_nothing_but_its_kind(
    asked: Asked, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("jane@example.com")

    monkeypatch.setattr("ledger.runs.Runs.latest", broken)
    async with asked("read") as client:
        answer = await client.get("/api/runs")
    assert (answer.status_code, answer.json()["what"]) == (500, "a defect of usersync, ZeroDivisionError")
    assert "jane" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@on_both_databases
async def test_a_ledger_that_fails_is_said_to_be_what_failed(asked: Asked, office: Office) -> None:
    async with asked("read") as client:
        with office.ledger._database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE runs RENAME TO walks")
        answer = await client.get("/api/runs")
    assert (answer.status_code, "the ledger's database failed" in answer.json()["what"]) == (502, True)
