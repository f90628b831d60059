from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.sandbox.bitbucket.conftest import Bitbucket, error_of


@pytest.fixture
def peopled(bitbucket):
    """Groups dev and ops, users jane, john and ann, nobody anywhere."""
    return people(bitbucket)


def people(bitbucket: Bitbucket) -> Bitbucket:
    for group in ("dev", "ops"):
        bitbucket.state.add_group(group)
    for name in ("jane", "john", "ann"):
        bitbucket.state.add_user(name)
    return bitbucket


def post(bitbucket: Bitbucket, path: str, **document: Any) -> httpx.Response:
    return bitbucket.http.post(path, json=document)


def names(response: httpx.Response) -> list[str]:
    return [value["name"] for value in response.json()["values"]]


def test_a_group_is_created_with_200_and_its_body(bitbucket):
    answer = bitbucket.http.post("/admin/groups", params={"name": "Dev Team & Co"})

    assert (answer.status_code, answer.json()) == (200, {"name": "Dev Team & Co", "deletable": True})
    assert bitbucket.effects == [("create_group", "Dev Team & Co")]


@pytest.mark.parametrize(("params", "status"), [({}, 400), ({"name": ""}, 400), ({"name": "g" * 256}, 400)])
def test_a_group_needs_a_name_in_bounds(bitbucket, params, status):
    assert bitbucket.http.post("/admin/groups", params=params).status_code == status


@pytest.mark.parametrize("name", ["dev", "DEV"])
def test_a_group_that_exists_in_any_case_is_a_409(peopled, name):
    assert peopled.http.post("/admin/groups", params={"name": name}).status_code == 409


def test_a_deleted_group_is_answered_and_takes_its_members_and_permission_along(peopled):
    peopled.state.join("dev", "jane")
    peopled.state.grant_group("dev", "LICENSED_USER")

    answer = peopled.http.delete("/admin/groups", params={"name": "dev"})

    assert (answer.status_code, answer.json()) == (200, {"name": "dev", "deletable": True})
    assert peopled.state.groups_of("jane") == []
    assert "dev" not in peopled.state.snapshot()["group_grants"]
    assert peopled.state.seats == 1
    assert peopled.http.delete("/admin/groups", params={"name": "dev"}).status_code == 404


def test_an_administrator_can_neither_delete_nor_fill_a_group_of_system_administrators(peopled):
    ann = peopled.client("ann", "secret")
    peopled.state.user("ann").password = "secret"
    peopled.state.grant_user("ann", "ADMIN")
    peopled.state.grant_group("ops", "SYS_ADMIN")
    peopled.state.join("ops", "john")

    answers = [
        ann.delete("/admin/groups", params={"name": "ops"}),
        ann.post("/admin/groups/add-users", json={"group": "ops", "users": ["jane"]}),
        ann.post("/admin/users/add-groups", json={"user": "jane", "groups": ["ops"]}),
        ann.post("/admin/users/remove-group", json={"context": "john", "itemName": "ops"}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403]
    assert peopled.effects == []


def test_nobody_deletes_or_leaves_the_group_that_makes_them_an_administrator(peopled):
    bitbucket = peopled
    bitbucket.state.user("ann").password = "secret"
    bitbucket.state.grant_group("ops", "ADMIN")
    bitbucket.state.join("ops", "ann")
    ann = bitbucket.client("ann", "secret")

    assert ann.delete("/admin/groups", params={"name": "ops"}).status_code == 409
    leaving = {"context": "ann", "itemName": "ops"}
    assert ann.post("/admin/users/remove-group", json=leaving).status_code == 409

    bitbucket.state.grant_user("ann", "ADMIN")
    assert ann.post("/admin/users/remove-group", json=leaving).status_code == 200


def test_leaving_the_group_of_ones_own_rights_may_be_allowed(launch):
    bitbucket = launch(own_demotion_by_leaving="allowed")
    bitbucket.state.add_group("ops")
    bitbucket.state.grant_group("ops", "ADMIN")
    bitbucket.state.add_user("ann", password="secret")
    bitbucket.state.join("ops", "ann")

    leaving = {"context": "ann", "itemName": "ops"}
    assert bitbucket.client("ann", "secret").post("/admin/users/remove-group", json=leaving).status_code == 200


@pytest.mark.parametrize(
    ("path", "document", "joined"),
    [
        ("/admin/groups/add-users", {"group": "dev", "users": ["jane", "john"]}, [("dev", "jane"), ("dev", "john")]),
        ("/admin/users/add-groups", {"user": "jane", "groups": ["dev", "ops"]}, [("dev", "jane"), ("ops", "jane")]),
        ("/admin/groups/add-user", {"context": "dev", "itemName": "jane"}, [("dev", "jane")]),
        ("/admin/users/add-group", {"context": "jane", "itemName": "dev"}, [("dev", "jane")]),
        ("/admin/groups/add-users", {"group": "DEV", "users": ["Jane", "Jane"]}, [("dev", "jane")]),
    ],
)
def test_the_four_ways_of_adding_answer_200_with_nothing(peopled, path, document, joined):
    answer = post(peopled, path, **document)

    assert (answer.status_code, answer.content) == (200, b"")
    assert peopled.effects == [("join", *pair) for pair in joined]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/admin/groups/remove-user", {"context": "dev", "itemName": "jane"}),
        ("/admin/users/remove-group", {"context": "jane", "itemName": "dev"}),
    ],
)
def test_both_ways_of_removing_and_their_404_when_not_a_member(peopled, path, document):
    peopled.state.join("dev", "jane")

    assert post(peopled, path, **document).status_code == 200
    assert peopled.effects == [("leave", "dev", "jane")]
    again = post(peopled, path, **document)
    assert (again.status_code, error_of(again)["exceptionName"].rpartition(".")[2]) == (404, "NoSuchEntityException")
    swapped = {"context": document["itemName"], "itemName": document["context"]}
    assert post(peopled, path, **swapped).status_code == 404


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/admin/groups/add-users", {"group": "nope", "users": ["jane"]}),
        ("/admin/users/add-groups", {"user": "nobody", "groups": ["dev"]}),
        ("/admin/groups/add-user", {"context": "dev", "itemName": "nobody"}),
        ("/admin/users/remove-group", {"context": "jane", "itemName": "nope"}),
    ],
)
def test_an_unknown_user_or_group_is_a_404(peopled, path, document):
    assert post(peopled, path, **document).status_code == 404
    assert peopled.effects == []


