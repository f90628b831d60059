from __future__ import annotations

import time
from typing import Any

from tests.unit.sandbox.bitbucket.conftest import Bitbucket

JANE = {"name": "jane", "emailAddress": "jane@example.com", "displayName": "Jane", "password": "secret"}


def names(bitbucket: Bitbucket, path: str = "/admin/users", **params: Any) -> list[str]:
    return [value["name"] for value in bitbucket.http.get(path, params=params).json()["values"]]


def test_a_write_is_seen_at_once_by_default(bitbucket):
    bitbucket.http.post("/admin/users", params=JANE)

    assert names(bitbucket) == ["admin", "jane"]


def test_a_write_is_seen_after_so_many_reads(launch):
    bitbucket = launch(lag_reads=2)
    bitbucket.http.post("/admin/users", params=JANE)

    assert [names(bitbucket) for _ in range(3)] == [["admin"], ["admin"], ["admin", "jane"]]
    assert names(bitbucket, "/admin/groups/more-members", context="stash-users") == ["jane"]


def test_a_write_is_seen_after_so_many_seconds(launch):
    bitbucket = launch(lag_seconds=30)
    bitbucket.http.post("/admin/users", params=JANE)
    bitbucket.clock.advance(29)
    assert names(bitbucket) == ["admin"]
    bitbucket.clock.advance(1)
    assert names(bitbucket) == ["admin", "jane"]


def test_writes_are_judged_by_the_truth(launch):
    bitbucket = launch(lag_seconds=30)
    bitbucket.http.post("/admin/users", params=JANE)

    assert names(bitbucket) == ["admin"]
    assert bitbucket.http.post("/admin/users", params=JANE).status_code == 409
    joining = {"group": "stash-users", "users": ["jane"]}
    assert bitbucket.http.post("/admin/groups/add-users", json=joining).status_code == 200
    assert bitbucket.state.members("stash-users") == ["jane"]


def test_all_kinds_of_writes_arrive_in_their_order(launch):
    bitbucket = launch(lag_reads=1)
    bitbucket.http.post("/admin/users", params=JANE)
    bitbucket.http.post("/admin/groups", params={"name": "dev"})
    bitbucket.http.post("/admin/groups/add-users", json={"group": "dev", "users": ["jane"]})
    bitbucket.http.post("/admin/users/rename", json={"name": "jane", "newName": "doe"})
    bitbucket.http.put("/admin/users", json={"name": "doe", "displayName": "Doe", "email": "doe@example.com"})
    bitbucket.http.put("/admin/permissions/groups", params={"name": "dev", "permission": "ADMIN"})
    bitbucket.http.post("/admin/users/remove-group", json={"context": "doe", "itemName": "stash-users"})
    names(bitbucket)

    assert names(bitbucket, "/admin/groups/more-members", context="dev") == ["doe"]
    assert names(bitbucket, "/admin/users/more-members", context="doe") == ["dev"]
    assert bitbucket.http.get("/users/doe").json()["id"] == bitbucket.state.user("doe").id
    assert names(bitbucket, "/users", permission="ADMIN") == ["admin", "doe"]


def test_what_a_test_sets_up_is_seen_at_once(launch):
    bitbucket = launch(lag_reads=5)
    bitbucket.state.add_user("jane")

    assert names(bitbucket) == ["admin", "jane"]


def test_every_answer_takes_the_latency(launch):
    bitbucket = launch(latency_seconds=0.05)
    began = time.monotonic()
    bitbucket.http.get("/users")

    assert time.monotonic() - began >= 0.05
