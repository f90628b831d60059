"""The refusals of Bitbucket: a status, and a body that names a Java class.

Statuses and texts marked as recorded come from real servers; the others follow the wording of the API description.
"""

from __future__ import annotations

import msgspec

NOT_PERMITTED = "You are not permitted to access this resource"
AUTHORISATION = "com.atlassian.bitbucket.AuthorisationException"
ANONYMOUS_FROM_9 = "com.atlassian.plugins.rest.api.security.exception.AuthenticationRequiredException"
INCORRECT_PASSWORD = "com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException"  # noqa: S105 - a class
NO_ACCESS = "com.atlassian.bitbucket.auth.NoAccessAuthenticationException"
INACTIVE = "com.atlassian.bitbucket.auth.InactiveUserAuthenticationException"
CAPTCHA = "com.atlassian.bitbucket.auth.CaptchaRequiredAuthenticationException"
NO_SUCH_USER = "com.atlassian.bitbucket.user.NoSuchUserException"
NO_SUCH_ENTITY = "com.atlassian.bitbucket.NoSuchEntityException"
INVALID_ARGUMENT = "com.atlassian.bitbucket.validation.ArgumentValidationException"
INTEGRITY = "com.atlassian.bitbucket.IntegrityException"
LICENCE_LIMIT = "com.atlassian.bitbucket.license.LicenseLimitException"


class Refusal(Exception):
    """Raised by a rule, answered as the JSON error body; `raw` replaces that body where Bitbucket sends another."""

    def __init__(
        self,
        status: int,
        message: str = "",
        exception_name: str | None = None,
        *,
        context: str | None = None,
        raw: tuple[bytes, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.raw = raw
        self._error = {"context": context, "message": message, "exceptionName": exception_name}

    def body(self) -> bytes:
        return msgspec.json.encode({"errors": [self._error]})


def anonymous(major: int) -> Refusal:
    """Recorded on 9.x and 10.x; older servers use the class of a missing permission."""
    return Refusal(401, NOT_PERMITTED, ANONYMOUS_FROM_9 if major >= 9 else AUTHORISATION)


def wrong_password() -> Refusal:
    """Recorded."""
    return Refusal(401, "Authentication failed. Please check your credentials and try again.", INCORRECT_PASSWORD)


def unlicensed() -> Refusal:
    """Recorded: the right password of an account without any global permission."""
    text = "You are not currently licensed to use Bitbucket.\nPlease contact your administrator to resolve this issue."
    return Refusal(401, text, NO_ACCESS)


def inactive() -> Refusal:
    return Refusal(401, "Your account is inactive. Please contact your administrator.", INACTIVE)


def captcha() -> Refusal:
    text = "CAPTCHA required. Your Bitbucket account has been locked. Log in with a browser to unlock it."
    return Refusal(403, text, CAPTCHA)


def basic_auth_blocked(status: int) -> Refusal:
    """The body of Atlassian's own plugin, as recorded on a sister product."""
    body = b'{"message":"Basic Authentication has been disabled on this instance."}'
    return Refusal(status, raw=(body, "application/json"))


def xsrf(status: int) -> Refusal:
    return Refusal(status, raw=(b"XSRF check failed", "text/plain;charset=UTF-8"))


def permission_missing() -> Refusal:
    """Recorded: 401 and not 403."""
    return Refusal(401, NOT_PERMITTED, AUTHORISATION)


def outranked(status: int = 403) -> Refusal:
    return Refusal(status, NOT_PERMITTED, AUTHORISATION)


def no_such_user(name: str) -> Refusal:
    """Recorded."""
    return Refusal(404, f"User {name} does not exist.", NO_SUCH_USER)


def no_such_group(name: str) -> Refusal:
    return Refusal(404, f"Group {name} does not exist.", NO_SUCH_ENTITY)


def not_a_member(group: str, user: str) -> Refusal:
    return Refusal(404, f"User {user} is not a member of group {group}.", NO_SUCH_ENTITY)


def invalid(context: str | None, message: str) -> Refusal:
    """A bean validation error: the field is the context, and no class is named."""
    return Refusal(400, message, context=context)


def invalid_argument(message: str) -> Refusal:
    return Refusal(400, message, INVALID_ARGUMENT)


def conflict(message: str) -> Refusal:
    return Refusal(409, message, INTEGRITY)


def licence_full() -> Refusal:
    return Refusal(403, "The action would exceed the number of users that the license allows.", LICENCE_LIMIT)


def read_only(status: int, kind: str, name: str, directory: str) -> Refusal:
    text = f"Cannot update {kind} '{name}' because directory '{directory}' does not allow updates."
    return Refusal(status, text, AUTHORISATION if status in {401, 403} else INTEGRITY if status == 409 else None)
