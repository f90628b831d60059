"""`/admin/groups`: list, create, delete. Groups have no description and cannot be renamed."""

from __future__ import annotations

from sandbox.bitbucket import refusals
from sandbox.bitbucket.bodies import detailed_group, encode
from sandbox.bitbucket.exchange import Call, Reply, Route
from sandbox.bitbucket.listing import groups_of
from sandbox.bitbucket.model import Group, outranks
from sandbox.bitbucket.paging import page
from sandbox.bitbucket.rules import existing_group, refuse_outranking_group

LONGEST = 255


def list_groups(call: Call) -> Reply:
    state = call.installation.read()
    keys = groups_of(call, state, "groups", state.group_order)
    return page(call, keys, lambda key: detailed_group(state.groups[key]))


def list_group_names(call: Call) -> Reply:
    """`/groups` is a page of strings."""
    state = call.installation.read()
    keys = groups_of(call, state, "groups", state.group_order)
    return page(call, keys, lambda key: encode(state.groups[key].name))


def create_group(call: Call) -> Reply:
    """200 with the group, not 201."""
    name = call.required("name")
    if len(name) > LONGEST:
        raise refusals.invalid("name", "The name should be between 1 and 255 characters.")
    if name.casefold() in call.truth.groups:
        raise refusals.conflict(f"The group {name} already exists.")
    directory = call.truth.writable_directory()
    if directory is None:
        first = call.truth.directories[0]
        raise refusals.read_only(call.switches.read_only_status, "group", name, first.name)
    number = call.installation.new_id()
    call.installation.commit(("create_group", name), lambda state: state.put_group(Group(number, name, directory)))
    return Reply(200, detailed_group(call.truth.groups[name.casefold()]))


def delete_group(call: Call) -> Reply:
    """200 with the group that is gone; its members and permissions go with it."""
    group = existing_group(call, call.required("name"))
    refuse_outranking_group(call, group)
    if not group.deletable:
        raise refusals.read_only(call.switches.read_only_status, "group", group.name, group.directory.name)
    key, actor = group.key, call.caller
    if outranks(actor.permission, call.truth.permission_of(actor.key, without_group=key)):
        raise refusals.conflict(f"Deleting the group {group.name} would lower your own permission level.")
    body = detailed_group(group)
    call.installation.commit(("delete_group", group.name), lambda state: state.delete_group(key))
    return Reply(200, body)


ROUTES = [
    Route("GET", "/admin/groups", "LICENSED_USER", list_groups),
    Route("POST", "/admin/groups", "ADMIN", create_group),
    Route("DELETE", "/admin/groups", "ADMIN", delete_group),
    Route("GET", "/groups", "LICENSED_USER", list_group_names),
]
