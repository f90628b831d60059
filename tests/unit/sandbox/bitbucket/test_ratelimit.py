from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.unit.sandbox.bitbucket.conftest import Bitbucket


def statuses(client: httpx.Client, count: int) -> list[int]:
    return [client.get("/users").status_code for _ in range(count)]


def limited(launch: Callable[..., Bitbucket], **switches: Any) -> Bitbucket:
    return launch(rate_limit={"capacity": 3, "fill_rate": 1}, **switches)


def test_limits_are_off_by_default(bitbucket):
    assert statuses(bitbucket.http, 80) == [200] * 80
    settings = bitbucket.http.get("/admin/rate-limit/settings").json()
    assert settings == {"enabled": False, "defaultSettings": {"capacity": 60, "fillRate": 5}}


def test_a_bucket_empties_and_fills_again_for_each_user(launch):
    bitbucket = limited(launch)
    jane = bitbucket.account("jane")

    assert statuses(bitbucket.http, 5) == [200, 200, 200, 429, 429]
    assert statuses(jane, 1) == [200]
    bitbucket.clock.advance(2)
    assert statuses(bitbucket.http, 3) == [200, 200, 429]


@pytest.mark.parametrize(("told", "header"), [(True, "1"), (False, None)])
def test_a_429_says_when_to_come_back_or_not(launch, told, header):
    bitbucket = limited(launch, rate_limit_retry_after=told)
    statuses(bitbucket.http, 3)

    assert bitbucket.http.get("/users").headers.get("retry-after") == header


@pytest.mark.parametrize(("body", "content_type"), [("json", "application/json"), ("html", "text/html"), ("empty", "")])
def test_the_body_of_a_429_is_json_html_or_nothing(launch, body, content_type):
    bitbucket = limited(launch, rate_limit_body=body)
    statuses(bitbucket.http, 3)
    answer = bitbucket.http.get("/users")

    assert answer.status_code == 429
    assert answer.headers.get("content-type", "").startswith(content_type)
    assert bool(answer.content) is (body != "empty")


def test_an_administrator_switches_limits_on_and_off(bitbucket):
    on = {"enabled": True, "defaultSettings": {"capacity": 2, "fillRate": 1}}

    assert bitbucket.http.put("/admin/rate-limit/settings", json=on).json() == on
    assert statuses(bitbucket.http, 3) == [200, 200, 429]
    bitbucket.clock.advance(1)
    assert bitbucket.http.put("/admin/rate-limit/settings", json={"enabled": False}).json() == {**on, "enabled": False}
    assert statuses(bitbucket.http, 9) == [200] * 9
    nonsense = {"defaultSettings": {"capacity": 0, "fillRate": 1}}
    assert bitbucket.http.put("/admin/rate-limit/settings", json=nonsense).status_code == 400


def test_a_user_may_be_exempt_or_have_a_bucket_of_their_own(launch):
    bitbucket = launch(rate_limit={"capacity": 20, "fill_rate": 1})
    jane = bitbucket.account("jane")
    path = "/admin/rate-limit/settings/users/jane"

    assert bitbucket.http.get(path).status_code == 404
    own = bitbucket.http.put(path, json={"settings": {"capacity": 2, "fillRate": 1}}).json()
    assert (own["user"]["name"], own["whitelisted"], own["settings"]) == ("jane", False, {"capacity": 2, "fillRate": 1})
    assert statuses(jane, 3) == [200, 200, 429]
    assert bitbucket.http.put(path, json={"whitelisted": True}).json()["whitelisted"] is True
    assert statuses(jane, 30) == [200] * 30
    assert len(bitbucket.pages("/admin/rate-limit/settings/users")) == 1
    assert bitbucket.http.put(path, json={}).status_code == 400
    assert bitbucket.http.delete(path).status_code == 204
    assert bitbucket.http.delete(path).status_code == 404
    assert bitbucket.http.get("/admin/rate-limit/settings/users/nobody").status_code == 404


def test_limits_of_many_users_are_set_at_once(bitbucket):
    bitbucket.state.add_user("jane")
    path = "/admin/rate-limit/settings/users"

    assert len(bitbucket.http.post(path, json={"usernames": ["jane", "admin"], "whitelisted": True}).json()) == 2
    assert bitbucket.http.post(path, json={"usernames": ["nobody"], "whitelisted": True}).status_code == 400
    assert bitbucket.http.post(path, json={"whitelisted": True}).status_code == 400
