from __future__ import annotations

import httpx
import pytest

from sandbox.bitbucket import Directory
from tests.unit.sandbox.bitbucket.conftest import Bitbucket

CROWD = Directory(
    name="Crowd",
    type="Crowd",
    description="Users of all products",
    mutable_details=False,
    mutable_groups=False,
)
LOCAL_GROUPS = Directory(name="LDAP", type="LDAP", description="", mutable_details=False, mutable_groups=True)


def with_crowd(bitbucket: Bitbucket, position: int | None = None) -> Bitbucket:
    """Jane and the group staff come from Crowd, jane is in it; the group dev is internal."""
    bitbucket.state.add_directory(CROWD, position)
    bitbucket.state.add_user("jane", directory="Crowd")
    bitbucket.state.add_group("staff", directory="Crowd")
    bitbucket.state.add_group("dev", directory="Bitbucket Internal Directory")
    bitbucket.state.join("staff", "jane")
    return bitbucket


def writes(bitbucket: Bitbucket) -> dict[str, httpx.Response]:
    return {
        "update": bitbucket.http.put("/admin/users", json={"name": "jane", "displayName": "J"}),
        "rename": bitbucket.http.post("/admin/users/rename", json={"name": "jane", "newName": "j"}),
        "password": bitbucket.http.put(
            "/admin/users/credentials", json={"name": "jane", "password": "x", "passwordConfirm": "x"}
        ),
        "delete": bitbucket.http.delete("/admin/users", params={"name": "jane"}),
        "join": bitbucket.http.post("/admin/groups/add-users", json={"group": "dev", "users": ["jane"]}),
        "leave": bitbucket.http.post("/admin/users/remove-group", json={"context": "jane", "itemName": "staff"}),
        "fill": bitbucket.http.post("/admin/groups/add-users", json={"group": "staff", "users": ["admin"]}),
        "delete group": bitbucket.http.delete("/admin/groups", params={"name": "staff"}),
    }


@pytest.mark.parametrize("status", [400, 401, 403, 409])
def test_nothing_of_a_read_only_directory_can_be_written(launch, status):
    bitbucket = with_crowd(launch(read_only_status=status))

    answers = writes(bitbucket)

    assert {what: answer.status_code for what, answer in answers.items()} == dict.fromkeys(answers, status)
    message = answers["update"].json()["errors"][0]["message"]
    assert message == "Cannot update user 'jane' because directory 'Crowd' does not allow updates."
    assert bitbucket.effects == []


def test_users_and_groups_say_that_they_are_read_only(bitbucket):
    with_crowd(bitbucket)

    (jane,) = bitbucket.http.get("/admin/users", params={"filter": "jane"}).json()["values"]
    assert (jane["directoryName"], jane["deletable"], jane["mutableDetails"], jane["mutableGroups"]) == (
        "Crowd",
        False,
        False,
        False,
    )
    assert bitbucket.pages("/admin/groups", filter="staff") == [{"name": "staff", "deletable": False}]


def test_a_read_only_directory_with_local_groups_lets_its_users_join_them(bitbucket):
    bitbucket.state.add_directory(LOCAL_GROUPS)
    bitbucket.state.add_user("jane", directory="LDAP")
    bitbucket.state.add_group("dev")

    joining = {"group": "dev", "users": ["jane"]}
    assert bitbucket.http.post("/admin/groups/add-users", json=joining).status_code == 200
    assert bitbucket.http.put("/admin/users", json={"name": "jane", "displayName": "J"}).status_code == 409


def test_new_users_and_groups_go_to_the_first_writable_directory(bitbucket):
    with_crowd(bitbucket, position=0)
    params = {"name": "john", "emailAddress": "j@example.com", "displayName": "John", "password": "x"}

    assert bitbucket.http.post("/admin/users", params=params).status_code == 204
    assert bitbucket.state.user("john").directory.name == "Bitbucket Internal Directory"
    assert bitbucket.http.post("/admin/users", params={**params, "name": "jane"}).status_code == 409
    assert bitbucket.http.post("/admin/groups", params={"name": "new"}).json()["deletable"] is True


@pytest.mark.parametrize(("position", "visible"), [(0, "Crowd"), (1, "Bitbucket Internal Directory")])
def test_the_order_of_directories_decides_which_user_of_a_name_is_visible(bitbucket, position, visible):
    bitbucket.state.add_directory(CROWD, position)
    bitbucket.state.add_user("jane", directory="Bitbucket Internal Directory")
    bitbucket.state.add_user("Jane", directory="Crowd")

    (jane,) = bitbucket.http.get("/admin/users", params={"filter": "jane"}).json()["values"]
    assert jane["directoryName"] == visible


def test_deleting_a_user_uncovers_the_one_it_hid(bitbucket):
    bitbucket.state.add_user("jane")
    bitbucket.state.add_directory(CROWD)
    bitbucket.state.add_user("jane", directory="Crowd")

    assert bitbucket.http.delete("/admin/users", params={"name": "jane"}).json()["deletable"] is True
    assert bitbucket.state.user("jane").directory.name == "Crowd"
    assert bitbucket.http.delete("/admin/users", params={"name": "jane"}).status_code == 409


@pytest.mark.parametrize("shape", ["array", "page"])
def test_directories_are_listed_in_their_order(launch, shape):
    bitbucket = launch(user_directories_shape=shape)
    bitbucket.state.add_directory(Directory(name="Old", type="LDAP", description="", active=False))
    bitbucket.state.add_directory(CROWD, 0)

    def names(**params: str) -> list[str]:
        body = bitbucket.http.get("/admin/user-directories", params=params).json()
        return [directory["name"] for directory in (body if shape == "array" else body["values"])]

    assert names() == ["Crowd", "Bitbucket Internal Directory"]
    assert names(includeInactive="true") == ["Crowd", "Bitbucket Internal Directory", "Old"]


@pytest.mark.parametrize(("version", "status"), [("7.21.0", 404), ("8.14.0", 200), ("9.4.0", 200)])
def test_old_versions_do_not_list_directories(launch, version, status):
    assert launch(version=version).http.get("/admin/user-directories").status_code == status
