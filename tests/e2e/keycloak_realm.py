"""An invented realm: what Keycloak is given to import, and the same as plain values to compare a read with."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Final

CLIENT_ID: Final = "usersync"
CLIENT_SECRET: Final = "invented+for%one: test/run"
READING_ROLES: Final = ("view-users", "query-users", "query-groups")

FIRST_NAMES: Final = ("Zoë", "Łukasz", "Nguyễn", "Ólafur", "李", "Aoife", "José", "Мария", "Ayşe", "Anders", "Noor")
LAST_NAMES: Final = ("Müller", "Żółć", "Văn An", "Þórsson", "小龙", "O'Brien", "Peña", "Иванова", "Güneş", "Sørensen")
DEPARTMENTS: Final = ("Research", "Forschung & Entwicklung", "Ventes", "運用")

CHILDREN: Final = (14, 6, 4, 0)
"""How many groups are below each of the four at the top: the first has more than Keycloak gives unless asked."""
GRANDCHILDREN: Final = (12, *([2] * 10))
"""And below the first eleven of those."""


@dataclass(frozen=True)
class RealmPerson:
    id: str
    username: str
    first: str | None
    last: str | None
    email: str | None
    enabled: bool
    attributes: dict[str, list[str]]


@dataclass(frozen=True)
class RealmGroup:
    id: str
    name: str
    path: str
    parent: str | None


@dataclass(frozen=True)
class ReadingClient:
    """A confidential client and the `realm-management` roles of its service account."""

    client_id: str
    roles: Sequence[str]
    token_seconds: int | None = None
    """None for the realm's."""


@dataclass
class Realm:
    name: str
    people: list[RealmPerson]
    groups: list[RealmGroup]
    memberships: set[tuple[str, str]]
    """Pairs of group id and person id, direct ones only."""
    clients: list[ReadingClient] = field(default_factory=list)
    token_seconds: int = 60

    def representation(self) -> dict[str, Any]:
        """Keycloak's RealmRepresentation. Each service account is a member of a group, as a careless hand puts it."""
        return {
            "realm": self.name,
            "enabled": True,
            "accessTokenLifespan": self.token_seconds,
            "clients": [_client(client) for client in self.clients],
            "groups": [self._group(group) for group in self.groups if group.parent is None],
            "users": [*self._people(), *(self._service_account(client) for client in self.clients)],
            "components": {"org.keycloak.userprofile.UserProfileProvider": [_profile()]},
        }

    def _group(self, group: RealmGroup) -> dict[str, Any]:
        below = [self._group(child) for child in self.groups if child.parent == group.id]
        return {
            "id": group.id,
            "name": group.name,
            "description": f"all of {group.name}",
            "attributes": {"origin": ["test"]},
            "subGroups": below,
        }

    def _people(self) -> list[dict[str, Any]]:
        paths = {group.id: group.path for group in self.groups}
        joined: dict[str, list[str]] = {}
        for group_id, person_id in sorted(self.memberships):
            joined.setdefault(person_id, []).append(paths[group_id])
        return [
            {
                "id": person.id,
                "username": person.username,
                "firstName": person.first,
                "lastName": person.last,
                "email": person.email,
                "enabled": person.enabled,
                "attributes": person.attributes,
                "groups": joined.get(person.id, []),
            }
            for person in self.people
        ]

    def _service_account(self, client: ReadingClient) -> dict[str, Any]:
        return {
            "username": f"service-account-{client.client_id}",
            "enabled": True,
            "serviceAccountClientId": client.client_id,
            "clientRoles": {"realm-management": list(client.roles)},
            "groups": [self.groups[0].path],
        }


def invented_realm(people: int = 2000, *, clients: Sequence[ReadingClient] = (), token_seconds: int = 60) -> Realm:
    """60 groups on three levels. Names repeat on different paths; one group has nobody, one has everybody enabled.

    Every 17th person is disabled, every 23rd has no e-mail address, every 29th no last name, and every 41st is in no
    group but that of the enabled.
    """
    groups = _groups()
    persons = [_person(number) for number in range(people)]
    everybody, *others = [group for group in groups if group.name != "Nobody"]
    memberships = {(everybody.id, person.id) for person in persons if person.enabled}
    for number, person in enumerate(persons):
        if number % 41:
            memberships |= {(group.id, person.id) for group in islice(cycle(others), number, number + 1 + number % 4)}
    return Realm("fjordlight", persons, groups, memberships, list(clients), token_seconds)


def _person(number: int) -> RealmPerson:
    first = FIRST_NAMES[number % len(FIRST_NAMES)]
    last = LAST_NAMES[number // 3 % len(LAST_NAMES)]
    attributes = {"department": [DEPARTMENTS[number % len(DEPARTMENTS)]], "employeeNumber": [f"{number:05}"]}
    if number % 5 == 0:
        attributes["phone"] = [f"+47 {number:08}", f"+49 {number:08}"][: 1 + number % 2]
    if number % 500 == 0:
        attributes["biography"] = ["more than one column of a database holds, " * 20]
    return RealmPerson(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"person {number}")),
        username=f"zoë.{number:05}" if number % 97 == 0 else f"person.{number:05}",
        first=first,
        last=None if number % 29 == 0 else last,
        email=None if number % 23 == 0 else f"person.{number}@example.org",
        enabled=number % 17 != 0,
        attributes=attributes,
    )


def _groups() -> list[RealmGroup]:
    top = [_group(name, None) for name in ("Ingénierie", "Verkauf", "Konzern", "Nobody")]
    middle = [
        _group("Nobody" if (parent, number) == (1, 3) else f"team {number}", top[parent])
        for parent, count in enumerate(CHILDREN)
        for number in range(count)
    ]
    bottom = [
        _group(f"squad {number}", parent)
        for parent, count in zip(middle, GRANDCHILDREN, strict=False)
        for number in range(count)
    ]
    return [*top, *middle, *bottom]


def _group(name: str, parent: RealmGroup | None) -> RealmGroup:
    path = f"{parent.path if parent else ''}/{name}"
    return RealmGroup(str(uuid.uuid5(uuid.NAMESPACE_OID, path)), name, path, parent.id if parent else None)


def _client(client: ReadingClient) -> dict[str, Any]:
    lifespan = {} if client.token_seconds is None else {"access.token.lifespan": str(client.token_seconds)}
    return {
        "clientId": client.client_id,
        "secret": CLIENT_SECRET,
        "publicClient": False,
        "standardFlowEnabled": False,
        "serviceAccountsEnabled": True,
        "attributes": lifespan,
    }


def _profile() -> dict[str, Any]:
    """The declared attributes; `employeeNumber`, `phone` and `biography` stay unmanaged."""
    permissions = {"view": ["admin", "user"], "edit": ["admin"]}
    declared = [{"name": name, "permissions": permissions} for name in ("username", "email", "firstName", "lastName")]
    declared.append({"name": "department", "permissions": permissions})
    config = {"attributes": declared, "unmanagedAttributePolicy": "ENABLED"}
    return {"providerId": "declarative-user-profile", "config": {"kc.user.profile.config": [json.dumps(config)]}}
