"""What is sent again, what is not, and how long we wait in between."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest
from starlette.responses import Response

from connectors.http.answer import Answer
from connectors.http.client import HttpClient, Timeouts
from connectors.http.failures import Side
from connectors.http.ratelimit import Limits
from connectors.http.retry import RetryPolicy, seconds_to_wait
from directory.errors import (
    CredentialsRefused,
    NotFound,
    OutcomeUnknown,
    SourceUnavailable,
    SourceUnreadable,
    TargetUnavailable,
)
from tests.unit.connectors.http.small_server import BrokenAnswer, Sleeps, SmallServer, answering, ok, status


def client_of(server: SmallServer, sleeps: Sleeps, side: Side = "source", **options: Any) -> HttpClient:
    return HttpClient(server.url, name="Example", side=side, sleep=sleeps, **options)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.249"}, 0.249),
        ({"retry-after": formatdate(1_000_030, usegmt=True), "date": formatdate(1_000_000, usegmt=True)}, 30),
        ({"x-rate-limit-reset": "1000060", "date": formatdate(1_000_000, usegmt=True)}, 60),
        ({"retry-after": "3", "x-rate-limit-reset": "1000060", "date": formatdate(1_000_000, usegmt=True)}, 3),
        ({"retry-after": "0"}, None),
        ({"retry-after": "soon"}, None),
        ({"x-rate-limit-reset": "999", "date": formatdate(1_000_000, usegmt=True)}, None),
        ({}, None),
    ],
)
def test_the_time_a_server_asks_for_is_counted_by_its_own_clock(headers, seconds):
    assert seconds_to_wait(headers) == seconds


@pytest.mark.parametrize("code", [429, 503])
async def test_a_throttled_read_waits_exactly_as_told(code):
    sleeps = Sleeps()
    with answering(status(code, retry_after="7"), ok([1])) as server:
        async with client_of(server, sleeps) as client:
            assert await client.get_json("/x", decode=list[int]) == [1]
            assert client.requests == 2
    assert sleeps[0] == 7


async def test_a_throttled_write_is_sent_again():
    with answering(status(429, retry_after="1"), ok()) as server:
        async with client_of(server, Sleeps(), side="target") as client:
            assert (await client.request("POST", "/x", json={"a": 1})).status == 200
        assert [asked.body for asked in server.asked] == [b'{"a":1}'] * 2


def speaks_of_a_rate(answer: Answer) -> bool:
    return answer.status == 403 and b"rateLimit" in answer.content


async def test_what_a_connector_calls_throttled_is_sent_again():
    sleeps = Sleeps()
    with answering(status(403, {"reason": "rateLimit"}, retry_after="9"), ok([1])) as server:
        async with client_of(server, sleeps, throttles=speaks_of_a_rate) as client:
            assert await client.get_json("/x", decode=list[int]) == [1]
    assert sleeps[0] == 9


async def test_what_a_connector_calls_throttled_for_ever_is_unavailable_and_no_matter_of_credentials():
    with answering(status(403, {"reason": "rateLimit"})) as server:
        async with client_of(server, Sleeps(), throttles=speaks_of_a_rate, retry=RetryPolicy(attempts=3)) as client:
            with pytest.raises(SourceUnavailable, match="after 3 tries: HTTP 403"):
                await client.get_json("/x", decode=list[int])
        assert len(server.asked) == 3


async def test_a_403_that_speaks_of_no_rate_is_a_missing_permission():
    with answering(status(403, {"reason": "forbidden"})) as server:
        async with client_of(server, Sleeps(), throttles=speaks_of_a_rate) as client:
            with pytest.raises(CredentialsRefused):
                await client.get_json("/x", decode=list[int])
        assert len(server.asked) == 1


async def test_others_wait_as_well_once_one_was_told_to():
    sleeps = Sleeps()
    with answering(ok(), status(429, retry_after="30"), ok()) as server:
        async with client_of(server, sleeps) as client:
            await client.get_json("/first", decode=list[int])
            await client.get_json("/told", decode=list[int])
            before = len(sleeps)
            await client.get_json("/other", decode=list[int])
    assert sleeps[before] == pytest.approx(30, abs=2)


async def test_oktas_reset_a_minute_ahead_is_waited_for():
    sleeps = Sleeps()
    now = time.time() - 3600  # the server's clock is an hour behind ours
    throttled = Response(
        status_code=429,
        headers={
            "X-Rate-Limit-Limit": "600",
            "X-Rate-Limit-Remaining": "0",
            "X-Rate-Limit-Reset": str(int(now) + 60),
            "Date": formatdate(int(now), usegmt=True),
        },
    )
    with answering(throttled, ok([1])) as server:
        async with client_of(server, sleeps) as client:
            assert await client.get_json("/x", decode=list[int]) == [1]
    # uvicorn adds its own Date as a second line, which makes the two differ: the wait is either of them.
    assert sleeps[0] == pytest.approx(60, abs=2) or sleeps[0] <= 5


async def test_too_many_at_a_time_backs_off_briefly_and_does_not_wait_for_the_reset():
    sleeps = Sleeps()
    limits = {
        "x_rate_limit_limit": "0",
        "x_rate_limit_remaining": "0",
        "x_rate_limit_reset": str(int(time.time()) + 60),
    }
    with answering(status(429, **limits), ok([1])) as server:
        async with client_of(server, sleeps) as client:
            await client.get_json("/x", decode=list[int])
    assert len(sleeps) == 1
    assert 1 <= sleeps[0] <= 2


@pytest.mark.parametrize("code", [500, 502, 504])
async def test_a_read_that_failed_in_the_server_is_read_again(code):
    sleeps = Sleeps()
    with answering(status(code), status(code), ok([1])) as server:
        async with client_of(server, sleeps) as client:
            assert await client.get_json("/x", decode=list[int]) == [1]
    assert all(1 <= seconds <= 5 for seconds in sleeps)


@pytest.mark.parametrize("code", [500, 502, 504])
async def test_a_write_that_failed_in_the_server_is_not_sent_again(code):
    with answering(status(code), ok()) as server:
        async with client_of(server, Sleeps(), side="target") as client:
            with pytest.raises(OutcomeUnknown, match=f"HTTP {code}"):
                await client.request("POST", "/admin/groups", params={"name": "a"})
        assert len(server.asked) == 1


async def test_a_write_whose_answer_was_lost_is_not_sent_again():
    with answering(BrokenAnswer(), ok()) as server:
        async with client_of(server, Sleeps(), side="target") as client:
            with pytest.raises(OutcomeUnknown, match="read back"):
                await client.request("DELETE", "/x")
        assert len(server.asked) == 1


async def test_a_write_to_a_server_that_is_down_is_known_not_to_have_happened():
    with answering(ok()) as server:
        gone = server.url
    async with HttpClient(
        gone, name="Bitbucket", side="target", sleep=Sleeps(), retry=RetryPolicy(attempts=3)
    ) as client:
        with pytest.raises(TargetUnavailable, match="after 3 tries") as caught:
            await client.request("POST", "/x")
    assert "Bitbucket is up" in str(caught.value)


async def test_a_slow_read_times_out_and_is_read_again():
    def slow(_request):
        time.sleep(0.5)
        return ok([1])

    with answering(slow, ok([2])) as server:
        async with client_of(server, Sleeps(), timeouts=Timeouts(read=0.2)) as client:
            assert await client.get_json("/x", decode=list[int]) == [2]


@pytest.mark.parametrize("broken", [BrokenAnswer(), Response(b"[1, 2", media_type="application/json")])
async def test_an_answer_cut_short_is_read_again(broken):
    with answering(broken, ok([1])) as server:
        async with client_of(server, Sleeps()) as client:
            assert await client.get_json("/x", decode=list[int]) == [1]


async def test_json_that_stays_cut_short_is_unreadable_and_never_half_a_page():
    with answering(Response(b"[1, 2", media_type="application/json")) as server:
        async with client_of(server, Sleeps()) as client:
            with pytest.raises(SourceUnreadable, match="no whole JSON"):
                await client.get_json("/x", decode=list[int])
        assert len(server.asked) == 3


async def test_json_of_another_shape_is_not_asked_for_again():
    with answering(ok({"a": 1})) as server:
        async with client_of(server, Sleeps()) as client:
            with pytest.raises(SourceUnreadable, match="Expected `array`"):
                await client.get_json("/x", decode=list[int])
        assert len(server.asked) == 1


async def test_a_server_that_never_recovers_is_given_up_after_so_many_tries():
    with answering(status(503)) as server:
        async with client_of(server, Sleeps(), retry=RetryPolicy(attempts=4)) as client:
            with pytest.raises(SourceUnavailable, match="after 4 tries: HTTP 503") as caught:
                await client.get_json("/users", {"limit": 200}, decode=list[int])
        assert len(server.asked) == 4
    assert caught.value.subject == f"GET {server.url}/users"
    assert caught.value.next_step


async def test_a_server_that_never_recovers_is_given_up_after_so_long():
    sleeps = Sleeps()
    with answering(status(503, retry_after="100")) as server:
        async with client_of(server, sleeps, retry=RetryPolicy(give_up_after=250)) as client:
            with pytest.raises(SourceUnavailable, match="asking us to wait 100 s"):
                await client.get_json("/x", decode=list[int])
        assert len(server.asked) == 3


async def test_a_server_that_asks_for_an_hour_is_unavailable_at_once():
    sleeps = Sleeps()
    with answering(status(503, retry_after="3600")) as server:
        async with client_of(server, sleeps) as client:
            with pytest.raises(SourceUnavailable, match="asking us to wait 3600 s"):
                await client.get_json("/x", decode=list[int])
    assert sleeps == []


async def test_a_missing_object_is_told_from_a_broken_server():
    with answering(status(404)) as server:
        async with client_of(server, Sleeps()) as client:
            with pytest.raises(NotFound):
                await client.get_json("/groups/1", decode=list[int])


async def test_a_redirect_is_not_followed_but_named():
    with answering(status(301, location="https://elsewhere.example/")) as server:
        async with client_of(server, Sleeps()) as client:
            with pytest.raises(SourceUnreadable, match=r"HTTP 301 to https://elsewhere\.example/"):
                await client.get_json("/x", decode=list[int])


async def test_a_cancelled_request_gives_its_connection_back():
    import asyncio

    def slow(_request):
        time.sleep(0.3)
        return ok()

    with answering(ok(), slow, ok([5])) as server:
        async with client_of(server, Sleeps(), limits=Limits(concurrency=1)) as client:
            await client.get_json("/x", decode=list[int])
            task = asyncio.create_task(client.get_json("/slow", decode=list[int]))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.get_json("/x", decode=list[int]) == [5]
