from __future__ import annotations

import httpx
import pytest

from tests.unit.sandbox.bitbucket.conftest import Bitbucket, error_of

JANE = {"name": "jane", "emailAddress": "jane@example.com", "displayName": "Jane Citizen", "password": "secret"}


def create(bitbucket: Bitbucket, **changes: str | None) -> httpx.Response:
    params = {key: value for key, value in {**JANE, **changes}.items() if value is not None}
    return bitbucket.http.post("/admin/users", params=params)


def test_a_user_is_created_from_the_query_with_a_204_and_no_body(bitbucket):
    answer = create(bitbucket)

    assert (answer.status_code, answer.content) == (204, b"")
    (jane,) = bitbucket.http.get("/admin/users", params={"filter": "jane"}).json()["values"]
    assert jane == {
        "name": "jane",
        "emailAddress": "jane@example.com",
        "active": True,
        "displayName": "Jane Citizen",
        "id": jane["id"],
        "slug": "jane",
        "type": "NORMAL",
        "links": {"self": [{"href": "http://bitbucket.example.test/users/jane"}]},
        "directoryName": "Bitbucket Internal Directory",
        "deletable": True,
        "mutableDetails": True,
        "mutableGroups": True,
    }


@pytest.mark.parametrize(
    ("params", "joined"),
    [({}, True), ({"addToDefaultGroup": "true"}, True), ({"addToDefaultGroup": "false"}, False)],
)
def test_a_new_user_joins_the_default_group_unless_told_otherwise(bitbucket, params, joined):
    create(bitbucket, **params)

    assert bitbucket.state.groups_of("jane") == (["stash-users"] if joined else [])
    assert bitbucket.effects == [("create_user", "jane"), ("join", "stash-users", "jane")][: 1 + joined]


def test_a_misspelt_query_parameter_means_nothing(bitbucket):
    create(bitbucket, addToDefualtGroup="false", email="other@example.com")

    assert bitbucket.state.groups_of("jane") == ["stash-users"]
    assert bitbucket.state.user("jane").email == "jane@example.com"


def test_a_bitbucket_without_default_group_adds_to_none(launch):
    bitbucket = launch(default_group=None)

    assert create(bitbucket).status_code == 204
    assert bitbucket.state.groups_of("jane") == []


@pytest.mark.parametrize("missing", ["name", "emailAddress", "displayName", "password"])
def test_a_missing_parameter_is_a_400_that_names_it(bitbucket, missing):
    answer = create(bitbucket, **{missing: None})

    assert (answer.status_code, error_of(answer)["context"]) == (400, missing)
    assert error_of(answer)["exceptionName"] is None
    assert bitbucket.effects == []


@pytest.mark.parametrize(
    ("changes", "context"),
    [
        ({"emailAddress": "no address"}, "email"),
        ({"emailAddress": "a" * 250 + "@example.com"}, "email"),
        ({"name": "n" * 256}, "name"),
        ({"displayName": "d" * 256}, "displayName"),
    ],
)
def test_values_out_of_bounds_are_a_400_that_names_the_field(bitbucket, changes, context):
    answer = create(bitbucket, **changes)

    assert (answer.status_code, error_of(answer)["context"]) == (400, context)


@pytest.mark.parametrize("name", ["jane", "JANE"])
def test_a_name_that_exists_in_any_case_is_a_409(bitbucket, name):
    create(bitbucket)

    answer = create(bitbucket, name=name)

    assert (answer.status_code, error_of(answer)["exceptionName"]) == (
        409,
        "com.atlassian.bitbucket.IntegrityException",
    )


def test_the_case_of_a_name_is_kept(bitbucket):
    create(bitbucket, name="TestUserName")

    assert bitbucket.state.user("testusername").name == "TestUserName"


