from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.sandbox.bitbucket.conftest import Bitbucket, error_of


@pytest.fixture
def staffed(bitbucket):
    """Ann is an administrator, jane is licensed, john has nothing; dev is a group with jane and john."""
    ann = bitbucket.account("ann", "ADMIN")
    bitbucket.account("jane")
    bitbucket.state.add_user("john")
    bitbucket.state.add_group("dev")
    for name in ("jane", "john"):
        bitbucket.state.join("dev", name)
    bitbucket.ann = ann
    return bitbucket


def test_grants_list_only_direct_ones_with_the_highest_permission(staffed):
    users = staffed.http.get("/admin/permissions/users").json()["values"]
    groups = staffed.http.get("/admin/permissions/groups").json()["values"]

    assert [(grant["user"]["name"], grant["permission"]) for grant in users] == [
        ("admin", "SYS_ADMIN"),
        ("ann", "ADMIN"),
        ("jane", "LICENSED_USER"),
    ]
    assert "directoryName" not in users[0]["user"]
    assert groups == [{"group": {"name": "stash-users"}, "permission": "LICENSED_USER"}]


def test_those_without_a_grant_are_listed_apart(staffed):
    users = staffed.http.get("/admin/permissions/users/none").json()["values"]
    groups = staffed.http.get("/admin/permissions/groups/none").json()["values"]

    assert [user["name"] for user in users] == ["john"]
    assert groups == [{"name": "dev", "deletable": True}]


def test_several_names_are_granted_at_once(staffed):
    params = {"name": ["jane", "john"], "permission": "PROJECT_CREATE"}

    assert staffed.http.put("/admin/permissions/users", params=params).status_code == 204
    assert staffed.effects == [("grant_user", "jane", "PROJECT_CREATE"), ("grant_user", "john", "PROJECT_CREATE")]
    assert staffed.http.put("/admin/permissions/users", params=params).status_code == 204
    assert staffed.effects.repeated() == []


def test_a_group_is_granted_and_revoked(staffed):
    granting = {"name": "dev", "permission": "ADMIN"}
    assert staffed.http.put("/admin/permissions/groups", params=granting).status_code == 204
    assert staffed.state.permission_of("john") == "ADMIN"

    for _ in range(2):
        assert staffed.http.delete("/admin/permissions/groups", params={"name": "dev"}).status_code == 204
    assert staffed.state.permission_of("john") is None
    assert staffed.effects == [("grant_group", "dev", "ADMIN"), ("revoke_group", "dev")]


@pytest.mark.parametrize("kind", ["users", "groups"])
@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"name": "nope", "permission": "ADMIN"}, 404),
        ({"name": "dev", "permission": "NONSENSE"}, 400),
        ({"permission": "ADMIN"}, 400),
        ({"name": "dev"}, 400),
    ],
)
def test_bad_grants_are_refused(staffed, kind, params, status):
    assert staffed.http.put(f"/admin/permissions/{kind}", params=params).status_code == status
    assert staffed.effects == []


def test_revoking_from_an_unknown_name_is_a_404(staffed):
    for kind in ("users", "groups"):
        assert staffed.http.delete(f"/admin/permissions/{kind}", params={"name": "nope"}).status_code == 404


def test_nobody_grants_more_than_they_have(staffed):
    for kind, name in (("users", "jane"), ("groups", "dev")):
        answer = staffed.ann.put(f"/admin/permissions/{kind}", params={"name": name, "permission": "SYS_ADMIN"})
        assert answer.status_code == 401


def test_nobody_changes_the_grant_of_one_who_outranks_them(staffed):
    staffed.state.grant_group("dev", "SYS_ADMIN")
    demotions = [
        staffed.ann.put("/admin/permissions/users", params={"name": "admin", "permission": "ADMIN"}),
        staffed.ann.delete("/admin/permissions/users", params={"name": "admin"}),
        staffed.ann.put("/admin/permissions/groups", params={"name": "dev", "permission": "ADMIN"}),
        staffed.ann.delete("/admin/permissions/groups", params={"name": "dev"}),
    ]

    assert [answer.status_code for answer in demotions] == [409] * 4
    assert error_of(demotions[0])["exceptionName"] == "com.atlassian.bitbucket.IntegrityException"


