"""Who is in which group: the bulk and the deprecated single calls, and the four lists."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.bitbucket import refusals
from sandbox.bitbucket.bodies import detailed_group, detailed_user
from sandbox.bitbucket.exchange import Call, Reply, Route
from sandbox.bitbucket.listing import groups_of, users_of
from sandbox.bitbucket.model import Group, User, outranks
from sandbox.bitbucket.ordering import OrderedKeys
from sandbox.bitbucket.paging import page
from sandbox.bitbucket.rules import (
    existing_group,
    existing_user,
    refuse_outranking_group,
    refuse_over_licence,
    refuse_read_only_membership,
)

ADMIN_REST = "com.atlassian.stash.internal.rest.admin"
NOBODY = OrderedKeys()


def add_users_to_group(call: Call) -> Reply:
    """One group, many users."""
    document = call.document(f"{ADMIN_REST}.GroupAndUsers", group=str, users=list)
    names = _names(call, "users", document["users"])
    group = existing_group(call, _named(document, "group"))
    return _add(call, ((group, name) for name in names))


def add_groups_to_user(call: Call) -> Reply:
    """One user, many groups."""
    document = call.document(f"{ADMIN_REST}.UserAndGroups", user=str, groups=list)
    names = _names(call, "groups", document["groups"])
    user = existing_user(call, _named(document, "user"))
    return _add(call, ((name, user) for name in names))


def _add(call: Call, pairs: Iterable[tuple[Group | str, User | str]]) -> Reply:
    """Judge all pairs before the first one takes effect, unless the switch makes an unknown name come too late."""
    judged: list[tuple[Group, User]] = []
    try:
        for group_or_name, user_or_name in pairs:
            group = existing_group(call, group_or_name) if isinstance(group_or_name, str) else group_or_name
            user = existing_user(call, user_or_name) if isinstance(user_or_name, str) else user_or_name
            judged.append((group, user))
    except refusals.Refusal:
        if call.switches.unknown_member == "partial":
            _add_judged(call, judged)
        raise
    _add_judged(call, judged)
    return Reply(200)


def _add_judged(call: Call, pairs: list[tuple[Group, User]]) -> None:
    for group in {id(group): group for group, _ in pairs}.values():
        refuse_outranking_group(call, group)
    for group, user in pairs:
        refuse_read_only_membership(call, group, user)
        if call.switches.already_member == "conflict" and user.key in group.members:
            raise refusals.conflict(f"The user {user.name} is already a member of the group {group.name}.")
    licensed = {group.key for group, _ in pairs if call.truth.group_permission(group.key) is not None}
    refuse_over_licence(call, (user for group, user in pairs if group.key in licensed))
    for group, user in pairs:
        if user.key not in group.members:
            _join(call, group.key, group.name, user.key, user.name)


def _join(call: Call, group_key: str, group: str, user_key: str, user: str) -> None:
    call.installation.commit(("join", group, user), lambda state: state.join(group_key, user_key))


def add_user_to_group(call: Call) -> Reply:
    """Deprecated; the context is the group."""
    document = call.document(f"{ADMIN_REST}.UserPickerContext", context=str, itemName=str)
    group, user = existing_group(call, _named(document, "context")), existing_user(call, _named(document, "itemName"))
    return _add(call, [(group, user)])


def add_group_to_user(call: Call) -> Reply:
    """Deprecated; the context is the user."""
    document = call.document(f"{ADMIN_REST}.GroupPickerContext", context=str, itemName=str)
    user, group = existing_user(call, _named(document, "context")), existing_group(call, _named(document, "itemName"))
    return _add(call, [(group, user)])


def remove_user_from_group(call: Call) -> Reply:
    """The context is the group."""
    document = call.document(f"{ADMIN_REST}.UserPickerContext", context=str, itemName=str)
    group, user = existing_group(call, _named(document, "context")), existing_user(call, _named(document, "itemName"))
    return _remove(call, group, user)


def remove_group_from_user(call: Call) -> Reply:
    """The context is the user."""
    document = call.document(f"{ADMIN_REST}.GroupPickerContext", context=str, itemName=str)
    user, group = existing_user(call, _named(document, "context")), existing_group(call, _named(document, "itemName"))
    return _remove(call, group, user)


def _remove(call: Call, group: Group, user: User) -> Reply:
    if user.key not in group.members:
        raise refusals.not_a_member(group.name, user.name)
    refuse_outranking_group(call, group)
    refuse_read_only_membership(call, group, user)
    actor, group_key, user_key = call.caller, group.key, user.key
    demotes_caller = user_key == actor.key and outranks(
        actor.permission, call.truth.permission_of(user_key, without_group=group_key)
    )
    if demotes_caller and call.switches.own_demotion_by_leaving == "conflict":
        raise refusals.conflict(f"Leaving the group {group.name} would lower your own permission level.")
    call.installation.commit(("leave", group.name, user.name), lambda state: state.leave(group_key, user_key))
    return Reply(200)


def members_of_group(call: Call) -> Reply:
    """An unknown group is an empty page, not a 404 (recorded)."""
    state, key = call.installation.read(), call.required("context").casefold()
    group = state.groups.get(key)
    members: OrderedKeys = NOBODY if group is None else group.members
    if group is not None and group.children and call.switches.nested_members:
        everyone = state.members_below(key)
        keys = users_of(call, state, ("all members", key), lambda: [k for k in state.user_order if k in everyone])
    else:
        keys = users_of(call, state, ("members", key), members)
    return page(call, keys, lambda k: detailed_user(state.users[k], call.switches.base_url))


def others_than_of_group(call: Call) -> Reply:
    state, key = call.installation.read(), call.required("context").casefold()
    group = state.groups.get(key)
    members: OrderedKeys = NOBODY if group is None else group.members
    keys = users_of(call, state, ("non-members", key), lambda: [k for k in state.user_order if k not in members])
    return page(call, keys, lambda k: detailed_user(state.users[k], call.switches.base_url))


def groups_of_user(call: Call) -> Reply:
    """Despite its description this lists groups; an unknown user is an empty page (recorded)."""
    return _groups(call, inside=True)


def groups_without_user(call: Call) -> Reply:
    return _groups(call, inside=False)


def _groups(call: Call, *, inside: bool) -> Reply:
    state, key = call.installation.read(), call.required("context").casefold()
    user = state.users.get(key)
    own: set[str] = set() if user is None else user.groups
    keys = groups_of(
        call, state, ("groups of", key, inside), lambda: [k for k in state.group_order if (k in own) is inside]
    )
    return page(call, keys, lambda k: detailed_group(state.groups[k]))


def _named(document: dict[str, object], field: str) -> str:
    name = document[field]
    if not isinstance(name, str) or not name:
        raise refusals.invalid(field, f"{field} is required.")
    return name


def _names(call: Call, field: str, names: list[object] | None) -> list[str]:
    """The names without repetitions, in their order: the list is a set to Bitbucket."""
    if names is None or not all(isinstance(name, str) for name in names):
        raise refusals.invalid(field, f"{field} must be a list of names.")
    if not names and call.switches.empty_list == "refused":
        raise refusals.invalid(field, f"{field} must not be empty.")
    return list(dict.fromkeys(str(name) for name in names))


ROUTES = [
    Route("POST", "/admin/groups/add-users", "ADMIN", add_users_to_group),
    Route("POST", "/admin/groups/add-user", "ADMIN", add_user_to_group),
    Route("POST", "/admin/groups/remove-user", "ADMIN", remove_user_from_group),
    Route("GET", "/admin/groups/more-members", "LICENSED_USER", members_of_group),
    Route("GET", "/admin/groups/more-non-members", "LICENSED_USER", others_than_of_group),
    Route("POST", "/admin/users/add-groups", "ADMIN", add_groups_to_user),
    Route("POST", "/admin/users/add-group", "ADMIN", add_group_to_user),
    Route("POST", "/admin/users/remove-group", "ADMIN", remove_group_from_user),
    Route("GET", "/admin/users/more-members", "LICENSED_USER", groups_of_user),
    Route("GET", "/admin/users/more-non-members", "LICENSED_USER", groups_without_user),
]
