"""The invented company as an Entra tenant holds it: object ids, groups in groups, and what is not a person."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field

from sandbox.company import Company, Group, Person
from sandbox.graph.switches import Switches


@dataclass(frozen=True)
class Link:
    """A membership that the company does not know: of a group, a device, a service principal or a contact."""

    group_id: str
    member_id: str
    kind: str


@dataclass(frozen=True)
class LinkChange:
    """A link that came or went after so many changes of the company."""

    link: Link
    at_version: int


@dataclass
class GraphState:
    """Callers hold the company's lock. Everything derived is thrown away when the company or the links changed."""

    company: Company
    switches: Switches
    photos: dict[str, bytes] = field(default_factory=dict)
    """PNGs by user id; the simulator does not scale them."""
    links: dict[Link, None] = field(default_factory=dict)
    link_changes: list[LinkChange] = field(default_factory=list)
    _version: tuple[int, int, str] = (-1, -1, "")
    _users: dict[str, Person] = field(default_factory=dict)
    _groups: dict[str, Group] = field(default_factory=dict)
    _managers: dict[str, str] = field(default_factory=dict)
    _orders: dict[str, tuple[list[str], dict[str, str]]] = field(default_factory=dict)

    def user_id(self, person_id: str) -> str:
        return object_id(f"user {person_id}")

    def group_id(self, company_group_id: str) -> str:
        return object_id(f"group {company_group_id}")

    def users(self) -> dict[str, Person]:
        self._refresh()
        return self._users

    def groups(self) -> dict[str, Group]:
        self._refresh()
        return self._groups

    def manager_of(self, person: Person) -> str | None:
        """The user id of whoever was hired first in the department; nobody for themselves."""
        self._refresh()
        first = self._managers.get(person.department)
        return None if first in (None, person.id) else self.user_id(str(first))

    def nest(self, above: str, below: str) -> None:
        """Make one group a member of another, by the company's ids; Entra forbids no cycle."""
        self.add(Link(self.group_id(above), self.group_id(below), "group"))

    def add(self, link: Link) -> None:
        """`kind` is a type of Graph's: group, device, servicePrincipal or orgContact."""
        with self.company.lock:
            self.links[link] = None
            self.link_changes.append(LinkChange(link, self.company.version))

    def remove(self, link: Link) -> None:
        with self.company.lock:
            del self.links[link]
            self.link_changes.append(LinkChange(link, self.company.version))

    def members(self, group_id: str) -> dict[str, str]:
        """Direct members: object id to Graph's type, in the order of the ids."""
        group = self.groups()[group_id]
        found = {self.user_id(person_id): "user" for person_id in self.company.direct[group.id]}
        found |= {self.group_id(child.id): "group" for child in self.company.children(group.id)}
        known = self.groups()
        for each in self.links:
            if each.group_id == group_id and (each.kind != "group" or each.member_id in known):
                found[each.member_id] = each.kind
        return dict(sorted(found.items()))

    def transitive_members(self, group_id: str) -> dict[str, str]:
        found: dict[str, str] = {}
        waiting = [group_id]
        seen = {group_id}
        while waiting:
            for member, kind in self.members(waiting.pop()).items():
                found[member] = kind
                if kind == "group" and member not in seen:
                    seen.add(member)
                    waiting.append(member)
        return dict(sorted(found.items()))

    def groups_of(self, user_id: str) -> list[str]:
        return sorted(self.group_id(known) for known in self.company.memberships[self.users()[user_id].id])

    def ordered(self, kind: str) -> tuple[list[str], dict[str, str]]:
        """Sorted keys of a list, and which id each stands for."""
        self._refresh()
        if kind not in self._orders:
            ids = self._users if kind == "users" else self._groups
            keys = {_position(self.switches.ordering, each): each for each in ids}
            self._orders[kind] = sorted(keys), keys
        return self._orders[kind]

    def _refresh(self) -> None:
        version = (self.company.version, len(self.link_changes), self.switches.ordering)
        if self._version == version:
            return
        self._version = version
        people = self.company.people.values()
        self._users = {self.user_id(each.id): each for each in people}
        self._users = {key: self._users[key] for key in sorted(self._users)}
        groups = {self.group_id(each.id): each for each in self.company.groups.values()}
        self._groups = {key: groups[key] for key in sorted(groups)}
        self._managers = {}
        for person in people:
            self._managers.setdefault(person.department, person.id)
        self._orders = {}


_IDS: dict[str, str] = {}


def object_id(key: str) -> str:
    """Looks like a GUID, and is always the same for the same key."""
    if key not in _IDS:
        _IDS[key] = str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))
    return _IDS[key]


def _position(seed: str, each: str) -> str:
    return hashlib.sha256(f"{seed}{each}".encode()).hexdigest()[:20] + each if seed else each
