"""Who is asking, and may they: authentication, CAPTCHA, XSRF protection, global permissions."""

from __future__ import annotations

import base64
import binascii

from sandbox.bitbucket import refusals
from sandbox.bitbucket.exchange import Actor, Call, Needs
from sandbox.bitbucket.model import RANK, User

FORM_TYPES = frozenset({"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
SAME_LOGIN_MS = 60_000


def authenticate(call: Call) -> Actor | None:
    """The account that the credentials belong to, None without credentials.

    Raises 401 for wrong ones, 403 for an account locked by CAPTCHA or where Basic is switched off.
    """
    scheme, _, credentials = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _by_password(call, credentials)
    if scheme.lower() == "bearer":
        return _by_token(call, credentials.strip())
    return None


def _by_password(call: Call, credentials: str) -> Actor:
    try:
        name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise refusals.wrong_password() from None
    switches = call.switches
    if switches.basic_auth_blocked and name not in switches.basic_auth_allowed_users:
        raise refusals.basic_auth_blocked(switches.basic_auth_blocked_status)
    user = call.truth.users.get(name.casefold())
    if user is None:
        raise refusals.wrong_password()
    if switches.captcha_after is not None and user.failed_logins >= switches.captcha_after:
        raise refusals.captcha()
    if user.password is None or password != user.password:
        user.failed_logins += 1
        raise refusals.wrong_password()
    user.failed_logins = 0
    permission = call.truth.permission_of(user.key)
    _refuse_without_access(call, user)
    _note_login(call, user)
    return Actor(user, permission)


def _by_token(call: Call, token: str) -> Actor:
    key = call.installation.tokens.get(token)
    user = None if key is None else call.truth.users.get(key)
    if user is None:
        raise refusals.wrong_password()
    _refuse_without_access(call, user)
    return Actor(user, "LICENSED_USER")


def _refuse_without_access(call: Call, user: User) -> None:
    if not user.active:
        raise refusals.inactive()
    if call.truth.permission_of(user.key) is None:
        raise refusals.unlicensed()


def _note_login(call: Call, user: User) -> None:
    now = call.installation.clock.now_ms()
    if user.last_authentication_ms is None or now - user.last_authentication_ms > SAME_LOGIN_MS:
        user.last_authentication_ms = now
        user.changed()


def check_xsrf(call: Call) -> None:
    """A write that a browser's form could send needs the token header; GET and DELETE only leave a log line."""
    if call.method not in {"POST", "PUT"} or not call.switches.xsrf_checked:
        return
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in FORM_TYPES and call.headers.get("x-atlassian-token", "") not in {"no-check", "nocheck"}:
        raise refusals.xsrf(call.switches.xsrf_status)


def check_permission(call: Call, needs: Needs) -> None:
    if needs == "anonymous":
        return
    if call.actor is None:
        raise refusals.anonymous(call.switches.major)
    if needs != "authenticated" and RANK[call.actor.permission] < RANK[needs]:
        raise refusals.permission_missing()
