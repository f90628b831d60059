"""A Bitbucket as it stands: its true state, the view that reads get of it, and direct access for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from sandbox.bitbucket.clock import Clock
from sandbox.bitbucket.journal import Effect, EffectLog
from sandbox.bitbucket.model import Directory, Group, User
from sandbox.bitbucket.state import State
from sandbox.bitbucket.switches import Permission, Switches

Change = Callable[[State], object]


class Installation:
    """Writes change `truth`. Reads see `view`, which is the same state unless the switches make it lag behind.

    The methods that tests call (`add_user`, `join`, ...) change both at once and leave no effect in the log.
    """

    def __init__(self, switches: Switches, clock: Clock) -> None:
        self.switches = switches
        self.clock = clock
        self.truth = State(switches)
        self._view = State(switches) if switches.lagging else self.truth
        self._coming: deque[tuple[float, int, Change]] = deque()
        self._reads = 0
        self._last_id = 0
        self.effects = EffectLog()
        self.tokens: dict[str, str] = {}
        self.avatars: dict[int, bytes] = {}
        """Uploaded pictures by the id of their user."""

    def new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def commit(self, effect: Effect, change: Change) -> None:
        """Apply a change that an accepted request makes."""
        change(self.truth)
        self.effects.append(effect)
        if self._view is not self.truth:
            due = self.clock.now() + self.switches.lag_seconds
            self._coming.append((due, self._reads + self.switches.lag_reads, change))

    def read(self) -> State:
        """The state as this read sees it."""
        self._show_due()
        self._reads += 1
        return self._view

    def _show_due(self) -> None:
        now = self.clock.now()
        while self._coming and self._coming[0][0] <= now and self._coming[0][1] <= self._reads:
            self._coming.popleft()[2](self._view)

    def add_directory(self, directory: Directory, position: int | None = None) -> Directory:
        """Add a directory at a position of the order (0 is first), at the end without one."""
        self._both(lambda state: state.add_directory(directory, position))
        return directory

    def add_user(
        self,
        name: str,
        *,
        display_name: str | None = None,
        email: str | None = None,
        password: str | None = None,
        active: bool = True,
        directory: str | None = None,
        last_authentication_ms: int | None = None,
    ) -> None:
        """Add a user to a directory, the first one of the order without a name given."""
        number, at = self.new_id(), self.clock.now()

        def change(state: State) -> None:
            user = User(
                id=number,
                name=name,
                slug="",
                display_name=name if display_name is None else display_name,
                email=f"{name}@example.test" if email is None else email,
                directory=state.directories[0] if directory is None else state.directory(directory),
                password=password,
                active=active,
                last_authentication_ms=last_authentication_ms,
            )
            state.put_user(user, at=at)

        self._both(change)

    def add_group(self, name: str, *, directory: str | None = None) -> None:
        number = self.new_id()

        def change(state: State) -> None:
            home = state.directories[0] if directory is None else state.directory(directory)
            state.put_group(Group(number, name, home))

        self._both(change)

    def join(self, group: str, user: str) -> None:
        self._both(lambda state: state.join(group.casefold(), user.casefold()))

    def leave(self, group: str, user: str) -> None:
        self._both(lambda state: state.leave(group.casefold(), user.casefold()))

    def nest(self, parent: str, child: str) -> None:
        self._both(lambda state: state.nest(parent.casefold(), child.casefold()))

    def grant_group(self, group: str, permission: Permission | None) -> None:
        self._both(lambda state: state.grant_group(group.casefold(), permission))

    def grant_user(self, user: str, permission: Permission | None) -> None:
        self._both(lambda state: state.grant_user(user.casefold(), permission))

    def set_active(self, user: str, *, active: bool) -> None:
        """What only a directory can do."""
        self._both(lambda state: state.activate(user.casefold(), active))

    def delete_user(self, user: str) -> None:
        at = self.clock.now()
        self._both(lambda state: state.delete_user(user.casefold(), at=at))

    def delete_group(self, group: str) -> None:
        self._both(lambda state: state.delete_group(group.casefold()))

    def add_token(self, user: str, token: str) -> None:
        """An HTTP access token of a user."""
        self.tokens[token] = user.casefold()

    def _both(self, change: Change) -> None:
        change(self.truth)
        if self._view is not self.truth:
            change(self._view)

    def user(self, name: str) -> User | None:
        return self.truth.users.get(name.casefold())

    def members(self, group: str) -> list[str]:
        """The names of a group's direct members, sorted."""
        return sorted(self.truth.users[key].name for key in self.truth.groups[group.casefold()].members)

    def groups_of(self, user: str) -> list[str]:
        return sorted(self.truth.groups[key].name for key in self.truth.users[user.casefold()].groups)

    def permission_of(self, user: str) -> Permission | None:
        return self.truth.permission_of(user.casefold())

    @property
    def seats(self) -> int:
        return len(self.truth.seats)

    def snapshot(self) -> dict[str, Any]:
        """What an administrator would compare: equal snapshots are equal Bitbuckets, but for ids and times."""
        truth = self.truth
        return {
            "users": {
                user.name: {
                    "displayName": user.display_name,
                    "emailAddress": user.email,
                    "active": user.active,
                    "slug": user.slug,
                    "directoryName": user.directory.name,
                }
                for user in sorted(truth.users.values(), key=lambda user: user.name)
            },
            "groups": sorted(group.name for group in truth.groups.values()),
            "memberships": {
                group.name: sorted(truth.users[key].name for key in group.members)
                for group in sorted(truth.groups.values(), key=lambda group: group.name)
            },
            "user_grants": {truth.users[key].name: truth.user_grants[key] for key in sorted(truth.user_grants)},
            "group_grants": {truth.groups[key].name: truth.group_grants[key] for key in sorted(truth.group_grants)},
        }

    def summary(self) -> dict[str, int]:
        truth = self.truth
        return {
            "users": len(truth.users),
            "groups": len(truth.groups),
            "memberships": truth.memberships,
            "user_grants": len(truth.user_grants),
            "group_grants": len(truth.group_grants),
            "seats": len(truth.seats),
            "effects": len(self.effects),
        }
