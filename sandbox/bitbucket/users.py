"""`/admin/users`: list, create, update, rename, delete, erase, credentials, CAPTCHA."""

from __future__ import annotations

import hashlib
import re

from sandbox.bitbucket import refusals
from sandbox.bitbucket.bodies import detailed_user, encode
from sandbox.bitbucket.exchange import Call, Reply, Route
from sandbox.bitbucket.listing import users_of
from sandbox.bitbucket.model import Group, Tombstone, User
from sandbox.bitbucket.paging import page
from sandbox.bitbucket.rules import (
    existing_user,
    refuse_outranking_user,
    refuse_over_licence,
    refuse_read_only_details,
)
from sandbox.bitbucket.state import State

LONGEST = 255
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
REST_USER = "com.atlassian.stash.internal.rest.user.json"


def list_users(call: Call) -> Reply:
    state = call.installation.read()
    keys = users_of(call, state, "users", state.user_order)
    return page(call, keys, lambda key: detailed_user(state.users[key], call.switches.base_url))


def create_user(call: Call) -> Reply:
    """204 without a body. Everything travels in the query, parameters that Bitbucket does not know mean nothing."""
    name, email = call.required("name"), call.required("emailAddress")
    display_name = call.required("displayName")
    _check_name(call, "name", name)
    _check_display_name(display_name)
    password = _first_password(call)
    if name.casefold() in call.truth.users:
        raise refusals.conflict(f"The user {name} already exists.")
    _check_email(call, email, owner=name.casefold())
    directory = call.truth.writable_directory()
    if directory is None:
        first = call.truth.directories[0]
        raise refusals.read_only(call.switches.read_only_status, "user", name, first.name)
    buried = call.truth.tombstones.get(name.casefold())
    keeps_id = buried is not None and call.switches.recreated_user_keeps_id
    number = buried.id if buried is not None and keeps_id else call.installation.new_id()
    at = call.installation.clock.now()

    def fresh() -> User:
        return User(number, name, "", display_name, email, directory, password=password)

    group = _default_group(call)
    if group is not None and call.truth.group_permission(group.key) is not None:
        refuse_over_licence(call, [fresh()])
    call.installation.commit(("create_user", name), lambda state: state.put_user(fresh(), at=at))
    if group is not None:
        group_key, key = group.key, name.casefold()
        call.installation.commit(("join", group.name, name), lambda state: state.join(group_key, key))
    return Reply(204)


def _first_password(call: Call) -> str | None:
    if call.param("notify") not in {None, "false"}:
        if not call.switches.mail_server:
            message = "A mail server must be configured before users can be notified."
            status = call.switches.notify_without_mail_status
            raise refusals.conflict(message) if status == 409 else refusals.invalid_argument(message)
        return None
    password = call.param("password")
    _check_password(call, password)
    return password


def _default_group(call: Call) -> Group | None:
    if call.param("addToDefaultGroup") == "false" or call.switches.default_group is None:
        return None
    return call.truth.groups.get(call.switches.default_group.casefold())


def update_user(call: Call) -> Reply:
    update = call.document(f"{REST_USER}.UserUpdate", name=str, displayName=str, email=str)
    if not update["name"]:
        raise refusals.invalid("name", "The name should be between 1 and 255 characters.")
    user = existing_user(call, update["name"])
    refuse_outranking_user(call, user, 401)
    return Reply(200, changed_details(call, user, update["displayName"], update["email"]))


def changed_details(call: Call, user: User, display_name: str | None, email: str | None) -> bytes:
    """Change a user's details; what is absent stays or is blanked, as the switch says."""
    refuse_read_only_details(call, user)
    keeps = call.switches.partial_update == "keeps"
    new_name = display_name if display_name is not None else user.display_name if keeps else ""
    new_email = email if email is not None else user.email if keeps else ""
    if display_name is not None:
        _check_display_name(display_name)
    if email is not None:
        _check_email(call, email, owner=user.key)
    if (new_name, new_email) != (user.display_name, user.email):
        key = user.key
        call.installation.commit(("update_user", user.name), lambda state: state.update_user(key, new_name, new_email))
    return detailed_user(user, call.switches.base_url)


def rename_user(call: Call) -> Reply:
    rename = call.document(f"{REST_USER}.UserRename", name=str, newName=str)
    old, new = rename["name"], rename["newName"]
    if not old or not new:
        raise refusals.invalid("newName" if old else "name", "The name should be between 1 and 255 characters.")
    user = existing_user(call, old)
    refuse_outranking_user(call, user, 401)
    refuse_read_only_details(call, user)
    _check_name(call, "newName", new)
    key, former = user.key, user.name
    taken = new.casefold() in call.truth.users
    only_case = new.casefold() == key
    if taken and (not only_case or call.switches.rename_case_only == "conflict"):
        message = f"The user {new} already exists."
        status = call.switches.rename_onto_existing_status
        raise refusals.conflict(message) if status == 409 else refusals.invalid("newName", message)
    if new != former:
        call.installation.commit(("rename_user", former, new), lambda state: state.rename_user(key, new))
    return Reply(200, detailed_user(user, call.switches.base_url))


