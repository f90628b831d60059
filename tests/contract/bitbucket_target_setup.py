"""A simulated Bitbucket on a loopback port and the target that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import polars as pl
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.contract import ReadScope
from connectors.http.retry import RetryPolicy
from connectors.targets.bitbucket import BitbucketSettings, BitbucketTarget
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
    RevokePermission,
    UpdateAccount,
)
from directory.snapshot import TargetSnapshot
from sandbox.bitbucket import BitbucketSimulator, Switches
from sandbox.serving import served

PASSWORD_VARIABLE: Final = "BITBUCKET_PASSWORD_OF_THE_TESTS"
PASSWORD: Final = "the-admin-password-of-the-tests"

EVERY_READ: Final = ReadScope()


class Pair(NamedTuple):
    simulator: BitbucketSimulator
    target: BitbucketTarget
    url: str


FAST: Final = RetryPolicy(first_delay=0.01, longest_delay=0.02)
"""For tests: waits that nobody has to wait for, unless the server names a time."""


@asynccontextmanager
async def bitbucket(
    switches: Switches | None = None, wrap: Callable[[ASGIApp], ASGIApp] | None = None, **settings: Any
) -> AsyncIterator[Pair]:
    """The account `admin` of the simulator is a SYS_ADMIN; `PASSWORD_VARIABLE` must be set.

    `wrap` puts an application before the simulator's.
    """
    simulator = BitbucketSimulator(switches or Switches(), admin=("admin", PASSWORD))
    with served(wrap(simulator.app) if wrap else simulator.app) as url:
        target = target_for(url, **settings)
        try:
            yield Pair(simulator, target, url)
        finally:
            await target.close()


def target_for(url: str, *, retry: RetryPolicy = FAST, **settings: Any) -> BitbucketTarget:
    given = {"username": "admin", "password": f"env:{PASSWORD_VARIABLE}", "read_back_seconds": 0.0, **settings}
    return BitbucketTarget(BitbucketSettings(url=url, **given), retry=retry)


def settled(simulator: BitbucketSimulator) -> None:
    """For every kind of call: `jane` and `joe` exist, jane is in devs and ops, `former` is deleted."""
    for name in ("jane", "joe", "mary", "admin2"):
        simulator.state.add_user(name, display_name=name.title(), email=f"{name}@example.test")
    for name in ("devs", "ops", "empty"):
        simulator.state.add_group(name)
    for group in ("devs", "ops"):
        simulator.state.join(group, "jane")
    simulator.state.grant_user("mary", "LICENSED_USER")
    simulator.state.add_user("former")
    simulator.state.delete_user("former")


class Case(NamedTuple):
    """A call after `settled`, and how the simulator's own state shows that it took effect, exactly once."""

    call: Call
    effective: Callable[[BitbucketSimulator], bool]


def _named(simulator: BitbucketSimulator, name: str, display_name: str, email: str) -> bool:
    user = simulator.state.user(name)
    return user is not None and (user.display_name, user.email) == (display_name, email)


CASES: Final = {
    "create account": Case(
        CreateAccount("new.person", "New Person", "new@example.test"),
        lambda simulator: _named(simulator, "new.person", "New Person", "new@example.test"),
    ),
    "update account": Case(
        UpdateAccount("jane", "Jane Married", "jane.married@example.test"),
        lambda simulator: _named(simulator, "jane", "Jane Married", "jane.married@example.test"),
    ),
    "rename account": Case(
        RenameAccount("jane", "jane.married"),
        lambda simulator: simulator.state.user("jane") is None and simulator.state.user("jane.married") is not None,
    ),
    "delete account": Case(DeleteAccount("joe"), lambda simulator: simulator.state.user("joe") is None),
    "erase account": Case(EraseAccount("former"), lambda simulator: "former" not in simulator.state.truth.tombstones),
    "create group": Case(CreateGroup("new group"), lambda simulator: "new group" in simulator.state.truth.groups),
    "add members": Case(
        AddMembersToGroup("empty", ("jane", "joe")),
        lambda simulator: sorted(simulator.state.members("empty")) == ["jane", "joe"],
    ),
    "add many members": Case(
        AddMembersToGroup("empty", ("jane", "joe", "mary", "admin2")),
        lambda simulator: sorted(simulator.state.members("empty")) == ["admin2", "jane", "joe", "mary"],
    ),
    "add groups": Case(
        AddGroupsToAccount("joe", ("devs", "empty")),
        lambda simulator: sorted(simulator.state.groups_of("joe")) == ["devs", "empty"],
    ),
    "remove membership": Case(
        RemoveMembership("jane", "devs"), lambda simulator: simulator.state.groups_of("jane") == ["ops"]
    ),
    "grant permission": Case(
        GrantPermission("jane", "LICENSED_USER"),
        lambda simulator: simulator.state.permission_of("jane") == "LICENSED_USER",
    ),
    "revoke permission": Case(
        RevokePermission("mary"), lambda simulator: simulator.state.permission_of("mary") is None
    ),
}


def members_of(snapshot: TargetSnapshot, group: str) -> list[str]:
    """Usernames of a group's members, sorted."""
    rows = snapshot.memberships.filter(pl.col("group") == group).join(snapshot.accounts, on="account_id")
    return sorted(rows["username"].to_list())


class Interrupted:
    """Calls `hook` with method and path before each request reaches the simulator."""

    def __init__(self, app: ASGIApp, hook: Callable[[str, str], None]) -> None:
        self._app = app
        self._hook = hook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            query = scope["query_string"].decode()
            self._hook(scope["method"], f"{scope['path']}?{query}" if query else scope["path"])
        await self._app(scope, receive, send)
