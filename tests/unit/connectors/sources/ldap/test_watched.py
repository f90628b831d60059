"""Which attributes changes are asked for."""

import pytest

from connectors.sources.ldap.followed import watched
from connectors.sources.ldap.settings import LdapSettings


def settings(**given: str) -> LdapSettings:
    return LdapSettings.model_validate(
        {"product": "active-directory", "url": "ldaps://dc1.example.com", "base": "dc=example,dc=com", **given}
    )


def test_everything_that_a_person_or_a_group_is_made_of_is_watched():
    found = {name.lower() for name in watched(settings())}
    assert {"useraccountcontrol", "accountexpires", "primarygroupid", "samaccountname", "mail", "member"} <= found
    assert {"objectcategory", "objectclass"} <= found


@pytest.mark.parametrize(
    ("filter_", "named"),
    [
        ("(&(objectClass=user)(!(description=out*)))", "description"),
        ("(memberOf:1.2.840.113556.1.4.1941:=CN=Staff,DC=example,DC=com)", "memberOf"),
        ("(|(whenCreated>=20260101000000.0Z)(title=x))", "whenCreated"),
        ("(employeeType~=\\28intern\\29)", "employeeType"),
    ],
)
def test_what_a_filter_hangs_on_is_watched(filter_: str, named: str):
    assert named in watched(settings(people_filter=filter_))
    assert named in watched(settings(groups_filter=filter_))


def test_what_every_change_changes_is_not_watched():
    assert {"usnchanged", "objectguid"}.isdisjoint(name.lower() for name in watched(settings()))