def delete_user(call: Call) -> Reply:
    """200 with the user that is gone."""
    user = existing_user(call, call.required("name"))
    if user.key == call.caller.key:
        raise refusals.conflict("You cannot delete your own account.")
    refuse_outranking_user(call, user, 403)
    refuse_read_only_details(call, user)
    body = detailed_user(user, call.switches.base_url)
    key, at = user.key, call.installation.clock.now()
    call.installation.commit(("delete_user", user.name), lambda state: state.delete_user(key, at=at))
    return Reply(200, body)


def set_credentials(call: Call) -> Reply:
    update = call.document(f"{REST_USER}.AdminPasswordUpdate", name=str, password=str, passwordConfirm=str)
    if not update["name"]:
        raise refusals.invalid("name", "The name should be between 1 and 255 characters.")
    user = existing_user(call, update["name"])
    refuse_outranking_user(call, user, 401)
    refuse_read_only_details(call, user)
    set_password(call, user, update["password"], update["passwordConfirm"])
    return Reply(204)


def set_password(call: Call, user: User, password: str | None, confirmation: str | None) -> None:
    _check_password(call, password)
    if password != confirmation:
        raise refusals.invalid("passwordConfirm", "The passwords do not match.")
    key = user.key

    def change(state: State) -> None:
        state.users[key].password = password

    call.installation.commit(("set_password", user.name), change)


def clear_captcha(call: Call) -> Reply:
    user = existing_user(call, call.required("name"))
    refuse_outranking_user(call, user, 403)
    if user.failed_logins:
        key = user.key

        def change(state: State) -> None:
            state.users[key].failed_logins = 0

        call.installation.commit(("clear_captcha", user.name), change)
    return Reply(204)


def check_erasable(call: Call) -> Reply:
    _erasable(call)
    return Reply(204)


def erase_user(call: Call) -> Reply:
    tombstone = _erasable(call)
    key = tombstone.name.casefold()
    identifier = f"user-{hashlib.sha256(key.encode()).hexdigest()[:5]}"
    call.installation.commit(("erase_user", tombstone.name, identifier), lambda state: state.erase(key, identifier))
    return Reply(200, encode({"newIdentifier": identifier}))


def _erasable(call: Call) -> Tombstone:
    name = call.required("name")
    if name.casefold() in call.truth.users:
        raise refusals.conflict(f"The user {name} is not deleted and cannot be erased.")
    tombstone = call.truth.tombstones.get(name.casefold())
    if tombstone is None:
        raise refusals.no_such_user(name)
    return tombstone


def _check_name(call: Call, context: str, name: str) -> None:
    if not 1 <= len(name) <= LONGEST:
        raise refusals.invalid(context, "The name should be between 1 and 255 characters.")
    if forbidden := [character for character in name if character in call.switches.forbidden_in_names]:
        raise refusals.invalid(context, f"The name holds {forbidden[0]!r}, which is not allowed.")


def _check_display_name(display_name: str) -> None:
    if not 1 <= len(display_name) <= LONGEST:
        raise refusals.invalid("displayName", "The display name should be between 1 and 255 characters.")


def _check_email(call: Call, email: str, *, owner: str) -> None:
    if len(email) > LONGEST or not EMAIL.fullmatch(email):
        raise refusals.invalid("email", "The email should be a valid email address.")
    if call.switches.email_unique:
        wanted = email.casefold()
        if any(user.email.casefold() == wanted and key != owner for key, user in call.truth.users.items()):
            raise refusals.conflict(f"The email address {email} is already in use.")


def _check_password(call: Call, password: str | None) -> None:
    if not password:
        raise refusals.invalid("password", "The password is required.")
    if len(password) < call.switches.password_min_length:
        shortest = call.switches.password_min_length
        raise refusals.invalid("password", f"The password should have {shortest} characters or more.")


ROUTES = [
    Route("GET", "/admin/users", "LICENSED_USER", list_users),
    Route("POST", "/admin/users", "ADMIN", create_user),
    Route("PUT", "/admin/users", "ADMIN", update_user),
    Route("DELETE", "/admin/users", "ADMIN", delete_user),
    Route("POST", "/admin/users/rename", "ADMIN", rename_user),
    Route("PUT", "/admin/users/credentials", "ADMIN", set_credentials),
    Route("DELETE", "/admin/users/captcha", "ADMIN", clear_captcha),
    Route("GET", "/admin/users/erasure", "ADMIN", check_erasable),
    Route("POST", "/admin/users/erasure", "ADMIN", erase_user),
]
