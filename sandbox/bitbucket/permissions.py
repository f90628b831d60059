"""`/admin/permissions`: direct global grants of users and groups."""

from __future__ import annotations

from typing import get_args

from sandbox.bitbucket import refusals
from sandbox.bitbucket.bodies import detailed_group, group_grant, plain_user, user_grant
from sandbox.bitbucket.exchange import Call, Reply, Route
from sandbox.bitbucket.listing import groups_of, users_of
from sandbox.bitbucket.model import RANK, Group, User, outranks
from sandbox.bitbucket.paging import page
from sandbox.bitbucket.rules import existing_group, existing_user, refuse_over_licence
from sandbox.bitbucket.switches import Permission


def list_user_grants(call: Call) -> Reply:
    state = call.installation.read()
    grants = state.user_grants
    keys = users_of(call, state, "granted users", lambda: [key for key in state.user_order if key in grants])
    return page(call, keys, lambda key: user_grant(state.users[key], grants[key], call.switches.base_url))


def list_users_without(call: Call) -> Reply:
    state = call.installation.read()
    grants = state.user_grants
    keys = users_of(call, state, "other users", lambda: [key for key in state.user_order if key not in grants])
    return page(call, keys, lambda key: plain_user(state.users[key], call.switches.base_url))


def list_group_grants(call: Call) -> Reply:
    state = call.installation.read()
    grants = state.group_grants
    keys = groups_of(call, state, "granted groups", lambda: [key for key in state.group_order if key in grants])
    return page(call, keys, lambda key: group_grant(state.groups[key], grants[key]))


def list_groups_without(call: Call) -> Reply:
    state = call.installation.read()
    grants = state.group_grants
    keys = groups_of(call, state, "other groups", lambda: [key for key in state.group_order if key not in grants])
    return page(call, keys, lambda key: detailed_group(state.groups[key]))


def grant_users(call: Call) -> Reply:
    """Promote or demote users; 409 when one outranks the caller or is the caller demoted."""
    permission = _wanted_permission(call)
    users = [existing_user(call, name) for name in _names(call)]
    for user in users:
        _refuse_change_of_user(call, user, permission)
    refuse_over_licence(call, users)
    for user in users:
        _set_user_grant(call, user, permission)
    return Reply(204)


def revoke_user(call: Call) -> Reply:
    user = existing_user(call, call.required("name"))
    _refuse_change_of_user(call, user, None)
    _set_user_grant(call, user, None)
    return Reply(204)


def grant_groups(call: Call) -> Reply:
    """Promote or demote groups; the seats of all their members must fit into the licence."""
    permission = _wanted_permission(call)
    groups = [existing_group(call, name) for name in _names(call)]
    for group in groups:
        _refuse_change_of_group(call, group, permission)
    refuse_over_licence(
        call, (call.truth.users[key] for group in groups for key in call.truth.members_below(group.key))
    )
    for group in groups:
        _set_group_grant(call, group, permission)
    return Reply(204)


def revoke_group(call: Call) -> Reply:
    group = existing_group(call, call.required("name"))
    _refuse_change_of_group(call, group, None)
    _set_group_grant(call, group, None)
    return Reply(204)


def _names(call: Call) -> list[str]:
    names = [name for name in call.params("name") if name]
    if not names:
        raise refusals.invalid("name", "name is required.")
    return list(dict.fromkeys(names))


def _wanted_permission(call: Call) -> Permission:
    wanted = call.required("permission")
    for permission in get_args(Permission):
        if wanted == permission:
            if outranks(wanted, call.caller.permission):
                raise refusals.permission_missing()
            granted: Permission = permission
            return granted
    raise refusals.invalid_argument(f"{wanted} is not a global permission.")


def _refuse_change_of_user(call: Call, user: User, permission: Permission | None) -> None:
    actor = call.caller
    if outranks(call.truth.permission_of(user.key), actor.permission):
        raise refusals.conflict(f"The user {user.name} has a higher permission level than you.")
    if user.key == actor.key and outranks(actor.permission, _with_direct_grant(call, user, permission)):
        raise refusals.conflict("The action would lower your own permission level.")


def _with_direct_grant(call: Call, user: User, permission: Permission | None) -> Permission | None:
    truth = call.truth
    through = [truth.group_permission(group) for group in user.groups]
    return max([permission, *through], key=RANK.__getitem__)


def _refuse_change_of_group(call: Call, group: Group, permission: Permission | None) -> None:
    actor, truth = call.caller, call.truth
    if outranks(truth.group_permission(group.key), actor.permission):
        raise refusals.conflict(f"The group {group.name} has a higher permission level than you.")
    if group.key in truth.groups_above(actor.user.groups):
        left = truth.permission_of(actor.key, without_group=group.key)
        if outranks(actor.permission, max(left, permission, key=RANK.__getitem__)):
            raise refusals.conflict("The action would lower your own permission level.")


def _set_user_grant(call: Call, user: User, permission: Permission | None) -> None:
    key = user.key
    if call.truth.user_grants.get(key) == permission:
        return
    effect = ("revoke_user", user.name) if permission is None else ("grant_user", user.name, permission)
    call.installation.commit(effect, lambda state: state.grant_user(key, permission))


def _set_group_grant(call: Call, group: Group, permission: Permission | None) -> None:
    key = group.key
    if call.truth.group_grants.get(key) == permission:
        return
    effect = ("revoke_group", group.name) if permission is None else ("grant_group", group.name, permission)
    call.installation.commit(effect, lambda state: state.grant_group(key, permission))


ROUTES = [
    Route("GET", "/admin/permissions/users", "ADMIN", list_user_grants),
    Route("PUT", "/admin/permissions/users", "ADMIN", grant_users),
    Route("DELETE", "/admin/permissions/users", "ADMIN", revoke_user),
    Route("GET", "/admin/permissions/users/none", "ADMIN", list_users_without),
    Route("GET", "/admin/permissions/groups", "ADMIN", list_group_grants),
    Route("PUT", "/admin/permissions/groups", "ADMIN", grant_groups),
    Route("DELETE", "/admin/permissions/groups", "ADMIN", revoke_group),
    Route("GET", "/admin/permissions/groups/none", "ADMIN", list_groups_without),
]