def test_a_plus_in_the_query_is_a_space_and_percent_2b_is_a_plus(bitbucket):
    query = "name=a%2Bb&emailAddress=a%2Bb@example.com&displayName=A+B&password=x"
    assert bitbucket.http.post(f"/admin/users?{query}").status_code == 204

    user = bitbucket.state.user("a+b")
    assert (user.email, user.display_name) == ("a+b@example.com", "A B")


@pytest.mark.parametrize("status", [400, 409])
def test_notifying_without_a_mail_server_is_refused(launch, status):
    bitbucket = launch(notify_without_mail_status=status)

    assert create(bitbucket, password=None, notify="true").status_code == status
    assert bitbucket.state.user("jane") is None


def test_notifying_with_a_mail_server_needs_no_password(launch):
    bitbucket = launch(mail_server=True)

    assert create(bitbucket, password=None, notify="true").status_code == 204
    assert bitbucket.http.get("/admin/mail-server").status_code == 200


@pytest.mark.parametrize(("unique", "status"), [(False, 204), (True, 409)])
def test_two_accounts_may_share_an_address_unless_the_switch_forbids_it(launch, unique, status):
    bitbucket = launch(email_unique=unique)
    create(bitbucket)

    assert create(bitbucket, name="john").status_code == status


@pytest.mark.parametrize(("switches", "status"), [({}, 204), ({"password_min_length": 9}, 400)])
def test_a_password_policy_may_refuse(launch, switches, status):
    assert create(launch(**switches)).status_code == status


@pytest.mark.parametrize(("switches", "status"), [({}, 204), ({"forbidden_in_names": "&<>"}, 400)])
def test_characters_may_be_forbidden_in_names(launch, switches, status):
    assert create(launch(**switches), name="a&b").status_code == status


def test_an_update_takes_email_and_answers_emailaddress(bitbucket):
    create(bitbucket)

    answer = bitbucket.http.put(
        "/admin/users", json={"name": "jane", "displayName": "Jane Doe", "email": "doe@example.com"}
    )

    assert answer.status_code == 200
    assert (answer.json()["displayName"], answer.json()["emailAddress"]) == ("Jane Doe", "doe@example.com")
    assert bitbucket.effects[-1] == ("update_user", "jane")


def test_an_update_to_the_same_values_has_no_effect(bitbucket):
    create(bitbucket)
    bitbucket.effects.clear()

    same = {"name": "jane", "displayName": "Jane Citizen", "email": "jane@example.com"}
    assert bitbucket.http.put("/admin/users", json=same).status_code == 200
    assert bitbucket.effects == []


@pytest.mark.parametrize("field", ["emailAddress", "active", "slug"])
def test_an_unknown_field_is_refused_as_jackson_words_it(bitbucket, field):
    create(bitbucket)

    answer = bitbucket.http.put("/admin/users", json={"name": "jane", field: True})

    assert answer.status_code == 400
    assert error_of(answer)["message"].startswith(
        f'Unrecognized field "{field}" (Class com.atlassian.stash.internal.rest.user.json.UserUpdate), not marked'
    )


def test_an_unknown_field_may_be_ignored(launch):
    bitbucket = launch(unknown_field_refused=False)
    create(bitbucket)

    answer = bitbucket.http.put("/admin/users", json={"name": "jane", "displayName": "J", "active": False})

    assert (answer.status_code, answer.json()["displayName"], answer.json()["active"]) == (200, "J", True)


