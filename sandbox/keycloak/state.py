"""The invented company as a realm holds it: UUIDs, a tree of groups, members of each group without those below."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sandbox.company import Company, Group, GroupKind, Person
from sandbox.keycloak.switches import ConfidentialClient, Switches

NAMESPACE = uuid.UUID("6f0a7c1e-54b1-4b8e-9d53-2f4c1d9a7e10")


def keycloak_id(kind: str, key: str) -> str:
    """Always the same for the same key."""
    return str(uuid.uuid5(NAMESPACE, f"{kind}/{key}"))


@dataclass(frozen=True)
class ServiceAccount:
    """The user that stands for a client: a member of groups like any other, but in no list or count of users."""

    client: ConfidentialClient
    created: datetime

    @property
    def id(self) -> str:
        return service_account_id(self.client)

    @property
    def username(self) -> str:
        return f"service-account-{self.client.client_id}"


def service_account_id(client: ConfidentialClient) -> str:
    return keycloak_id("service account", client.client_id)


User = Person | ServiceAccount


class RealmState:
    """Everything derived is thrown away when the company has changed. Users are ordered by username, groups by name."""

    def __init__(self, company: Company, switches: Switches) -> None:
        self.company = company
        self.switches = switches
        self._founded = company.clock()
        self._version = -1
        self._founded_groups = 0
        self._users: list[Person] = []
        self._people_by_id: dict[str, Person] = {}
        self._groups_by_id: dict[str, Group] = {}
        self._members: dict[str, list[Person]] = {}
        self._user_ids: dict[str, str] = {}

    def user_id(self, person_id: str) -> str:
        if person_id not in self._user_ids:
            self._user_ids[person_id] = keycloak_id("user", person_id)
        return self._user_ids[person_id]

    def group_id(self, company_group_id: str) -> str:
        return keycloak_id("group", company_group_id)

    def users(self) -> Sequence[Person]:
        self._refresh()
        return self._users

    def user(self, user_id: str) -> User | None:
        self._refresh()
        accounts = {account.id: account for account in self._service_accounts()}
        return self._people_by_id.get(user_id) or accounts.get(user_id)

    def group(self, group_id: str) -> Group | None:
        self._refresh()
        return self._groups_by_id.get(group_id)

    def groups(self) -> list[Group]:
        """All, in no order."""
        self._refresh()
        return list(self._groups_by_id.values())

    def top_groups(self) -> list[Group]:
        return sorted((group for group in self.groups() if group.parent is None), key=_name)

    def children(self, group: Group) -> list[Group]:
        return sorted(self.company.children(group.id), key=_name)

    def path(self, group: Group) -> str:
        names = [self.company.groups[known].name for known in self.company.lineage(group.id)]
        return "/" + "/".join(reversed(names))

    def members(self, group: Group) -> Sequence[User]:
        """Those put into the group itself, service accounts among them."""
        self._refresh()
        if group.id not in self._members:
            people = [self.company.people[person_id] for person_id in self.company.direct[group.id]]
            self._members[group.id] = sorted(people, key=_username)
        people = self._members[group.id]
        accounts = [account for account in self._service_accounts() if group.id in account.client.groups]
        return sorted([*people, *accounts], key=_username) if accounts else people

    def groups_of(self, user: User) -> list[Group]:
        """Those that the user was put into."""
        joined = user.client.groups if isinstance(user, ServiceAccount) else self.company.memberships[user.id]
        return sorted((self.company.groups[known] for known in joined if known in self.company.groups), key=_name)

    def found_group(self, name: str, parent: str | None) -> str:
        """A new group, at the top or below a company's group; its id in the company."""
        company = self.company
        with company.lock:
            self._founded_groups += 1
            group_id, at = f"founded{self._founded_groups}", company.clock()
            above = company.groups.get(parent or "")
            # Whoever is hired into a team takes the department from the group at the top.
            department = next((each for each in company.groups.values() if each.kind is GroupKind.DEPARTMENT), None)
            description = department.description if above is None and department is not None else name
            company.groups[group_id] = Group(group_id, name, description, GroupKind.PROJECT, parent, at, at, at)
            company.direct[group_id], company.below[group_id] = {}, []
            if parent is not None:
                company.below[parent].append(group_id)
            self._version = -1
            return group_id

    def move_group(self, group_id: str, parent: str | None) -> None:
        """Put a group and all below it elsewhere. Raises ValueError for a place within itself."""
        company = self.company
        with company.lock:
            if parent in company.subtree(group_id):
                raise ValueError("a group cannot be moved below itself")
            root = company.groups[company.lineage(group_id)[-1]]
            group = company.groups[group_id]
            if group.parent is not None:
                company.below[group.parent].remove(group_id)
            if parent is not None:
                company.below[parent].append(group_id)
            description = root.description if parent is None else group.description
            company.groups[group_id] = replace(group, parent=parent, description=description)
            self._version = -1

    def _service_accounts(self) -> list[ServiceAccount]:
        return [ServiceAccount(client, self._founded) for client in self.switches.clients.values()]

    def _refresh(self) -> None:
        if self._version == self.company.version:
            return
        self._version = self.company.version
        self._users = sorted(self.company.people.values(), key=_username)
        self._people_by_id = {self.user_id(person.id): person for person in self._users}
        self._groups_by_id = {self.group_id(group.id): group for group in self.company.groups.values()}
        self._members = {}


def _username(user: User) -> str:
    return user.username


def _name(group: Group) -> str:
    return group.name
