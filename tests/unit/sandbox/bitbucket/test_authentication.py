from __future__ import annotations

import httpx
import pytest

from tests.unit.sandbox.bitbucket.conftest import Bitbucket, error_of

NOT_PERMITTED = "You are not permitted to access this resource"
AUTHORISATION = "com.atlassian.bitbucket.AuthorisationException"


@pytest.mark.parametrize(
    ("version", "exception_name"),
    [
        ("6.7.0", AUTHORISATION),
        ("8.19.2", AUTHORISATION),
        ("9.0.0", "com.atlassian.plugins.rest.api.security.exception.AuthenticationRequiredException"),
        ("9.4.1", "com.atlassian.plugins.rest.api.security.exception.AuthenticationRequiredException"),
    ],
)
def test_an_anonymous_request_is_a_401_whose_class_depends_on_the_version(launch, version, exception_name):
    answer = launch(version=version).client(None).get("/admin/users")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("OAuth realm=")
    assert error_of(answer) == {"context": None, "message": NOT_PERMITTED, "exceptionName": exception_name}


def test_a_wrong_password_and_an_unknown_name_are_told_alike(bitbucket):
    for client in (bitbucket.client("admin", "wrong"), bitbucket.client("nobody", "x")):
        answer = client.get("/admin/users")
        assert answer.status_code == 401
        assert error_of(answer)["message"] == "Authentication failed. Please check your credentials and try again."
        assert error_of(answer)["exceptionName"].endswith(".IncorrectPasswordAuthenticationException")


def test_the_right_password_without_a_global_permission_has_no_access(bitbucket):
    bitbucket.state.add_user("jane", password="secret")
    jane = bitbucket.client("jane", "secret")

    assert error_of(jane.get("/users"))["exceptionName"].endswith(".NoAccessAuthenticationException")

    bitbucket.state.join("stash-users", "jane")
    assert jane.get("/users").status_code == 200


def test_an_inactive_account_cannot_log_in(bitbucket):
    jane = bitbucket.account("jane")
    bitbucket.state.set_active("jane", active=False)

    assert error_of(jane.get("/users"))["exceptionName"].endswith(".InactiveUserAuthenticationException")


def test_a_missing_permission_is_a_401_and_not_a_403(bitbucket):
    answer = bitbucket.account("jane").post("/admin/groups", params={"name": "dev"})

    assert answer.status_code == 401
    assert error_of(answer) == {"context": None, "message": NOT_PERMITTED, "exceptionName": AUTHORISATION}
    assert bitbucket.effects == []


@pytest.mark.parametrize("path", ["/admin/users", "/admin/groups", "/users", "/groups"])
def test_a_token_of_an_administrator_reads_what_licensed_users_may_read(bitbucket, path):
    bitbucket.state.add_token("admin", "abc")

    assert bitbucket.client(token="abc").get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/admin/permissions/users"), ("POST", "/admin/groups?name=dev"), ("POST", "/admin/users?name=x")],
)
def test_a_token_of_an_administrator_administers_nothing(bitbucket, method, path):
    bitbucket.state.add_token("admin", "abc")

    answer = bitbucket.client(token="abc").request(method, path)

    assert (answer.status_code, error_of(answer)["exceptionName"]) == (401, AUTHORISATION)


def test_an_unknown_token_is_a_401(bitbucket):
    assert bitbucket.client(token="nonsense").get("/users").status_code == 401


def test_five_wrong_passwords_lock_the_account_until_its_captcha_is_reset(bitbucket):
    jane, wrong = bitbucket.account("jane"), bitbucket.client("jane", "wrong")
    for _ in range(5):
        assert wrong.get("/users").status_code == 401

    locked = jane.get("/users")
    assert locked.status_code == 403
    assert error_of(locked)["exceptionName"].endswith(".CaptchaRequiredAuthenticationException")

    assert bitbucket.http.delete("/admin/users/captcha", params={"name": "jane"}).status_code == 204
    assert jane.get("/users").status_code == 200
    assert bitbucket.effects == [("clear_captcha", "jane")]


def test_a_good_login_forgets_the_bad_ones(bitbucket):
    jane, wrong = bitbucket.account("jane"), bitbucket.client("jane", "wrong")
    for _ in range(3):
        for _ in range(4):
            wrong.get("/users")
        assert jane.get("/users").status_code == 200


def test_captcha_can_be_off(launch):
    bitbucket = launch(captcha_after=None)
    for _ in range(9):
        bitbucket.client("admin", "wrong").get("/users")

    assert bitbucket.http.get("/users").status_code == 200


@pytest.mark.parametrize("status", [401, 403])
def test_blocked_basic_authentication_leaves_only_the_accounts_of_the_list(launch, status):
    bitbucket = launch(basic_auth_blocked=True, basic_auth_allowed_users={"admin"}, basic_auth_blocked_status=status)
    answer = bitbucket.account("jane").get("/users")

    assert answer.status_code == status
    assert "Basic Authentication has been disabled" in answer.text
    assert bitbucket.http.get("/users").status_code == 200
    config = bitbucket.http.get(f"{bitbucket.base_url}/rest/basicauth/latest/config").json()
    assert (config["block-requests"], config["allowed-users"]) == (True, ["admin"])


def test_a_login_leaves_its_time_and_none_leaves_none(bitbucket):
    bitbucket.state.add_user("jane")
    by_name = {user["name"]: user for user in bitbucket.http.get("/admin/users").json()["values"]}

    assert by_name["admin"]["lastAuthenticationTimestamp"] == 1_700_000_000_000
    assert "lastAuthenticationTimestamp" not in by_name["jane"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 403),
        ({"Content-Type": "text/plain"}, 403),
        ({"Content-Type": "application/json"}, 200),
        ({"X-Atlassian-Token": "no-check"}, 200),
        ({"X-Atlassian-Token": "nocheck"}, 200),
        ({"X-Atlassian-Token": "maybe"}, 403),
    ],
)
def test_a_write_that_a_form_could_send_needs_the_token_header(bitbucket, headers, status):
    url = f"{bitbucket.base_url}/rest/api/latest/admin/groups"
    answer = httpx.post(url, params={"name": "dev"}, auth=("admin", "admin"), headers=headers)

    assert answer.status_code == status
    if status == 403:
        assert answer.text == "XSRF check failed"
        assert answer.headers["content-type"].startswith("text/plain")
        assert bitbucket.effects == []


def test_a_delete_needs_no_token_header(bitbucket):
    bitbucket.state.add_group("dev")
    url = f"{bitbucket.base_url}/rest/api/latest/admin/groups"

    assert httpx.delete(url, params={"name": "dev"}, auth=("admin", "admin")).status_code == 200


def test_the_xsrf_check_can_be_off_or_answer_otherwise(launch):
    def post(bitbucket: Bitbucket) -> int:
        url = f"{bitbucket.base_url}/rest/api/latest/admin/groups"
        return httpx.post(url, params={"name": "dev"}, auth=("admin", "admin")).status_code

    assert post(launch(xsrf_checked=False)) == 200
    assert post(launch(xsrf_status=404)) == 404


def test_answers_name_the_caller_url_encoded(bitbucket):
    assert bitbucket.account("a@b.c").get("/users").headers["x-ausername"] == "a%40b.c"
