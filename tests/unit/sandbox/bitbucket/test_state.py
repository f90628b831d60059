"""What the state keeps up to date step by step must equal what a recount finds."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.bitbucket import BitbucketSimulator, Switches
from sandbox.bitbucket.model import RANK
from sandbox.bitbucket.state import State

USERS = [f"u{number}" for number in range(5)]
GROUPS = [f"g{number}" for number in range(4)]
PERMISSIONS = [None, "LICENSED_USER", "ADMIN"]
STEPS = st.one_of(
    st.tuples(st.sampled_from(["join", "leave"]), st.sampled_from(GROUPS), st.sampled_from(USERS)),
    st.tuples(st.just("grant_group"), st.sampled_from(GROUPS), st.sampled_from(PERMISSIONS)),
    st.tuples(st.just("grant_user"), st.sampled_from(USERS), st.sampled_from(PERMISSIONS)),
    st.tuples(st.just("nest"), st.sampled_from(GROUPS), st.sampled_from(GROUPS)),
    st.tuples(st.sampled_from(["add_user", "delete_user"]), st.sampled_from(USERS)),
    st.tuples(st.sampled_from(["add_group", "delete_group"]), st.sampled_from(GROUPS)),
    st.tuples(st.just("set_active"), st.sampled_from(USERS), st.booleans()),
)


def recounted_permission(state: State, user: str) -> int:
    """The highest rank, found by walking from the user to every group above."""
    reached, waiting = set[str](), list(state.users[user].groups)
    while waiting:
        group = waiting.pop()
        if group not in reached:
            reached.add(group)
            waiting += [parent for parent, other in state.groups.items() if group in other.children]
    ranks = [RANK[state.group_grants.get(group)] for group in reached]
    return max([RANK[state.user_grants.get(user)], *ranks])


@example([("nest", "g0", "g1"), ("grant_group", "g0", "ADMIN"), ("join", "g1", "u0"), ("delete_group", "g0")])
@given(st.lists(STEPS, max_size=40))
def test_seats_permissions_and_memberships_survive_every_sequence_of_changes(steps: list[tuple[Any, ...]]):
    simulator = BitbucketSimulator(Switches(recreated_user_regains="permissions_and_groups"))
    for name in USERS:
        simulator.state.add_user(name)
    for name in GROUPS:
        simulator.state.add_group(name)
    for step, *arguments in steps:
        name = arguments[0]
        if step.startswith("add_") and name in {**simulator.state.truth.users, **simulator.state.truth.groups}:
            continue
        with contextlib.suppress(KeyError):
            if step == "set_active":
                simulator.state.set_active(name, active=arguments[1])
            else:
                getattr(simulator.state, step)(*arguments)
    state = simulator.state.truth

    for key, user in state.users.items():
        assert RANK[state.permission_of(key)] == recounted_permission(state, key)
        assert (key in state.seats) is (user.active and recounted_permission(state, key) > 0)
        assert user.groups == {group for group in state.groups if key in state.groups[group].members}
    assert state.seats <= state.users.keys()
    assert state.memberships == sum(len(group.members) for group in state.groups.values())
    assert list(state.user_order) == sorted(state.users)
    assert {user.slug: key for key, user in state.users.items()} == state.slugs
    assert state.user_grants.keys() <= state.users.keys()
    assert state.group_grants.keys() <= state.groups.keys()
