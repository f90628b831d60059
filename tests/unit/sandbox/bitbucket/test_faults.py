from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from sandbox.bitbucket import Fault
from tests.unit.sandbox.bitbucket.conftest import Bitbucket

NEW_GROUP: dict[str, Any] = {"params": {"name": "dev"}}


def statuses(bitbucket: Bitbucket, count: int, method: str = "GET", path: str = "/users", **extra: Any) -> list[int]:
    return [bitbucket.http.request(method, path, **extra).status_code for _ in range(count)]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_next_requests_are_answered_with_a_status(bitbucket, status):
    bitbucket.faults.answer(status, times=2, retry_after="7")

    answer = bitbucket.http.get("/users")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert len(bitbucket.faults) == 1
    assert statuses(bitbucket, 2) == [status, 200]
    assert len(bitbucket.faults) == 0


@pytest.mark.parametrize(("body", "content_type"), [("json", "application/json"), ("html", "text/html"), ("empty", "")])
def test_a_status_comes_with_json_html_or_nothing(bitbucket, body, content_type):
    bitbucket.faults.answer(503, body=body)

    answer = bitbucket.http.get("/users")
    assert answer.headers.get("content-type", "").startswith(content_type)
    assert bool(answer.content) is (body != "empty")


def test_a_fault_strikes_only_its_method_and_path(bitbucket):
    bitbucket.faults.answer(503, method="POST", path="/admin/groups*", times=None)

    assert statuses(bitbucket, 1) == [200]
    assert statuses(bitbucket, 1, "GET", "/admin/groups") == [200]
    assert statuses(bitbucket, 2, "POST", "/admin/groups", **NEW_GROUP) == [503, 503]
    bitbucket.faults.clear()
    assert statuses(bitbucket, 1, "POST", "/admin/groups", **NEW_GROUP) == [200]


def test_every_kth_read_fails_and_writes_do_not(bitbucket):
    bitbucket.faults.every_kth_read(3)

    assert statuses(bitbucket, 7) == [200, 200, 503, 200, 200, 503, 200]
    assert statuses(bitbucket, 1, "POST", "/admin/groups", **NEW_GROUP) == [200]


def test_all_writes_fail_and_change_nothing(bitbucket):
    bitbucket.faults.fail_writes()

    assert statuses(bitbucket, 2, "POST", "/admin/groups", **NEW_GROUP) == [500, 500]
    assert statuses(bitbucket, 1) == [200]
    assert bitbucket.effects == []


def test_a_write_may_take_effect_and_answer_an_error(bitbucket):
    bitbucket.faults.add(Fault(kind="status", status=500, when="after", method="WRITE"))

    assert statuses(bitbucket, 2, "POST", "/admin/groups", **NEW_GROUP) == [500, 409]
    assert bitbucket.effects == [("create_group", "dev")]


def test_a_lost_answer_leaves_the_change_made(bitbucket):
    bitbucket.faults.lose_answer()

    with pytest.raises(httpx.RemoteProtocolError):
        bitbucket.http.post("/admin/groups", **NEW_GROUP)
    assert bitbucket.effects == [("create_group", "dev")]
    assert bitbucket.simulator.requests[-1].status is None
    assert bitbucket.http.post("/admin/groups", **NEW_GROUP).status_code == 409


def test_a_connection_dropped_before_leaves_nothing_changed(bitbucket):
    bitbucket.faults.drop(skip=1)

    assert bitbucket.http.get("/users").status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        bitbucket.http.post("/admin/groups", **NEW_GROUP)
    assert bitbucket.effects == []
    assert bitbucket.http.post("/admin/groups", **NEW_GROUP).status_code == 200


def test_a_truncated_answer_is_whole_http_and_half_json(bitbucket):
    bitbucket.faults.truncate()
    answer = bitbucket.http.get("/users")

    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"."):
        answer.json()


def test_an_answer_may_break_off_in_the_middle(bitbucket):
    bitbucket.faults.cut()

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        bitbucket.http.get("/users")
    assert bitbucket.http.get("/users").status_code == 200


def test_an_answer_may_be_slow(bitbucket):
    bitbucket.faults.slow(0.05)
    began = time.monotonic()

    assert statuses(bitbucket, 1) == [200]
    assert time.monotonic() - began >= 0.05


def test_the_first_fault_that_strikes_is_the_only_one(bitbucket):
    bitbucket.faults.answer(500)
    bitbucket.faults.answer(503)

    assert statuses(bitbucket, 3) == [500, 503, 200]