@pytest.mark.parametrize(("partial_update", "email"), [("keeps", "jane@example.com"), ("blanks", "")])
def test_an_absent_field_is_kept_or_blanked(launch, partial_update, email):
    bitbucket = launch(partial_update=partial_update)
    create(bitbucket)

    answer = bitbucket.http.put("/admin/users", json={"name": "jane", "displayName": "J"})

    assert (answer.json()["displayName"], answer.json()["emailAddress"]) == ("J", email)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b'{"name": 5}', 400), (b'{"displayName": "x"}', 400), (b'{"name": "nobody"}', 404)],
)
def test_bad_documents_are_refused(bitbucket, body, status):
    answer = bitbucket.http.put("/admin/users", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == status


def test_a_document_of_another_content_type_is_a_415(bitbucket):
    answer = bitbucket.http.put("/admin/users", content=b"<x/>", headers={"Content-Type": "application/xml"})

    assert (answer.status_code, answer.content) == (415, b"")


def rename(bitbucket: Bitbucket, name: str, new_name: str) -> httpx.Response:
    return bitbucket.http.post("/admin/users/rename", json={"name": name, "newName": new_name})


def test_a_rename_keeps_id_groups_and_grant_and_changes_the_slug(bitbucket):
    create(bitbucket)
    bitbucket.state.grant_user("jane", "PROJECT_CREATE")
    number = bitbucket.state.user("jane").id

    answer = rename(bitbucket, "jane", "doe@example.com")

    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["slug"]) == (number, "doe_example.com")
    assert bitbucket.state.user("jane") is None
    assert bitbucket.state.groups_of("doe@example.com") == ["stash-users"]
    assert bitbucket.state.permission_of("doe@example.com") == "PROJECT_CREATE"
    assert bitbucket.effects[-1] == ("rename_user", "jane", "doe@example.com")


@pytest.mark.parametrize(("choice", "status"), [("accepted", 200), ("conflict", 409)])
def test_a_rename_may_change_the_case_alone(launch, choice, status):
    bitbucket = launch(rename_case_only=choice)
    create(bitbucket)

    assert rename(bitbucket, "jane", "Jane").status_code == status
    assert bitbucket.state.user("jane").name == ("Jane" if status == 200 else "jane")


@pytest.mark.parametrize("status", [409, 400])
def test_a_rename_onto_an_existing_name_is_refused_so_two_names_cannot_be_swapped(launch, status):
    bitbucket = launch(rename_onto_existing_status=status)
    create(bitbucket)
    create(bitbucket, name="john")

    assert rename(bitbucket, "jane", "John").status_code == status
    assert rename(bitbucket, "john", "jane").status_code == status
    assert {name for name in ("jane", "john") if bitbucket.state.user(name)} == {"jane", "john"}


def test_a_freed_name_can_be_taken(bitbucket):
    create(bitbucket)
    rename(bitbucket, "jane", "doe")

    assert create(bitbucket).status_code == 204


@pytest.mark.parametrize(("names", "status"), [(("nobody", "x"), 404), (("jane", ""), 400), (("", "x"), 400)])
def test_a_rename_needs_both_names(bitbucket, names, status):
    create(bitbucket)

    assert rename(bitbucket, *names).status_code == status


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"name": "jane", "password": "new", "passwordConfirm": "new"}, 204),
        ({"name": "jane", "password": "new", "passwordConfirm": "other"}, 400),
        ({"name": "jane", "password": "", "passwordConfirm": ""}, 400),
        ({"name": "nobody", "password": "new", "passwordConfirm": "new"}, 404),
        ({"password": "new", "passwordConfirm": "new"}, 400),
    ],
)
def test_an_administrator_sets_a_password(bitbucket, document, status):
    create(bitbucket)

    assert bitbucket.http.put("/admin/users/credentials", json=document).status_code == status
    accepted = bitbucket.client("jane", "new").get("/users").status_code == 200
    assert accepted is (status == 204)


def test_an_administrator_cannot_touch_a_system_administrator(bitbucket):
    ann = bitbucket.account("ann", "ADMIN")
    answers = {
        "update": ann.put("/admin/users", json={"name": "admin", "displayName": "x"}),
        "rename": ann.post("/admin/users/rename", json={"name": "admin", "newName": "x"}),
        "password": ann.put(
            "/admin/users/credentials", json={"name": "admin", "password": "x", "passwordConfirm": "x"}
        ),
        "delete": ann.delete("/admin/users", params={"name": "admin"}),
        "captcha": ann.delete("/admin/users/captcha", params={"name": "admin"}),
    }

    statuses = {what: answer.status_code for what, answer in answers.items()}
    assert statuses == {"update": 401, "rename": 401, "password": 401, "delete": 403, "captcha": 403}
    assert bitbucket.effects == []