def test_nobody_demotes_themselves(staffed):
    assert (
        staffed.ann.put("/admin/permissions/users", params={"name": "ann", "permission": "LICENSED_USER"}).status_code
        == 409
    )
    assert staffed.ann.delete("/admin/permissions/users", params={"name": "ann"}).status_code == 409

    staffed.state.grant_group("dev", "ADMIN")
    staffed.state.join("dev", "ann")
    assert staffed.ann.delete("/admin/permissions/users", params={"name": "ann"}).status_code == 204
    assert staffed.ann.delete("/admin/permissions/groups", params={"name": "dev"}).status_code == 409
    assert (
        staffed.ann.put("/admin/permissions/groups", params={"name": "dev", "permission": "LICENSED_USER"}).status_code
        == 409
    )


@pytest.mark.parametrize("path", ["/admin/permissions/users", "/admin/permissions/groups", "/admin/license"])
def test_these_need_an_administrator(staffed, path):
    assert staffed.client("jane", "secret").get(path).status_code == 401
    assert staffed.ann.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/admin/cluster", "/admin/mail-server"])
def test_these_need_a_system_administrator(launch, path):
    bitbucket = launch(mail_server=True)

    assert bitbucket.account("ann", "ADMIN").get(path).status_code == 401
    assert bitbucket.http.get(path).status_code == 200


def full(launch: Callable[..., Bitbucket]) -> Bitbucket:
    """Two seats, both taken: the administrator and jane; john and the group dev have no access."""
    bitbucket = launch(licence_maximum=2)
    for name in ("jane", "john"):
        bitbucket.state.add_user(name)
    bitbucket.state.add_group("dev")
    bitbucket.state.join("stash-users", "jane")
    return bitbucket


@pytest.mark.parametrize(
    ("method", "path", "extra"),
    [
        (
            "POST",
            "/admin/users",
            {"params": {"name": "x", "emailAddress": "x@y.z", "displayName": "x", "password": "x"}},
        ),
        ("POST", "/admin/groups/add-users", {"json": {"group": "stash-users", "users": ["jane", "john"]}}),
        ("POST", "/admin/users/add-groups", {"json": {"user": "john", "groups": ["dev", "stash-users"]}}),
        ("PUT", "/admin/permissions/users", {"params": {"name": "john", "permission": "LICENSED_USER"}}),
    ],
)
def test_a_full_licence_refuses_another_seat_and_changes_nothing(launch, method, path, extra):
    bitbucket = full(launch)

    assert bitbucket.http.request(method, path, **extra).status_code == 403
    assert bitbucket.effects == []
    assert bitbucket.state.seats == 2


def test_granting_a_group_counts_the_seats_of_all_its_members(launch):
    bitbucket = full(launch)
    bitbucket.state.join("dev", "john")
    granting = {"name": "dev", "permission": "LICENSED_USER"}

    assert bitbucket.http.put("/admin/permissions/groups", params=granting).status_code == 403
    bitbucket.state.leave("stash-users", "jane")
    assert bitbucket.http.put("/admin/permissions/groups", params=granting).status_code == 204


def test_what_takes_no_seat_is_allowed_with_a_full_licence(launch):
    bitbucket = full(launch)
    bitbucket.state.add_user("gone", active=False)

    for users in (["jane"], ["gone"]):
        answer = bitbucket.http.post("/admin/groups/add-users", json={"group": "stash-users", "users": users})
        assert answer.status_code == 200
    no_access = {
        "name": "x",
        "emailAddress": "x@y.z",
        "displayName": "x",
        "password": "x",
        "addToDefaultGroup": "false",
    }
    assert bitbucket.http.post("/admin/users", params=no_access).status_code == 204


def test_a_seat_is_an_active_account_with_a_permission_by_any_path(launch):
    bitbucket = launch(licence_maximum=12)
    bitbucket.state.add_user("jane")
    bitbucket.state.join("stash-users", "jane")
    bitbucket.state.grant_user("jane", "ADMIN")

    def seats() -> int:
        licence = bitbucket.http.get("/admin/license").json()
        assert (licence["maximumNumberOfUsers"], licence["unlimitedNumberOfUsers"]) == (12, False)
        return int(licence["status"]["currentNumberOfUsers"])

    assert seats() == 2
    bitbucket.state.leave("stash-users", "jane")
    assert seats() == 2
    bitbucket.state.grant_user("jane", None)
    assert seats() == 1
    bitbucket.state.join("stash-users", "jane")
    bitbucket.state.set_active("jane", active=False)
    assert seats() == 1


def test_a_licence_may_be_unlimited_or_absent(launch):
    assert launch().http.get("/admin/license").json()["unlimitedNumberOfUsers"] is True
    assert launch(licence_installed=False).http.get("/admin/license").status_code == 404
