"""The invented company as a Workspace account holds it: numeric ids, groups by address, members of several types."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from sandbox.company import DOMAIN, Company, Group, Person, Standing
from sandbox.google.switches import Member, Switches


def numeric_id(key: str) -> str:
    """Twenty-one digits, always the same for the same key."""
    return "1" + str(int.from_bytes(hashlib.sha256(key.encode()).digest()[:12]) % 10**20).zfill(20)


def group_key(key: str) -> str:
    return "0" + hashlib.sha256(f"group {key}".encode()).hexdigest()[:14]


def is_suspended(person: Person) -> bool:
    return person.standing in {Standing.SUSPENDED, Standing.LEFT, Standing.STAGED}


class WorkspaceState:
    """Reads hold the company's lock. Everything derived is thrown away when the company has changed."""

    def __init__(self, company: Company, switches: Switches) -> None:
        self.company = company
        self.switches = switches
        self.photos: dict[str, bytes] = {}
        """PNGs by user id."""
        self._addresses: dict[str, str] = {}
        self._version = -1
        self._people: dict[str, Person] = {}
        self._groups: dict[str, Group] = {}
        self._sorted_people: list[str] = []
        self._sorted_groups: list[str] = []
        self._members: dict[str, dict[str, Member]] = {}

    def user_id(self, person_id: str) -> str:
        return numeric_id(f"user {person_id}")

    def group_id(self, company_group_id: str) -> str:
        return group_key(company_group_id)

    def group_address(self, group: Group) -> str:
        """Made of the name that the group had first; an address does not follow a new name."""
        if group.id not in self._addresses:
            self._addresses[group.id] = f"{re.sub(r'[^a-z0-9]+', '-', group.name.lower()).strip('-')}@{DOMAIN}"
        return self._addresses[group.id]

    def user_ids(self) -> Sequence[str]:
        self._refresh()
        return self._sorted_people

    def group_ids(self) -> Sequence[str]:
        self._refresh()
        return self._sorted_groups

    def person(self, user_id: str) -> Person:
        return self._people[user_id]

    def has_user(self, user_id: str) -> bool:
        self._refresh()
        return user_id in self._people

    def group(self, group_id: str) -> Group:
        return self._groups[group_id]

    def find_user(self, key: str) -> str | None:
        """By id or primary address."""
        self._refresh()
        if key in self._people:
            return key
        return next((user_id for user_id, person in self._people.items() if person.email == key), None)

    def find_group(self, key: str) -> str | None:
        """By id or address."""
        self._refresh()
        if key in self._groups:
            return key
        return next((found for found, group in self._groups.items() if self.group_address(group) == key), None)

    def is_user(self, address: str) -> bool:
        known = self.switches.admins | self.switches.known_users
        return address in known or self.find_user(address) is not None

    def members(self, group_id: str) -> Mapping[str, Member]:
        """Direct members by their id: people, groups below, and whatever the switches add."""
        self._refresh()
        group = self._groups[group_id]
        further = {member.id: member for member in self.switches.further_members.get(group.id, ())}
        if group_id not in self._members:
            people = [self.company.people[key] for key in self.company.direct[group.id]]
            found = [Member(self.user_id(person.id), "USER", person.email) for person in people]
            found += [
                Member(self.group_id(below.id), "GROUP", self.group_address(below))
                for below in self.company.children(group.id)
            ]
            self._members[group_id] = {member.id: member for member in found}
        return self._members[group_id] | further if further else self._members[group_id]

    def counted_members(self, group_id: str) -> int:
        members = self.members(group_id).values()
        if self.switches.count_includes_groups:
            return len(members)
        return sum(1 for member in members if member.kind != "GROUP")

    def _refresh(self) -> None:
        if self._version == self.company.version:
            return
        self._version = self.company.version
        self._people = {self.user_id(person.id): person for person in self.company.people.values()}
        self._groups = {self.group_id(group.id): group for group in self.company.groups.values()}
        self._sorted_people, self._sorted_groups = sorted(self._people), sorted(self._groups)
        self._members = {}
        for group in self.company.groups.values():
            self.group_address(group)
