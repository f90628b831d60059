"""Rules that several resources share: what must exist, what may be written, what fits into the licence."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.bitbucket import refusals
from sandbox.bitbucket.exchange import Call
from sandbox.bitbucket.model import Group, User


def existing_user(call: Call, name: str) -> User:
    user = call.truth.users.get(name.casefold())
    if user is None:
        raise refusals.no_such_user(name)
    return user


def existing_group(call: Call, name: str) -> Group:
    group = call.truth.groups.get(name.casefold())
    if group is None:
        raise refusals.no_such_group(name)
    return group


def refuse_outranking_user(call: Call, user: User, status: int) -> None:
    if call.is_outranked_by_user(user.key):
        raise refusals.outranked(status)


def refuse_outranking_group(call: Call, group: Group) -> None:
    if call.is_outranked_by_group(group.key):
        raise refusals.outranked()


def refuse_read_only_details(call: Call, user: User) -> None:
    if not user.directory.mutable_details:
        raise refusals.read_only(call.switches.read_only_status, "user", user.name, user.directory.name)


def refuse_read_only_membership(call: Call, group: Group, user: User) -> None:
    if not group.directory.mutable_groups:
        raise refusals.read_only(call.switches.read_only_status, "group", group.name, group.directory.name)
    if not user.directory.mutable_groups:
        raise refusals.read_only(call.switches.read_only_status, "user", user.name, user.directory.name)


def refuse_over_licence(call: Call, users: Iterable[User]) -> None:
    """Refuse when giving these users a licensed permission takes more seats than there are."""
    maximum = call.switches.licence_maximum
    if maximum is None:
        return
    seats = call.truth.seats
    fresh = {user.key for user in users if user.active and user.key not in seats}
    if fresh and len(seats) + len(fresh) > maximum:
        raise refusals.licence_full()
