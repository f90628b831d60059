from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.bitbucket import BitbucketSimulator, populate
from sandbox.bitbucket.installation import Installation
from sandbox.bitbucket.population import Population


def test_every_request_is_recorded_with_its_status_and_its_user(bitbucket):
    jane = bitbucket.account("jane")
    bitbucket.http.get("/users", params={"limit": 5})
    jane.post("/admin/groups", params={"name": "dev"})
    bitbucket.client(None).get("/users")
    requests = bitbucket.simulator.requests

    assert [tuple(record) for record in requests] == [
        ("GET", "/rest/api/latest/users", "limit=5", 200, "admin"),
        ("POST", "/rest/api/latest/admin/groups", "name=dev", 401, "jane"),
        ("GET", "/rest/api/latest/users", "", 401, None),
    ]
    assert (requests.reads, requests.writes, len(requests)) == (2, 1, 3)
    assert requests.count("GET", "/users") == 2
    assert requests.by_status() == {200: 1, 401: 2}
    requests.clear()
    assert (requests.reads, requests.writes, len(requests)) == (0, 0, 0)


def test_an_effect_that_happened_twice_is_found(bitbucket):
    for _ in range(2):
        bitbucket.http.post("/admin/groups", params={"name": "dev"})
        bitbucket.http.delete("/admin/groups", params={"name": "dev"})

    assert bitbucket.effects.repeated() == [("create_group", "dev"), ("delete_group", "dev")]
    assert bitbucket.effects.by_kind() == {"create_group": 2, "delete_group": 2}


def test_equal_bitbuckets_have_equal_snapshots_whatever_their_ids():
    def built(names: list[str]) -> dict[str, Any]:
        simulator = BitbucketSimulator()
        for name in names:
            simulator.state.add_user(name)
            simulator.state.join("stash-users", name)
        return simulator.state.snapshot()

    assert built(["jane", "john"]) == built(["john", "jane"])
    assert built(["jane"]) != built(["john"])
    assert built(["jane"])["memberships"] == {"stash-users": ["jane"]}


def test_a_population_is_as_large_as_asked_and_the_same_for_the_same_seed():
    def populated(seed: int) -> Installation:
        simulator = BitbucketSimulator()
        populate(simulator.state, Population(50, 8, 120, seed))
        return simulator.state

    summary = populated(1).summary()
    assert (summary["users"], summary["groups"], summary["memberships"]) == (51, 9, 120)
    assert populated(1).snapshot() == populated(1).snapshot() != populated(2).snapshot()
    with pytest.raises(ValueError, match="no room"):
        populate(BitbucketSimulator().state, Population(2, 2, 5))


def test_the_simulator_is_controlled_over_http_without_leaving_a_trace(bitbucket):
    sandbox = f"{bitbucket.base_url}/sandbox"
    assert httpx.get(f"{sandbox}/state").json()["users"] == 1
    assert httpx.get(f"{sandbox}/snapshot").json() == bitbucket.state.snapshot()

    fault = {"kind": "status", "status": 503, "method": "READ", "times": 1}
    assert httpx.post(f"{sandbox}/faults", json=fault).json()["status"] == 503
    assert [active["hits"] for active in httpx.get(f"{sandbox}/faults").json()] == [0]
    assert bitbucket.http.get("/users").status_code == 503
    httpx.post(f"{sandbox}/faults", json=fault)
    assert httpx.delete(f"{sandbox}/faults").status_code == 204
    assert bitbucket.http.post("/admin/groups", params={"name": "dev"}).status_code == 200

    assert httpx.get(f"{sandbox}/effects").json() == [["create_group", "dev"]]
    assert httpx.get(f"{sandbox}/requests").json() == {
        "total": 2,
        "reads": 1,
        "writes": 1,
        "by_status": {"503": 1, "200": 1},
        "by_call": {"GET /rest/api/latest/users": 1, "POST /rest/api/latest/admin/groups": 1},
    }
    assert len(httpx.get(f"{sandbox}/requests/all").json()) == 2
    for log in ("requests", "effects"):
        assert httpx.delete(f"{sandbox}/{log}").status_code == 204
    assert (len(bitbucket.simulator.requests), bitbucket.effects) == (0, [])

    before = bitbucket.clock.now()
    assert httpx.post(f"{sandbox}/clock", json={"seconds": 5}).status_code == 204
    assert bitbucket.clock.now() == before + 5


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [("POST", "/faults", b'{"kind": "nonsense"}', 400), ("POST", "/clock", b"{}", 400), ("GET", "/nope", b"", 404)],
)
def test_nonsense_is_not_taken_for_control(bitbucket, method, path, body, status):
    assert httpx.request(method, f"{bitbucket.base_url}/sandbox{path}", content=body).status_code == status
