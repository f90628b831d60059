from __future__ import annotations

import httpx
import pytest

from tests.unit.sandbox.bitbucket.conftest import Bitbucket

DAY = 86_400
JANE = {
    "name": "jane",
    "emailAddress": "jane@example.com",
    "displayName": "Jane",
    "password": "secret",
    "addToDefaultGroup": "false",
}


def with_jane(bitbucket: Bitbucket) -> Bitbucket:
    """Jane is in dev and has a grant of her own."""
    bitbucket.state.add_user("jane", display_name="Jane")
    bitbucket.state.add_group("dev")
    bitbucket.state.join("dev", "jane")
    bitbucket.state.grant_user("jane", "PROJECT_CREATE")
    return bitbucket


def delete(bitbucket: Bitbucket, name: str = "jane") -> httpx.Response:
    return bitbucket.http.delete("/admin/users", params={"name": name})


def id_of_jane(bitbucket: Bitbucket) -> int:
    jane = bitbucket.state.user("jane")
    assert jane is not None
    return jane.id


def test_a_deleted_user_is_answered_and_gone(bitbucket):
    with_jane(bitbucket)

    answer = delete(bitbucket)

    assert (answer.status_code, answer.json()["name"]) == (200, "jane")
    assert bitbucket.http.get("/users/jane").status_code == 404
    assert [user["name"] for user in bitbucket.pages("/admin/users")] == ["admin"]
    assert bitbucket.state.members("dev") == []
    assert bitbucket.state.seats == 1
    assert bitbucket.effects == [("delete_user", "jane")]
    assert delete(bitbucket).status_code == 404


def test_nobody_deletes_themselves(bitbucket):
    assert delete(bitbucket, "admin").status_code == 409


@pytest.mark.parametrize(
    ("regains", "permission", "groups"),
    [
        ("nothing", None, []),
        ("permissions", "PROJECT_CREATE", []),
        ("permissions_and_groups", "PROJECT_CREATE", ["dev"]),
    ],
)
def test_a_user_created_again_within_seven_days_regains_what_the_switch_says(launch, regains, permission, groups):
    bitbucket = with_jane(launch(recreated_user_regains=regains))
    delete(bitbucket)
    bitbucket.clock.advance(6.9 * DAY)

    assert bitbucket.http.post("/admin/users", params=JANE).status_code == 204
    assert bitbucket.state.permission_of("jane") == permission
    assert bitbucket.state.groups_of("jane") == groups


def test_after_seven_days_nothing_is_regained(launch):
    bitbucket = with_jane(launch(recreated_user_regains="permissions_and_groups"))
    delete(bitbucket)
    bitbucket.clock.advance(7.1 * DAY)
    bitbucket.http.post("/admin/users", params=JANE)

    assert bitbucket.state.permission_of("jane") is None
    assert bitbucket.state.groups_of("jane") == []


@pytest.mark.parametrize("keeps", [True, False])
def test_a_user_created_again_has_the_same_id_or_another(launch, keeps):
    bitbucket = with_jane(launch(recreated_user_keeps_id=keeps))
    number = id_of_jane(bitbucket)
    delete(bitbucket)
    bitbucket.clock.advance(30 * DAY)
    bitbucket.http.post("/admin/users", params=JANE)

    assert (id_of_jane(bitbucket) == number) is keeps


def test_only_a_deleted_user_can_be_erased(bitbucket):
    with_jane(bitbucket)
    path, params = "/admin/users/erasure", {"name": "jane"}

    assert bitbucket.http.get(path, params=params).status_code == 409
    assert bitbucket.http.get(path, params={"name": "nobody"}).status_code == 404
    assert bitbucket.http.get(path).status_code == 400
    delete(bitbucket)
    assert bitbucket.http.get(path, params=params).status_code == 204

    identifier = bitbucket.http.post(path, params=params).json()["newIdentifier"]
    assert identifier.startswith("user-")
    assert bitbucket.effects[-1] == ("erase_user", "jane", identifier)
    assert bitbucket.http.get(path, params=params).status_code == 404


def test_an_erased_user_does_not_come_back(launch):
    bitbucket = with_jane(launch(recreated_user_regains="permissions_and_groups"))
    number = id_of_jane(bitbucket)
    delete(bitbucket)
    bitbucket.http.post("/admin/users/erasure", params={"name": "jane"})
    bitbucket.http.post("/admin/users", params=JANE)

    assert id_of_jane(bitbucket) != number
    assert bitbucket.state.groups_of("jane") == []


def test_a_rename_onto_the_name_of_a_deleted_user_moves_the_old_row_aside(bitbucket):
    with_jane(bitbucket)
    delete(bitbucket)
    bitbucket.state.add_user("john")

    rename = {"name": "john", "newName": "jane"}
    assert bitbucket.http.post("/admin/users/rename", json=rename).status_code == 200
    assert bitbucket.http.get("/admin/users/erasure", params={"name": "jane_ar"}).status_code == 204
