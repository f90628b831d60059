"""The requests that carry a call out, as data: what is sent, what success looks like, and what the request is for.

Bitbucket's ways here: accounts and groups are created through the query string, with no body; an update's field is
`email`, and a field that it does not know (`emailAddress`, `active`) makes it refuse the whole request; in
`remove-group` the context is the user and the item the group.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr

from connectors.http.exchange import Params
from connectors.targets.bitbucket.refusals import Deed
from connectors.targets.bitbucket.settings import BitbucketSettings
from directory.call import (
    AddGroupsToAccount,
    AddMembersToGroup,
    Call,
    CreateAccount,
    CreateGroup,
    DeleteAccount,
    EraseAccount,
    GrantPermission,
    RemoveMembership,
    RenameAccount,
    ResetPicture,
    RevokePermission,
    SetPicture,
    UpdateAccount,
)
from directory.errors import AlreadyExists

__all__ = ["PASSWORD_BYTES", "Write", "form_of", "parts_of", "picture_write", "touched", "write_for"]

PASSWORD_BYTES: Final = 32


@dataclass(frozen=True)
class Write:
    """One request that changes something. `path` follows `/rest/api/<version>`."""

    method: str
    path: str
    deed: Deed
    query: Params | None = None
    body: Mapping[str, object] | None = None
    """JSON, before it is encoded."""
    upload: bytes | None = None
    """A PNG for the form field `avatar`."""


def touched(call: Call) -> tuple[str, ...]:
    """The usernames that a call changes, or gives or takes something."""
    if isinstance(call, CreateGroup):
        return ()
    if isinstance(call, AddMembersToGroup):
        return call.usernames
    if isinstance(call, RenameAccount):
        return (call.username, call.new_username)
    return (call.username,)


def parts_of(call: Call, settings: BitbucketSettings) -> list[Call]:
    """The call in pieces of one request each: more than one where members exceed `max_members_per_call`."""
    if isinstance(call, AddMembersToGroup):
        size = settings.max_members_per_call
        names = call.usernames
        return [AddMembersToGroup(call.group, names[start : start + size]) for start in range(0, len(names), size)]
    if isinstance(call, AddGroupsToAccount) and not call.groups:
        return []
    return [call]


def picture_write(call: SetPicture | ResetPicture, slug: str) -> Write:
    """The one request of a call about a picture; its address has the account's slug, which only Bitbucket knows."""
    path = f"/users/{quote(slug, safe='')}/avatar.png"
    if isinstance(call, ResetPicture):
        return Write("DELETE", path, Deed(f"account {call.username}", "its picture was not reset"))
    return Write("POST", path, Deed(f"account {call.username}", "its picture was not set"), upload=call.content)


def form_of(upload: bytes) -> tuple[bytes, str]:
    """An upload as a form with the one field `avatar` (RFC 7578), and the content type with its boundary."""
    # Sixteen random bytes do not come up in a picture by chance.
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="avatar"; filename="avatar.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return head.encode() + upload + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@singledispatch
def write_for(call: Call, settings: BitbucketSettings) -> Write:
    """The one request of a call."""
    raise TypeError(f"no such call: {call!r} under {settings.url}")


@write_for.register
def _(call: CreateAccount, settings: BitbucketSettings) -> Write:
    password = None if settings.notify else _one_time_password()
    query: Params = {
        "name": call.username,
        "displayName": call.display_name,
        "emailAddress": call.email,
        "addToDefaultGroup": settings.add_to_default_group,
        "password": password,
        "notify": settings.notify or None,
    }
    deed = Deed(f"account {call.username}", "the account was not created", conflict=AlreadyExists, secret=password)
    return Write("POST", "/admin/users", deed, query)


@write_for.register
def _(call: UpdateAccount, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"account {call.username}", "its display name and e-mail address were not changed")
    body = {"name": call.username, "displayName": call.display_name, "email": call.email}
    return Write("PUT", "/admin/users", deed, body=body)


@write_for.register
def _(call: RenameAccount, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"account {call.username}", f"it was not renamed to {call.new_username}")
    body = {"name": call.username, "newName": call.new_username}
    return Write("POST", "/admin/users/rename", deed, body=body)


@write_for.register
def _(call: DeleteAccount, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"account {call.username}", "the account was not deleted")
    return Write("DELETE", "/admin/users", deed, {"name": call.username})


@write_for.register
def _(call: EraseAccount, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"deleted account {call.username}", "its traces were not erased")
    return Write("POST", "/admin/users/erasure", deed, {"name": call.username})


@write_for.register
def _(call: CreateGroup, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"group {call.group}", "the group was not created", conflict=AlreadyExists)
    return Write("POST", "/admin/groups", deed, {"name": call.group})


@write_for.register
def _(call: AddMembersToGroup, _settings: BitbucketSettings) -> Write:
    # Whether Bitbucket adds the others when one user is unknown is not documented.
    deed = Deed(f"group {call.group}", f"{_some(call.usernames)} may not have been added to it, in part or all")
    body = {"group": call.group, "users": call.usernames}
    return Write("POST", "/admin/groups/add-users", deed, body=body)


@write_for.register
def _(call: AddGroupsToAccount, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"account {call.username}", f"it may not have been added to {_some(call.groups)}, in part or all")
    body = {"user": call.username, "groups": call.groups}
    return Write("POST", "/admin/users/add-groups", deed, body=body)


@write_for.register
def _(call: RemoveMembership, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"account {call.username}", f"it was not taken out of the group {call.group}")
    body = {"context": call.username, "itemName": call.group}
    return Write("POST", "/admin/users/remove-group", deed, body=body)


@write_for.register
def _(call: GrantPermission, _settings: BitbucketSettings) -> Write:
    needed = call.permission if call.permission == "SYS_ADMIN" else "ADMIN"
    deed = Deed(f"account {call.username}", f"it was not granted {call.permission}", permission=needed)
    query = {"name": call.username, "permission": call.permission}
    return Write("PUT", "/admin/permissions/users", deed, query)


@write_for.register
def _(call: RevokePermission, _settings: BitbucketSettings) -> Write:
    deed = Deed(f"account {call.username}", "its global permissions were not revoked")
    return Write("DELETE", "/admin/permissions/users", deed, {"name": call.username})


def _one_time_password() -> SecretStr:
    # The tail satisfies policies that want every class of character; the 256 bits before it are the password.
    return SecretStr(secrets.token_urlsafe(PASSWORD_BYTES) + "aA1!")


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
