"""The invented company as OneLogin holds it: integer ids, flat roles, one group a user, directory groups as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sandbox.company import Company, Group, GroupKind, Happening, Person, Standing
from sandbox.onelogin.switches import Switches

Document = dict[str, object]
ROLE_CHANGES: Final = frozenset({Happening.JOINED, Happening.QUIT})

STATUS: Mapping[Standing, int] = {
    Standing.ACTIVE: 1,
    Standing.STAGED: 0,
    Standing.INVITED: 7,
    Standing.LOCKED: 3,
    Standing.PASSWORD_EXPIRED: 4,
    Standing.RECOVERING: 5,
    Standing.SUSPENDED: 2,
    Standing.LEFT: 2,
}
"""0 unactivated, 1 active, 2 suspended, 3 locked, 4 password expired, 5 awaiting a reset, 7 password pending."""

SHOWN_BY_DEFAULT = ("id", "username", "email", "firstname", "lastname", "status", "state", "created_at", "updated_at")
"""What a list of users shows where no fields are asked for; which ones a real account shows is not documented."""


class AccountState:
    """Reads hold the company's lock. Everything derived is thrown away when the company has changed."""

    def __init__(self, company: Company, switches: Switches) -> None:
        self.company = company
        self.switches = switches
        self._version = -1
        self._people: dict[int, Person] = {}
        self._groups: dict[int, Group] = {}
        self._roles_of: dict[str, list[int]] = {}
        self._seen_changes = 0
        self._role_updates: dict[str, datetime] = {}

    def user_id(self, person_id: str) -> int:
        return 30_000_000 + _number(person_id)

    def role_id(self, group_id: str) -> int:
        return 400_000 + _number(group_id)

    def people(self) -> Mapping[int, Person]:
        """By id, in the order of the ids."""
        self._refresh()
        return self._people

    def roles(self) -> Mapping[int, Group]:
        self._refresh()
        return self._groups

    def groups(self) -> Sequence[Group]:
        """OneLogin's own groups, of which a user has one: the offices, for security policies."""
        return [group for group in self.roles().values() if group.kind is GroupKind.OFFICE]

    def members(self, group: Group) -> list[int]:
        """A role holds people alone, so those of groups below are in it themselves."""
        return sorted(self.user_id(person_id) for person_id in self.company.effective_members(group.id))

    def user(self, user_id: int) -> Document:
        person = self._people[user_id]
        roles = self._roles_of.get(person.id)
        if roles is None:
            roles = self._roles_of[person.id] = sorted(
                self.role_id(key) for key in self.company.effective_groups(person.id)
            )
        offices = [group for group in self.groups() if person.id in self.company.direct[group.id]]
        return {
            "id": user_id,
            "username": person.username,
            "email": person.email,
            "firstname": person.first,
            "lastname": person.last,
            "title": person.title,
            "department": person.department,
            "company": "Fjordlight",
            "status": STATUS[person.standing],
            "state": 0 if person.standing is Standing.STAGED else 1,
            "group_id": self.role_id(offices[0].id) if offices else None,
            "role_ids": roles,
            "member_of": ";".join(self.distinguished_name(role) for role in roles) or None,
            "samaccountname": person.username,
            "external_id": None,
            "created_at": person.created.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "updated_at": self.updated(person).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "custom_attributes": {name: value(person) for name, value in self.switches.custom_attributes.items()},
        }

    def updated(self, person: Person) -> datetime:
        if not self.switches.role_counts_as_update:
            return person.updated
        for change in self.company.changes[self._seen_changes :]:
            if change.what in ROLE_CHANGES and change.person_id is not None:
                self._role_updates[change.person_id] = change.at
        self._seen_changes = len(self.company.changes)
        return max(person.updated, self._role_updates.get(person.id, person.updated))

    def distinguished_name(self, role_id: int) -> str:
        name = re.sub(r"([,;+\\])", r"\\\1", self._groups[role_id].name)
        return f"CN={name},OU=Groups,DC=fjordlight,DC=example"

    def _refresh(self) -> None:
        if self._version == self.company.version:
            return
        self._version = self.company.version
        people = {self.user_id(person.id): person for person in self.company.people.values()}
        groups = {self.role_id(group.id): group for group in self.company.groups.values()}
        self._people = {key: people[key] for key in sorted(people)}
        self._groups = {key: groups[key] for key in sorted(groups)}
        self._roles_of = {}


def _number(key: str) -> int:
    return int(key.lstrip("pg"))