def test_the_slug_and_not_the_name_finds_a_user(bitbucket):
    bitbucket.state.add_user("My.Name@company.fr")

    assert bitbucket.http.get("/users/my.name_company.fr").json()["name"] == "My.Name@company.fr"
    answer = bitbucket.http.get("/users/My.Name@company.fr")
    assert answer.status_code == 404
    assert error_of(answer) == {
        "context": None,
        "message": "User My.Name@company.fr does not exist.",
        "exceptionName": "com.atlassian.bitbucket.user.NoSuchUserException",
    }


def test_slugs_are_unique_and_follow_the_table(launch):
    bitbucket = launch(slug_replacements={"@": "_", " ": "-"}, slug_lower_case=False)
    for name in ("a@b", "a_b", "A B"):
        bitbucket.state.add_user(name)

    assert [bitbucket.state.user(name).slug for name in ("a@b", "a_b", "A B")] == ["a_b", "a_b1", "A-B"]


def test_users_as_others_see_them_lack_what_only_administration_needs(bitbucket):
    (user,) = bitbucket.http.get("/users").json()["values"]

    assert sorted(user) == ["active", "displayName", "emailAddress", "id", "links", "name", "slug", "type"]


@pytest.mark.parametrize("wanted", ["JANE", "citizen", "Example.Com"])
def test_a_filter_looks_in_name_display_name_and_address_whatever_the_case(bitbucket, wanted):
    create(bitbucket)

    for path in ("/admin/users", "/users"):
        found = bitbucket.http.get(path, params={"filter": wanted}).json()["values"]
        assert [user["name"] for user in found] == ["jane"]


def test_users_are_filtered_by_group_and_by_permission(bitbucket):
    for name in ("jane", "john", "ann"):
        bitbucket.state.add_user(name)
    bitbucket.state.join("stash-users", "jane")
    bitbucket.state.grant_user("ann", "ADMIN")

    def names(**params: str) -> list[str]:
        return [user["name"] for user in bitbucket.pages("/users", **params)]

    assert names(group="stash-users") == ["jane"]
    assert names(group="unknown") == []
    assert names(permission="LICENSED_USER") == ["admin", "ann", "jane"]
    assert names(permission="ADMIN") == ["admin", "ann"]
    assert names(**{"permission.1": "LICENSED_USER", "permission.2": "SYS_ADMIN"}) == ["admin"]
    assert names(**{"permission.1": "LICENSED_USER", "permission.3": "SYS_ADMIN"}) == ["admin", "ann", "jane"]
    assert names(permission="LICENSED_USER", group="stash-users", filter="j") == ["jane"]
    assert bitbucket.http.get("/users", params={"permission": "PROJECT_ADMIN"}).status_code == 400


@pytest.mark.parametrize("listed", [True, False])
def test_inactive_users_are_listed_or_not(launch, listed):
    bitbucket = launch(inactive_users_listed=listed)
    bitbucket.state.add_user("jane", active=False)

    names = [user["name"] for user in bitbucket.pages("/admin/users")]
    assert ("jane" in names) is listed
    assert bitbucket.http.get("/users/jane").status_code == (200 if listed else 404)


def test_an_account_changes_only_itself(bitbucket):
    jane = bitbucket.account("jane")

    assert jane.put("/users", json={"displayName": "J", "email": "j@example.com"}).json()["displayName"] == "J"
    wrong = {"oldPassword": "wrong", "password": "new", "passwordConfirm": "new"}
    assert jane.put("/users/credentials", json=wrong).status_code == 400
    assert jane.put("/users/credentials", json={**wrong, "oldPassword": "secret"}).status_code == 204
    assert bitbucket.client("jane", "new").get("/users").status_code == 200
