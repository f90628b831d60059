"""What an answer other than the documented success means.

The statuses are those of the REST description of Bitbucket Data Center 9.4, the exception names those observed on
servers from 5.x to 10.x. Two things the description does not tell: a missing permission is a 401 and not a 403, and a
403 can be a full licence, a target that outranks us, a CAPTCHA or the XSRF check; only names and words tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from pydantic import SecretStr

from connectors.http.redaction import redacted
from connectors.targets.bitbucket.wire import ErrorRow, Errors
from directory.errors import (
    AlreadyExists,
    CredentialsRefused,
    NotFound,
    OperationRefused,
    SeatsExhausted,
    TargetUnavailable,
    TargetUnreadable,
    UsersyncError,
)

__all__ = ["Deed", "PermissionMissing", "exception_names", "is_login_refused", "refusal"]

STOPPED: Final = "nothing more was sent to Bitbucket"

_TOKENS_ARE_NO_ADMINS: Final = (
    "an HTTP access token given as the password never carries administration rights, whoever made it (BSERV-10482)"
)

_LOGIN_REFUSALS: Final = {
    "IncorrectPasswordAuthenticationException": (
        "Bitbucket does not accept the username and password",
        (
            "set the right password, then run `usersync check` once: five failed logins in a row lock the account; "
            + _TOKENS_ARE_NO_ADMINS
        ),
    ),
    "CaptchaRequiredAuthenticationException": (
        "Bitbucket locked the account after too many failed logins and wants a CAPTCHA",
        (
            "find who still uses an old password, or it locks again; then log in once through the browser as this "
            "account and solve the CAPTCHA, or have another administrator choose 'Clear CAPTCHA challenge' at the "
            "account (DELETE /rest/api/latest/admin/users/captcha?name=...)"
        ),
    ),
    "NoAccessAuthenticationException": (
        "the password is right, but the account is not licensed to use Bitbucket",
        "give the account the global permission ADMIN",
    ),
    "AuthenticationRequiredException": (
        "Bitbucket took no notice of the username and password",
        (
            "see whether basic authentication is switched off (Administration, Authentication methods) and put the "
            "account on its allow-list, and whether a proxy drops the Authorization header"
        ),
    ),
    "AuthorisationException": (
        "the account lacks the global permission {permission}",
        "grant {permission} to the account under Administration, Global permissions; " + _TOKENS_ARE_NO_ADMINS,
    ),
}


class PermissionMissing(CredentialsRefused):
    """The password is right, but the account may not do this; a login is not counted as failed."""


@dataclass(frozen=True)
class Deed:
    """What a request was for, in the words of an error."""

    subject: str
    not_done: str
    permission: str = "ADMIN"
    """The global permission without which Bitbucket answers 401."""
    conflict: type[OperationRefused] = OperationRefused
    """What a 409 means."""
    secret: SecretStr | None = None
    """A value that must not be repeated should the server repeat it."""


def is_login_refused(method: str, status: int, body: bytes) -> bool:
    """Whether an answer refuses the login and not the request.

    No read is documented to answer 403, so one that does was stopped at the door: a CAPTCHA, or basic authentication
    that is switched off.
    """
    if status == 403:
        return method == "GET" or any(name in _LOGIN_REFUSALS for name in exception_names(body))
    return status == 401


def refusal(
    status: int, body: bytes, deed: Deed, *, reading: bool = False, hide: Callable[[str], str] = redacted
) -> UsersyncError:
    """The error to raise for an answer that is none of the documented successes; `hide` takes secrets out of it."""
    rows = _error_rows(body)
    names = exception_names(body)
    said = hide(_said(status, rows, deed))
    login = next((_LOGIN_REFUSALS[name] for name in names if name in _LOGIN_REFUSALS), None)
    if is_login_refused("GET" if reading else "", status, body):
        kind = PermissionMissing if "AuthorisationException" in names else CredentialsRefused
        return _login_refused(kind, login, deed, said)
    if status == 403 and b"XSRF" in body:
        return TargetUnreadable(
            "Bitbucket's XSRF check refused the request although X-Atlassian-Token was sent",
            subject=deed.subject,
            not_done=deed.not_done,
            next_step="let the proxy in front of Bitbucket pass the headers X-Atlassian-Token and Content-Type on",
        )
    if status == 404 and not rows:
        return TargetUnreadable(
            "Bitbucket knows no such address (404 without an explanation)",
            subject=deed.subject,
            not_done=deed.not_done,
            next_step="check `url`: it is Bitbucket's address with its context path, and a proxy must pass /rest on",
        )
    if 300 <= status < 400:
        return TargetUnreadable(
            f"Bitbucket's address answers with a redirect ({status})",
            subject=deed.subject,
            not_done=deed.not_done,
            next_step="set `url` to the address that the browser ends up at; a login page in front must let /rest pass",
        )
    if status == 429 or status >= 500:
        return TargetUnavailable(said, subject=deed.subject, not_done=deed.not_done, next_step="run again later")
    return _operation_refused(status, said, names, deed)


def exception_names(body: bytes) -> list[str]:
    """The class names in an error body without their packages, which changed between versions."""
    return [row.exception_name.rpartition(".")[2] for row in _error_rows(body) if row.exception_name]


def _login_refused(
    kind: type[CredentialsRefused], login: tuple[str, str] | None, deed: Deed, said: str
) -> CredentialsRefused:
    what, next_step = login or (
        said,
        "check username, password and the account's global permission ADMIN, and whether basic authentication is "
        "switched off (Administration, Authentication methods); " + _TOKENS_ARE_NO_ADMINS,
    )
    return kind(
        what.format(permission=deed.permission),
        subject=deed.subject,
        not_done=f"{deed.not_done}; {STOPPED}",
        next_step=next_step.format(permission=deed.permission),
    )


def _operation_refused(status: int, said: str, names: list[str], deed: Deed) -> OperationRefused:
    kind: type[OperationRefused] = OperationRefused
    next_step = "see what Bitbucket says, mend it there or leave the person out, and run again"
    if status == 403 and ("licen" in said.lower() or any("licen" in name.lower() for name in names)):
        kind, next_step = SeatsExhausted, "free seats or buy some, then run again"
    elif status == 403:
        next_step = (
            "either the licence has no seat left (see `usersync check`), or the account or group outranks the one that "
            "usersync logs in with: only a SYS_ADMIN may change SYS_ADMINs"
        )
    elif status == 404:
        kind, next_step = NotFound, "somebody removed or renamed it since the plan was made; run again for a new plan"
    elif status == 409:
        kind = deed.conflict
        if kind is AlreadyExists:
            next_step = "somebody created it since the plan was made; run again for a new plan"
    return kind(said, subject=deed.subject, not_done=deed.not_done, next_step=next_step)


def _error_rows(body: bytes) -> list[ErrorRow]:
    try:
        return msgspec.json.decode(body, type=Errors).errors
    except msgspec.MsgspecError:
        return []


def _said(status: int, rows: list[ErrorRow], deed: Deed) -> str:
    texts = [
        (f"{row.context}: " if row.context else "")
        + " ".join(row.message.split())
        + (f" ({row.exception_name.rpartition('.')[2]})" if row.exception_name else "")
        for row in rows
        if row.message
    ]
    text = "; ".join(texts) or "without an explanation"
    if deed.secret:
        text = text.replace(deed.secret.get_secret_value(), "[hidden]")
    return f"Bitbucket answered {status}: {text}" if texts else f"Bitbucket answered {status} {text}"
