"""The invented company as LDIF, the way an OpenLDAP directory keeps it.

People lie below `ou=people` as inetOrgPerson, groups below `ou=groups` as groupOfNames. A group's `member` holds the
people put into it and the groups right below it. A groupOfNames cannot be empty, so an empty one holds `NOBODY`.
Who has left or is suspended is locked by the overlay ppolicy's pwdAccountLockedTime.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID, uuid5

from sandbox.company import Company, Group, Person, Standing

__all__ = [
    "NOBODY",
    "attribute",
    "change",
    "entries",
    "entry",
    "entry_uuid",
    "group_dn",
    "locked",
    "openldap",
    "person_dn",
]

NOBODY: Final = "cn=nobody,dc=example,dc=org"
LOCKED: Final = "000001010000Z"
"""Locked for good: draft-behera-ldap-password-policy-10, section 5.3.3."""

_SUFFIX: Final = "dc=example,dc=org"
_NAMESPACE: Final = UUID("6f1d7f0e-8d0b-4a0e-9a77-5d5f3c1c2e10")
_SAFE_FIRST: Final = frozenset(chr(code) for code in range(0x21, 0x7F)) - {":", "<"}


def openldap(company: Company, suffix: str = _SUFFIX) -> Iterator[str]:
    """Every entry below the suffix, as slapadd takes them; entryUUID follows from the company's ids."""
    for unit in ("people", "groups"):
        yield entry(f"ou={unit},{suffix}", {"objectClass": ["organizationalUnit"], "ou": [unit]})
    for dn, attributes in entries(company, suffix).values():
        yield entry(dn, attributes)


def entries(company: Company, suffix: str = _SUFFIX) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """Name and attributes by the company's ids, people first."""
    people = {key: (person_dn(person, suffix), _person(person)) for key, person in company.people.items()}
    groups = {key: (group_dn(group, suffix), _group(company, group, suffix)) for key, group in company.groups.items()}
    return {**people, **groups}


def entry_uuid(key: str) -> str:
    """The entryUUID of the company's person or group of that id."""
    return str(uuid5(_NAMESPACE, key))


def person_dn(person: Person, suffix: str = _SUFFIX) -> str:
    return f"uid={person.username},ou=people,{suffix}"


def group_dn(group: Group, suffix: str = _SUFFIX) -> str:
    return f"cn={_escaped(group.name)},ou=groups,{suffix}"


def locked(person: Person) -> bool:
    return person.standing in {Standing.LEFT, Standing.SUSPENDED}


def entry(dn: str, attributes: dict[str, list[str]]) -> str:
    """One record of RFC 2849, with the empty line that ends it."""
    lines = [attribute("dn", dn)]
    lines.extend(attribute(name, value) for name, values in attributes.items() for value in values)
    return "".join(lines) + "\n"


def change(dn: str, name: str, values: Iterable[str], how: str = "replace") -> str:
    """A change record for one attribute; no values with `replace` or `delete` take it away."""
    lines = [attribute("dn", dn), "changetype: modify\n", f"{how}: {name}\n"]
    lines.extend(attribute(name, value) for value in values)
    return "".join(lines) + "-\n\n"


def attribute(name: str, value: str) -> str:
    """One line, in base64 where RFC 2849 wants it. Lines are never folded."""
    plain = value.isascii() and value[:1] in _SAFE_FIRST and value == value.rstrip() and value.isprintable()
    return f"{name}: {value}\n" if plain else f"{name}:: {base64.b64encode(value.encode()).decode()}\n"


def _person(person: Person) -> dict[str, list[str]]:
    found = {
        "objectClass": ["inetOrgPerson"],
        "uid": [person.username],
        "cn": [person.display_name],
        "displayName": [person.display_name],
        "givenName": [person.first],
        "sn": [person.last],
        "mail": [person.email],
        "departmentNumber": [person.department],
        "title": [person.title],
        "l": [person.city],
        "employeeNumber": [person.employee_number],
        "entryUUID": [entry_uuid(person.id)],
    }
    return {**found, "pwdAccountLockedTime": [LOCKED]} if locked(person) else found


def _group(company: Company, group: Group, suffix: str) -> dict[str, list[str]]:
    people = [person_dn(company.people[each], suffix) for each in company.direct[group.id]]
    members = people + [group_dn(child, suffix) for child in company.children(group.id)]
    return {
        "objectClass": ["groupOfNames"],
        "cn": [group.name],
        "description": [group.description or group.name],
        "member": members or [NOBODY],
        "entryUUID": [entry_uuid(group.id)],
    }


def _escaped(value: str) -> str:
    """As RFC 4514, section 2.4, wants it."""
    escaped = "".join(f"\\{letter}" if letter in '"+,;<>\\' else letter for letter in value)
    return f"\\{escaped}" if escaped[:1] in {" ", "#"} else escaped
