"""The invented company as LDIF, the way Active Directory keeps it.

People lie below `OU=Staff`, groups below `OU=Teams`, both below `OU=Company`. Who has left or is suspended is disabled
by userAccountControl. Nobody has a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sandbox.company import Company, Group, Person, Standing
from tests.company_ldif import entry

__all__ = ["DISABLED", "ENABLED", "group_dn", "groups_base", "is_disabled", "ldif", "people_base", "person_dn"]

ENABLED: Final = 0x200 | 0x20
DISABLED: Final = ENABLED | 0x2
"""NORMAL_ACCOUNT, PASSWD_NOTREQD and ACCOUNTDISABLE: [MS-ADTS] 2.2.16."""


def people_base(suffix: str) -> str:
    return f"OU=Staff,OU=Company,{suffix}"


def groups_base(suffix: str) -> str:
    return f"OU=Teams,OU=Company,{suffix}"


def ldif(company: Company, suffix: str) -> Iterator[str]:
    """The units, then people, then groups with their members: each DN is there before somebody names it."""
    for name, dn in (
        ("Company", f"OU=Company,{suffix}"),
        ("Staff", people_base(suffix)),
        ("Teams", groups_base(suffix)),
    ):
        yield entry(dn, {"objectClass": ["organizationalUnit"], "ou": [name]})
    for person in company.people.values():
        yield entry(person_dn(person, suffix), attributes_of(person))
    for group in _children_first(company):
        members = [person_dn(company.people[each], suffix) for each in company.direct[group.id]]
        members += [group_dn(child, suffix) for child in company.children(group.id)]
        yield entry(
            group_dn(group, suffix),
            {
                "objectClass": ["group"],
                "sAMAccountName": [group.name],
                "description": [group.description or group.name],
                "member": members,
            },
        )


def attributes_of(person: Person) -> dict[str, list[str]]:
    return {
        "objectClass": ["user"],
        # The number keeps it unique within the twenty letters that Active Directory allows.
        "sAMAccountName": [account_name(person)],
        "userPrincipalName": [person.login],
        "displayName": [person.display_name],
        "givenName": [person.first],
        "sn": [person.last],
        "mail": [person.email],
        "department": [person.department],
        "title": [person.title],
        "l": [person.city],
        "employeeNumber": [person.employee_number],
        "userAccountControl": [str(DISABLED if is_disabled(person) else ENABLED)],
    }


def account_name(person: Person) -> str:
    return f"{person.username[:12]}.{person.employee_number}"[:20]


def is_disabled(person: Person) -> bool:
    return person.standing in {Standing.LEFT, Standing.SUSPENDED}


def person_dn(person: Person, suffix: str) -> str:
    return f"CN={person.username},{people_base(suffix)}"


def group_dn(group: Group, suffix: str) -> str:
    return f"CN={group.name},{groups_base(suffix)}"


def _children_first(company: Company) -> list[Group]:
    return sorted(company.groups.values(), key=lambda group: -len(company.lineage(group.id)))
