"""Requests in one request, the budget of resource units, and faults."""

from typing import Any

import httpx
import pytest

from sandbox.faults import Fault, FaultKind
from sandbox.graph import GraphSimulator
from tests.unit.sandbox.graph.conftest import Walk


def batch(client: httpx.Client, *urls: str, **more: Any) -> httpx.Response:
    return client.post(
        "/$batch",
        json={"requests": [{"id": str(n), "method": "GET", "url": url, **more} for n, url in enumerate(urls)]},
    )


def test_answers_come_in_another_order_and_fail_one_by_one(tenant: GraphSimulator, client: httpx.Client):
    groups = list(tenant.state.groups())[:8]
    answers = batch(client, *(f"/groups/{each}/members?$select=id" for each in groups), "/groups/none").json()
    ids = [each["id"] for each in answers["responses"]]
    assert ids != sorted(ids)
    assert sorted(ids) == [str(number) for number in range(9)]
    assert {each["id"]: each["status"] for each in answers["responses"]}["8"] == 404


@pytest.mark.parametrize("urls", [["/users"] * 21, ["https://elsewhere.example/users"]])
def test_a_batch_that_graph_does_not_take_is_refused(client: httpx.Client, urls: list[str]):
    assert batch(client, *urls).status_code == 400


def test_ids_must_be_unique_and_dependencies_fail_together(client: httpx.Client):
    twice = [{"id": "1", "method": "GET", "url": "/users"}] * 2
    assert client.post("/$batch", json={"requests": twice}).status_code == 400
    chained = [
        {"id": "1", "method": "GET", "url": "/groups/none"},
        {"id": "2", "method": "GET", "url": "/users", "dependsOn": ["1"]},
    ]
    answers = client.post("/$batch", json={"requests": chained}).json()["responses"]
    assert {each["id"]: each["status"] for each in answers} == {"1": 404, "2": 424}


def test_the_budget_is_counted_in_units_and_a_batch_is_told_a_decimal_wait(
    tenant: GraphSimulator, client: httpx.Client
):
    tenant.switches.resource_units = 10
    tenant.switches.window_seconds = 3600
    group = next(iter(tenant.state.groups()))
    answers = batch(client, *[f"/groups/{group}/members?$select=id"] * 8).json()["responses"]
    statuses = [each["status"] for each in answers]
    assert (statuses.count(200), statuses.count(429)) == (5, 3)
    refused = next(each for each in answers if each["status"] == 429)
    assert "." in refused["headers"]["Retry-After"]
    single = client.get("/users")
    assert single.status_code == 429
    assert single.headers["retry-after"].isdecimal()
    assert single.headers["x-ms-throttle-information"] == "ResourceUnitLimitExceeded"


@pytest.mark.parametrize(
    ("path", "units"),
    [("/users", 2), ("/users?$select=id", 1), ("/users?$select=id&$expand=manager", 2), ("/users?$top=5", 1)],
)
def test_what_a_request_costs(client: httpx.Client, path: str, units: int):
    assert client.get(path).headers["x-ms-resource-unit"] == str(units)


def test_a_page_may_be_lost_emptied_or_doubled(tenant: GraphSimulator, client: httpx.Client, walk: Walk):
    path = "/users?$select=id&$top=50"
    whole = {row["id"] for row in walk(path)}
    tenant.faults.add(Fault(FaultKind.EMPTY_PAGE, "/users$", skip=1))
    assert {row["id"] for row in walk(path)} == whole
    tenant.faults.add(Fault(FaultKind.DUPLICATED_ROW, "/users$"))
    assert len(walk(path)) == len(whole) + 1
    tenant.faults.add(Fault(FaultKind.LOST_ROW, "/users$"))
    assert len(walk(path)) == len(whole) - 1
    tenant.faults.add(Fault(FaultKind.EARLY_END, "/users$"))
    assert len(walk(path)) == 50
    assert client.get(path).status_code == 200


def test_a_fault_inside_a_batch_strikes_one_request_and_a_broken_connection_all(
    tenant: GraphSimulator, client: httpx.Client
):
    urls = [f"/groups/{each}/members" for each in list(tenant.state.groups())[:4]]
    tenant.faults.add(Fault(FaultKind.STATUS, "/members$", status=429, headers={"retry-after": "0.249"}, skip=2))
    answers = {each["id"]: each for each in batch(client, *urls).json()["responses"]}
    assert [answers[key]["status"] for key in "0123"] == [200, 200, 429, 200]
    assert answers["2"]["headers"]["Retry-After"] == "0.249"
    tenant.faults.add(Fault(FaultKind.DROP, "/members$", skip=3))
    with pytest.raises(httpx.RemoteProtocolError):
        batch(client, *urls)
    tenant.faults.add(Fault(FaultKind.SLOW, "/members$", seconds=0.05))
    tenant.faults.add(Fault(FaultKind.CHANGE, "/members$", change=tenant.expire_tokens))
    statuses = [each["status"] for each in batch(client, *urls).json()["responses"]]
    assert statuses == [401] * 4
