import asyncio
import time
from email.utils import parsedate_to_datetime

import httpx

from sandbox.faults import Fault, FaultKind
from sandbox.okta import SSWS_TOKEN, OktaSimulator
from sandbox.okta.limits import RateLimits, bucket_of
from sandbox.okta.switches import Switches

A_LONG_WINDOW = 1_000_000_000


def test_each_kind_of_endpoint_has_its_bucket():
    assert bucket_of("/api/v1/users") == "users"
    assert bucket_of("/api/v1/users/00u1") == "user"
    assert bucket_of("/api/v1/users/00u1/groups") == "other"
    assert bucket_of("/api/v1/groups") == "groups"
    assert bucket_of("/api/v1/groups/00g1/users") == "group"
    assert bucket_of("/api/v1/logs") == "logs"
    assert bucket_of("/oauth2/v1/token") == "token"


def test_one_token_gets_half_of_the_bucket_and_two_get_all_of_it():
    limits = RateLimits(Switches(limits={"users": 4}))
    first = [limits.take("/api/v1/users", "one", 0.0) for _ in range(3)]
    assert [grant.allowed for grant in first] == [True, True, False]
    assert [grant.remaining for grant in first] == [1, 0, 0]
    assert {grant.limit for grant in first} == {2}
    second = [limits.take("/api/v1/users", "two", 0.0) for _ in range(3)]
    assert [grant.allowed for grant in second] == [True, True, False]
    third = limits.take("/api/v1/users", "three", 0.0)
    assert (third.allowed, third.limit) == (False, 4)


def test_the_next_window_begins_at_the_reset():
    limits = RateLimits(Switches(limits={"users": 2}))
    assert limits.take("/api/v1/users", "one", 100.0).reset == 120
    assert not limits.take("/api/v1/users", "one", 119.9).allowed
    assert limits.take("/api/v1/users", "one", 120.0).allowed


def test_a_spent_bucket_answers_429_with_the_reset(org: OktaSimulator, client: httpx.Client):
    org.switches.limits = {"users": 4, "groups": 4}
    org.switches.window_seconds = A_LONG_WINDOW
    answers = [client.get("/api/v1/users?limit=1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused = answers[2]
    assert refused.json()["errorCode"] == "E0000047"
    assert refused.headers["x-rate-limit-limit"] == "2"
    assert refused.headers["x-rate-limit-remaining"] == "0"
    assert int(refused.headers["x-rate-limit-reset"]) % A_LONG_WINDOW == 0
    assert "retry-after" not in refused.headers
    assert client.get("/api/v1/groups?limit=1").status_code == 200


def test_every_answer_carries_the_limits_even_a_refusal(org: OktaSimulator, url: str):
    answer = httpx.get(f"{url}/api/v1/users", headers={"Authorization": "SSWS wrong"})
    assert answer.status_code == 401
    assert {"x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"} <= set(answer.headers)


async def test_too_many_at_once_are_refused_with_zero_for_limit_and_remaining(org: OktaSimulator, url: str):
    org.switches.concurrency = 2
    org.faults.add(Fault(FaultKind.SLOW, "/api/v1/users$", times=2, seconds=0.4))
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"SSWS {SSWS_TOKEN}"}) as client:
        slow = [asyncio.create_task(client.get("/api/v1/users?limit=1")) for _ in range(2)]
        await asyncio.sleep(0.15)
        assert org.app.in_flight == 2
        refused = await client.get("/api/v1/groups")
        answers = await asyncio.gather(*slow)
    assert refused.status_code == 429
    assert refused.headers["x-rate-limit-limit"] == refused.headers["x-rate-limit-remaining"] == "0"
    assert [answer.status_code for answer in answers] == [200, 200]
    assert org.app.most_in_flight == 3


def test_a_skewed_clock_shows_in_date_and_reset_alike(org: OktaSimulator, client: httpx.Client):
    org.switches.clock_skew_seconds = -86_400
    answer = client.get("/api/v1/users?limit=1")
    server_time = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert abs(server_time + 86_400 - time.time()) < 30
    wait = int(answer.headers["x-rate-limit-reset"]) - server_time
    assert 0 <= wait <= 61
    assert len(answer.headers.get_list("date")) == 1
