"""The state of one Bitbucket, and its only mutations.

Nothing is judged here: rules stand with the resources. Users and groups are indexed by casefolded name, members by
group and groups by user, so neither a page nor a membership costs a scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sandbox.bitbucket.model import RANK, Directory, Group, Tombstone, User
from sandbox.bitbucket.ordering import OrderedKeys, Ranking
from sandbox.bitbucket.switches import Permission, Switches

DAY_SECONDS = 86_400.0


class State:
    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.directories: list[Directory] = [Directory()]
        self.users: dict[str, User] = {}
        self.shadowed: dict[str, list[User]] = {}
        self.slugs: dict[str, str] = {}
        self.groups: dict[str, Group] = {}
        self.tombstones: dict[str, Tombstone] = {}
        self.user_grants: dict[str, Permission] = {}
        self.group_grants: dict[str, Permission] = {}
        self.seats: set[str] = set()
        self.user_order = OrderedKeys()
        self.group_order = OrderedKeys()
        self.memberships = 0
        self._rank = Ranking(switches.order, switches.order_seed)
        self._nested = False
        self._listed: dict[object, list[str]] = {}

    # A list that a filter made is kept until the next mutation: its other pages come for nothing.
    def listed(self, what: object, make: Callable[[], Iterable[str]]) -> list[str]:
        if what not in self._listed:
            self._listed[what] = list(make())
        return self._listed[what]

    def _mutated(self) -> None:
        self._listed.clear()

    def add_directory(self, directory: Directory, position: int | None) -> None:
        self.directories.insert(len(self.directories) if position is None else position, directory)
        self._mutated()

    def directory(self, name: str) -> Directory:
        return next(directory for directory in self.directories if directory.name == name)

    def writable_directory(self) -> Directory | None:
        return next((directory for directory in self.directories if directory.mutable_details), None)

    def put_user(self, user: User, *, at: float) -> None:
        """Add a user; one of the same name in an earlier directory hides it, one in a later directory is hidden."""
        self._mutated()
        visible = self.users.get(user.key)
        if visible is not None and self._place(visible) <= self._place(user):
            self.shadowed.setdefault(user.key, []).append(user)
            return
        if visible is not None:
            groups = self._hide(visible)
            self.shadowed.setdefault(user.key, []).append(visible)
            self._show(user)
            for group in groups:
                self.join(group, user.key)
            return
        self._show(user)
        self._regain(user, at)

    def _place(self, user: User) -> int:
        return next(number for number, directory in enumerate(self.directories) if directory is user.directory)

    def _show(self, user: User) -> None:
        user.slug = self._free_slug(user.name)
        self.slugs[user.slug] = user.key
        self.users[user.key] = user
        self.user_order.add(user.key, self._rank(user.key, user.id))
        user.changed()
        self._reseat(user.key)

    def _hide(self, user: User) -> frozenset[str]:
        """Take a user out of everything; returns the groups that it was in."""
        groups = frozenset(user.groups)
        for group in groups:
            self.leave(group, user.key)
        del self.users[user.key]
        del self.slugs[user.slug]
        self.user_order.discard(user.key)
        self.seats.discard(user.key)
        return groups

    def _free_slug(self, name: str) -> str:
        slug = name.lower() if self.switches.slug_lower_case else name
        for character, replacement in self.switches.slug_replacements.items():
            slug = slug.replace(character, replacement)
        free, number = slug, 0
        while free in self.slugs:
            number += 1
            free = f"{slug}{number}"
        return free

    def _regain(self, user: User, at: float) -> None:
        tombstone = self.tombstones.pop(user.key, None)
        if tombstone is None or at - tombstone.deleted_at > self.switches.tombstone_days * DAY_SECONDS:
            return
        if self.switches.recreated_user_regains != "nothing" and tombstone.permission is not None:
            self.grant_user(user.key, tombstone.permission)
        if self.switches.recreated_user_regains == "permissions_and_groups":
            for group in tombstone.groups:
                if group in self.groups:
                    self.join(group, user.key)

    def update_user(self, key: str, display_name: str, email: str) -> None:
        user = self.users[key]
        user.display_name, user.email = display_name, email
        user.changed()
        self._mutated()

    def rename_user(self, key: str, new_name: str) -> None:
        self._mutated()
        user = self.users[key]
        buried = self.tombstones.pop(new_name.casefold(), None)
        if buried is not None:
            buried.name = f"{buried.name}_ar"
            self.tombstones[buried.name.casefold()] = buried
        permission = self.user_grants.pop(key, None)
        groups = self._hide(user)
        user.name = new_name
        self._show(user)
        for group in groups:
            self.join(group, user.key)
        self.grant_user(user.key, permission)

    def delete_user(self, key: str, *, at: float) -> None:
        self._mutated()
        user = self.users[key]
        permission = self.user_grants.pop(key, None)
        groups = self._hide(user)
        hidden = self.shadowed.get(key, [])
        if hidden:
            successor = min(hidden, key=self._place)
            hidden.remove(successor)
            self._show(successor)
        else:
            self.tombstones[key] = Tombstone(user.id, user.name, at, groups, permission)

    def erase(self, key: str, identifier: str) -> None:
        tombstone = self.tombstones.pop(key)
        self.tombstones[identifier] = Tombstone(tombstone.id, identifier, float("-inf"), frozenset(), None)
        self._mutated()

    def activate(self, key: str, active: bool) -> None:  # noqa: FBT001 - as the directory says
        self.users[key].active = active
        self.users[key].changed()
        self._reseat(key)
        self._mutated()

    def put_group(self, group: Group) -> None:
        self.groups[group.key] = group
        self.group_order.add(group.key, self._rank(group.key, group.number))
        self._mutated()

    def delete_group(self, key: str) -> None:
        group = self.groups[key]
        affected = self.members_below(key)
        for member in list(group.members):
            self.leave(key, member)
        for parent in group.parents:
            self.groups[parent].children.discard(key)
        for child in group.children:
            self.groups[child].parents.discard(key)
        self.group_grants.pop(key, None)
        del self.groups[key]
        self.group_order.discard(key)
        self._reseat(*affected)
        self._mutated()

    def join(self, group_key: str, user_key: str) -> bool:
        """Whether the user was not yet a direct member."""
        user = self.users[user_key]
        if not self.groups[group_key].members.add(user_key, self._rank(user_key, user.id)):
            return False
        user.groups.add(group_key)
        self.memberships += 1
        self._reseat(user_key)
        self._mutated()
        return True

    def leave(self, group_key: str, user_key: str) -> bool:
        """Whether the user was a direct member."""
        if not self.groups[group_key].members.discard(user_key):
            return False
        self.users[user_key].groups.discard(group_key)
        self.memberships -= 1
        self._reseat(user_key)
        self._mutated()
        return True

    def nest(self, parent: str, child: str) -> None:
        above, below = self.groups[parent], self.groups[child]
        above.children.add(child)
        below.parents.add(parent)
        self._nested = True
        self._reseat(*self.users)
        self._mutated()

    def groups_above(self, keys: Iterable[str]) -> set[str]:
        """The groups, and those that they are nested in, at any depth."""
        return self._closure(keys, lambda group: group.parents)

    def members_below(self, key: str) -> set[str]:
        """The members of a group and of those nested in it, at any depth."""
        return {member for group in self._closure([key], lambda g: g.children) for member in self.groups[group].members}

    def _closure(self, keys: Iterable[str], onward: Callable[[Group], set[str]]) -> set[str]:
        found = set(keys)
        waiting = list(found)
        while self._nested and waiting:
            fresh = onward(self.groups[waiting.pop()]) - found
            found |= fresh
            waiting.extend(fresh)
        return found

    def grant_user(self, key: str, permission: Permission | None) -> None:
        """Replace the direct grant; None revokes it. Raises KeyError for an unknown user."""
        if permission is None:
            self.user_grants.pop(key, None)
        else:
            self.user_grants[self.users[key].key] = permission
        self._reseat(key)
        self._mutated()

    def grant_group(self, key: str, permission: Permission | None) -> None:
        if permission is None:
            self.group_grants.pop(key, None)
        else:
            self.group_grants[self.groups[key].key] = permission
        self._reseat(*(self.members_below(key) if self._nested else self.groups[key].members))
        self._mutated()

    def group_permission(self, key: str) -> Permission | None:
        grants = [self.group_grants[group] for group in self.groups_above([key]) if group in self.group_grants]
        return max(grants, key=RANK.__getitem__, default=None)

    def permission_of(self, key: str, *, without_group: str | None = None) -> Permission | None:
        """The highest global permission, direct or through a group (`without_group` as if that group were not)."""
        user = self.users.get(key)
        if user is None:
            return None
        through = self.groups_above(group for group in user.groups if group != without_group) - {without_group}
        grants = [self.group_grants[group] for group in through if group in self.group_grants]
        if key in self.user_grants:
            grants.append(self.user_grants[key])
        return max(grants, key=RANK.__getitem__, default=None)

    def _reseat(self, *keys: str) -> None:
        """A seat is taken by everyone who is active and has a global permission, logged in or not."""
        for key in keys:
            user = self.users.get(key)
            if user is not None and user.active and self._licensed(user):
                self.seats.add(key)
            else:
                self.seats.discard(key)

    def _licensed(self, user: User) -> bool:
        groups = self.groups_above(user.groups) if self._nested else user.groups
        return user.key in self.user_grants or not self.group_grants.keys().isdisjoint(groups)
