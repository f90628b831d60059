"""Whether the effect of a call is there, with the fewest requests.

`filter` finds a substring, in display names and e-mail addresses too, so what comes back is compared here: names
without case, as Bitbucket looks them up, unless case is what was to change.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import singledispatch
from typing import TypeVar

from connectors.targets.bitbucket.api import BitbucketApi
from connectors.targets.bitbucket.refusals import Deed
from connectors.targets.bitbucket.wire import AccountRow, GroupRow, MemberRow, UserGrant
from connectors.targets.bitbucket.writes import Write
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
from directory.errors import NotFound, OperationRefused

__all__ = ["account_named", "group_exists", "is_there"]

NamedRow = TypeVar("NamedRow", AccountRow, MemberRow, GroupRow)


@singledispatch
async def is_there(call: Call, api: BitbucketApi) -> bool:
    """Raises `TargetUnavailable`, `TargetUnreadable` or `CredentialsRefused`."""
    raise TypeError(f"no such call: {call!r} through {api!r}")


@is_there.register
async def _(call: CreateAccount, api: BitbucketApi) -> bool:
    # Somebody else's account of that name is not the one we created: the details decide. A server may trim them.
    row = await account_named(api, call.username)
    if row is None:
        return False
    same_name = (row.display_name or "").strip() == call.display_name.strip()
    return same_name and (row.email_address or "").strip().casefold() == call.email.strip().casefold()


@is_there.register
async def _(call: UpdateAccount, api: BitbucketApi) -> bool:
    row = await account_named(api, call.username)
    return row is not None and (row.display_name, row.email_address) == (call.display_name, call.email)


@is_there.register
async def _(call: RenameAccount, api: BitbucketApi) -> bool:
    row = await account_named(api, call.new_username)
    if row is None or row.name != call.new_username:
        return False
    only_case = call.username.casefold() == call.new_username.casefold()
    return only_case or await account_named(api, call.username) is None


@is_there.register
async def _(call: DeleteAccount, api: BitbucketApi) -> bool:
    return await account_named(api, call.username) is None


@is_there.register
async def _(call: EraseAccount, api: BitbucketApi) -> bool:
    # Bitbucket says of a deleted account that it can be erased, of one that is still there that it cannot, and knows
    # nothing of one whose traces are gone.
    deed = Deed(f"deleted account {call.username}", "it was not looked up")
    try:
        await api.send(Write("GET", "/admin/users/erasure", deed, {"name": call.username}))
    except NotFound:
        return True
    except OperationRefused:
        return False
    return False


@is_there.register
async def _(call: CreateGroup, api: BitbucketApi) -> bool:
    return await group_exists(api, call.group)


@is_there.register
async def _(call: AddMembersToGroup, api: BitbucketApi) -> bool:
    missing = {username.casefold(): username for username in call.usernames}
    deed = Deed(f"group {call.group}", "its members were not read")
    found = api.pages("/admin/groups/more-members", MemberRow, deed, {"context": call.group})
    # A page shows a thousand members, a look-up one. How many pages there are is not known, so as many are turned as
    # looking everybody up would take requests, and who was not on them is looked up: at most twice the fewest.
    most = len(missing) if len(missing) > 1 else 0
    async with aclosing(found) as pages:
        for _ in range(most):
            rows = await anext(pages, None)
            for row in rows or ():
                missing.pop(row.name.casefold(), None)
            if rows is None or not missing:
                return not missing
    for username in missing.values():
        if not await _is_member(api, username, call.group):
            return False
    return True


@is_there.register
async def _(call: AddGroupsToAccount, api: BitbucketApi) -> bool:
    # The description says that this lists users; servers and every client know that it lists the groups of one.
    deed = Deed(f"account {call.username}", "its groups were not read")
    found = api.pages("/admin/users/more-members", GroupRow, deed, {"context": call.username})
    return await _all_named(found, call.groups)


@is_there.register
async def _(call: RemoveMembership, api: BitbucketApi) -> bool:
    return not await _is_member(api, call.username, call.group)


@is_there.register
async def _(call: GrantPermission, api: BitbucketApi) -> bool:
    return await _direct_grant(api, call.username) == call.permission


@is_there.register
async def _(call: RevokePermission, api: BitbucketApi) -> bool:
    return await _direct_grant(api, call.username) is None


@is_there.register(SetPicture)
@is_there.register(ResetPicture)
async def _(_call: SetPicture | ResetPicture, _api: BitbucketApi) -> bool:
    # Bitbucket shows a picture in sizes and encodings of its own: it is sent again, which changes nothing.
    return False


async def account_named(api: BitbucketApi, username: str) -> AccountRow | None:
    """The account of that username, case aside; found by `filter`, since a slug cannot be computed from a name."""
    deed = Deed(f"account {username}", "it was not looked up")
    return await _named(api.pages("/admin/users", AccountRow, deed, {"filter": username}), username)


async def group_exists(api: BitbucketApi, name: str) -> bool:
    deed = Deed(f"group {name}", "it was not looked up")
    return await _named(api.pages("/admin/groups", GroupRow, deed, {"filter": name}), name) is not None


async def _is_member(api: BitbucketApi, username: str, group: str) -> bool:
    deed = Deed(f"group {group}", "its members were not read")
    query = {"context": group, "filter": username}
    return await _named(api.pages("/admin/groups/more-members", MemberRow, deed, query), username) is not None


async def _direct_grant(api: BitbucketApi, username: str) -> str | None:
    deed = Deed(f"account {username}", "its global permissions were not read")
    async with aclosing(api.pages("/admin/permissions/users", UserGrant, deed, {"filter": username})) as pages:
        async for rows in pages:
            for row in rows:
                if row.user.name.casefold() == username.casefold():
                    return row.permission
    return None


async def _named(found: AsyncGenerator[list[NamedRow], None], name: str) -> NamedRow | None:
    wanted = name.casefold()
    async with aclosing(found) as pages:
        async for rows in pages:
            for row in rows:
                if row.name.casefold() == wanted:
                    return row
    return None


async def _all_named(found: AsyncGenerator[list[NamedRow], None], names: Iterable[str]) -> bool:
    missing = {name.casefold() for name in names}
    async with aclosing(found) as pages:
        async for rows in pages:
            missing.difference_update(row.name.casefold() for row in rows)
            if not missing:
                return True
    return not missing
