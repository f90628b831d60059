"""Filtered lists of users and groups: `filter` is a substring and ignores case."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sandbox.bitbucket.exchange import Call
from sandbox.bitbucket.ordering import OrderedKeys
from sandbox.bitbucket.paging import Keys
from sandbox.bitbucket.state import State


def users_of(call: Call, state: State, what: object, keys: OrderedKeys | Callable[[], Iterable[str]]) -> Keys:
    """The users among `keys` whose name, display name or e-mail address holds the filter.

    `what` names the list, so that the work of one page serves the next ones.
    """
    wanted = call.filter()
    users, inactive_too = state.users, call.switches.inactive_users_listed
    if isinstance(keys, OrderedKeys) and not wanted and inactive_too:
        return keys
    source = keys if callable(keys) else lambda: keys
    return state.listed(
        (what, wanted),
        lambda: [key for key in source() if wanted in users[key].searched and (inactive_too or users[key].active)],
    )


def groups_of(call: Call, state: State, what: object, keys: OrderedKeys | Callable[[], Iterable[str]]) -> Keys:
    wanted = call.filter()
    if isinstance(keys, OrderedKeys) and not wanted:
        return keys
    source = keys if callable(keys) else lambda: keys
    return state.listed((what, wanted), lambda: [key for key in source() if wanted in key])
