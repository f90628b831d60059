"""What Bitbucket's refusals become. The bodies are those seen on servers from 5.x to 10.x."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from connectors.targets.bitbucket.refusals import Deed, exception_names, refusal
from directory.errors import (
    AlreadyExists,
    CredentialsRefused,
    Fatal,
    NotFound,
    OperationRefused,
    SeatsExhausted,
    TargetUnavailable,
    TargetUnreadable,
)

DEED = Deed("account jane", "the account was not created", conflict=AlreadyExists)


def body(message: str | None, exception: str | None, context: str | None = None) -> bytes:
    return json.dumps({"errors": [{"context": context, "message": message, "exceptionName": exception}]}).encode()


@pytest.mark.parametrize(
    ("status", "exception", "words"),
    [
        (401, "com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException", "does not accept the username"),
        (401, "com.atlassian.bitbucket.auth.NoAccessAuthenticationException", "not licensed"),
        (401, "com.atlassian.bitbucket.AuthorisationException", "lacks the global permission ADMIN"),
        (
            401,
            "com.atlassian.plugins.rest.api.security.exception.AuthenticationRequiredException",
            "took no notice of the username",
        ),
        (403, "com.atlassian.bitbucket.auth.CaptchaRequiredAuthenticationException", "wants a CAPTCHA"),
        (401, "com.atlassian.bitbucket.auth.CaptchaRequiredAuthenticationException", "wants a CAPTCHA"),
        (401, "com.example.Unheard", "401"),
    ],
)
def test_a_refused_login_says_which_of_the_ways_it_was_refused(status: int, exception: str, words: str) -> None:
    error = refusal(status, body("You are not permitted", exception), DEED)

    assert isinstance(error, CredentialsRefused)
    assert words in error.what
    assert error.subject == "account jane"
    assert error.not_done is not None
    assert "nothing more was sent" in error.not_done
    assert error.next_step


def test_a_refused_login_without_json_is_a_refused_login_all_the_same() -> None:
    assert isinstance(refusal(401, b"<html>Unauthorized</html>", DEED), CredentialsRefused)


def test_the_missing_permission_is_named() -> None:
    deed = Deed("account jane", "it was not granted SYS_ADMIN", permission="SYS_ADMIN")

    error = refusal(401, body("no", "com.atlassian.bitbucket.AuthorisationException"), deed)

    assert "SYS_ADMIN" in error.what
    assert "SYS_ADMIN" in (error.next_step or "")


def test_a_captcha_says_how_it_is_cleared() -> None:
    error = refusal(403, body("CAPTCHA", "a.CaptchaRequiredAuthenticationException"), DEED)

    assert "Clear CAPTCHA challenge" in (error.next_step or "")


@pytest.mark.parametrize(
    ("message", "exception"),
    [
        ("Adding the user would exceed the license limit.", None),
        ("Not allowed", "com.atlassian.bitbucket.license.LicenseLimitException"),
    ],
)
def test_a_forbidden_change_that_speaks_of_the_licence_means_that_the_seats_are_gone(
    message: str, exception: str | None
) -> None:
    assert type(refusal(403, body(message, exception), DEED)) is SeatsExhausted


def test_another_forbidden_change_is_refused_and_names_both_reasons_it_can_have() -> None:
    error = refusal(403, body("The group outranks you.", None), DEED)

    assert type(error) is OperationRefused
    assert "licence" in (error.next_step or "")
    assert "SYS_ADMIN" in (error.next_step or "")


def test_not_found_keeps_the_name_that_bitbucket_gives_it() -> None:
    error = refusal(404, body("User jane does not exist.", "com.atlassian.bitbucket.user.NoSuchUserException"), DEED)

    assert type(error) is NotFound
    assert "NoSuchUserException" in error.what
    assert "User jane does not exist." in error.what


def test_a_404_without_an_explanation_means_a_wrong_address_and_ends_the_run() -> None:
    error = refusal(404, b"", DEED)

    assert isinstance(error, TargetUnreadable)
    assert "`url`" in (error.next_step or "")


def test_a_conflict_means_what_the_request_says_it_means() -> None:
    conflict = body("already there", "com.atlassian.bitbucket.IntegrityException")

    assert type(refusal(409, conflict, DEED)) is AlreadyExists
    assert type(refusal(409, conflict, Deed("account admin", "it was not deleted"))) is OperationRefused


def test_the_xsrf_check_ends_the_run_and_points_at_the_proxy() -> None:
    error = refusal(403, b"XSRF check failed", DEED)

    assert isinstance(error, Fatal)
    assert "proxy" in (error.next_step or "")


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_means_a_wrong_address(status: int) -> None:
    assert isinstance(refusal(status, b"", DEED), TargetUnreadable)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_stays_busy_is_unavailable(status: int) -> None:
    assert isinstance(refusal(status, b"<html/>", DEED), TargetUnavailable)


def test_a_validation_error_names_its_field() -> None:
    error = refusal(400, body("The email should be a valid email address.", None, context="email"), DEED)

    assert type(error) is OperationRefused
    assert "email: The email should be a valid email address." in error.what


def test_a_password_that_the_server_repeats_is_not_repeated() -> None:
    deed = Deed("account jane", "the account was not created", secret=SecretStr("hunter2-hunter2"))

    error = refusal(400, body("The password hunter2-hunter2 is too weak.", None, context="password"), deed)

    assert "hunter2" not in str(error)
    assert "hunter2" not in repr(error)
    assert "hunter2" not in repr(deed)


def test_exception_names_lose_their_packages() -> None:
    assert exception_names(body("x", "com.atlassian.bitbucket.AuthorisationException")) == ["AuthorisationException"]
    assert exception_names(b"not json") == []