@pytest.mark.parametrize(
    ("choice", "joined"), [("atomic", []), ("partial", [("join", "dev", "jane"), ("join", "dev", "john")])]
)
def test_an_unknown_name_among_many_leaves_nothing_or_what_stood_before_it(launch, choice, joined):
    bitbucket = people(launch(unknown_member=choice))

    answer = post(bitbucket, "/admin/groups/add-users", group="dev", users=["jane", "john", "nobody", "ann"])

    assert answer.status_code == 404
    assert bitbucket.effects == joined


@pytest.mark.parametrize(
    ("choice", "status", "effects"), [("ok", 200, [("join", "dev", "john")]), ("conflict", 409, [])]
)
def test_adding_a_member_again_does_nothing_twice(launch, choice, status, effects):
    bitbucket = people(launch(already_member=choice))
    bitbucket.state.join("dev", "jane")

    assert post(bitbucket, "/admin/groups/add-users", group="dev", users=["jane", "john"]).status_code == status
    assert bitbucket.effects == effects


@pytest.mark.parametrize(("choice", "status"), [("ok", 200), ("refused", 400)])
def test_an_empty_list_is_accepted_or_refused(launch, choice, status):
    bitbucket = people(launch(empty_list=choice))

    assert post(bitbucket, "/admin/groups/add-users", group="dev", users=[]).status_code == status
    assert post(bitbucket, "/admin/users/add-groups", user="jane", groups=[]).status_code == status


@pytest.mark.parametrize("document", [{"group": "dev"}, {"group": "dev", "users": [5]}, {"users": ["jane"]}])
def test_an_incomplete_document_is_a_400(peopled, document):
    assert post(peopled, "/admin/groups/add-users", **document).status_code == 400


def test_the_four_lists_of_who_is_in_what(peopled):
    peopled.state.join("dev", "jane")

    def listed(path: str, **params: str) -> list[str]:
        return names(peopled.http.get(path, params=params))

    assert listed("/admin/groups/more-members", context="DEV") == ["jane"]
    assert listed("/admin/groups/more-non-members", context="dev", filter="j") == ["john"]
    assert listed("/admin/users/more-members", context="jane") == ["dev"]
    assert listed("/admin/users/more-non-members", context="jane") == ["ops", "stash-users"]
    assert listed("/admin/groups", filter="O") == ["ops"]
    assert peopled.http.get("/groups").json()["values"] == ["dev", "ops", "stash-users"]


@pytest.mark.parametrize("path", ["/admin/groups/more-members", "/admin/users/more-members"])
def test_an_unknown_context_is_an_empty_page(bitbucket, path):
    answer = bitbucket.http.get(path, params={"context": "nope"})

    assert answer.status_code == 200
    assert answer.json() == {"size": 0, "limit": 25, "isLastPage": True, "values": [], "start": 0}
    assert bitbucket.http.get(path).status_code == 400


def test_members_are_described_in_full(peopled):
    peopled.state.join("dev", "jane")

    (jane,) = peopled.http.get("/admin/groups/more-members", params={"context": "dev"}).json()["values"]
    assert jane["directoryName"] == "Bitbucket Internal Directory"


@pytest.mark.parametrize(("nested", "expected"), [(False, ["jane"]), (True, ["jane", "john"])])
def test_nested_members_are_listed_or_not_but_always_have_the_permission(launch, nested, expected):
    bitbucket = people(launch(nested_members=nested))
    bitbucket.state.join("dev", "jane")
    bitbucket.state.join("ops", "john")
    bitbucket.state.nest("dev", "ops")
    bitbucket.state.nest("ops", "dev")
    bitbucket.state.grant_group("dev", "LICENSED_USER")

    assert names(bitbucket.http.get("/admin/groups/more-members", params={"context": "dev"})) == expected
    assert bitbucket.state.permission_of("john") == "LICENSED_USER"
    assert bitbucket.state.seats == 3
