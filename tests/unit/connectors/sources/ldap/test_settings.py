"""What a sync file may say about an LDAP directory."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.sources.ldap import LdapSettings

GIVEN = {"product": "openldap", "url": "ldaps://ldap.example.com", "base": "dc=example,dc=com"}


def settings(**more: Any) -> LdapSettings:
    return LdapSettings.model_validate({**GIVEN, **more})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"url": "https://ldap.example.com"}, "an address such as ldaps://"),
        ({"url": "ldaps://ldap.example.com/dc=x"}, "what to read is said by base"),
        ({"base": "example.com"}, "a distinguished name"),
        ({"people_filter": "objectClass=person"}, "a filter in parentheses"),
        ({"bind_dn": "cn=reader"}, "bind_dn and bind_password together"),
        ({"bind_dn": "cn=reader", "bind_password": "secret"}, "never as itself"),
        ({"encryption": "none"}, "ldaps:// means encryption: tls"),
        ({"url": "ldap://ldap.example.com", "encryption": "tls"}, "cannot have encryption: tls"),
        ({"product": "active-directory", "url": "ldaps://dc1.example.com:3269"}, "the port of the global catalog"),
        ({"attributes": ["uid"]}, "a column of its own"),
        ({"attributes": ["userPassword"]}, "no text that a sync may carry"),
        ({"attributes": ["title)"]}, "not the name of an attribute"),
        ({"lists": ["memberOf"]}, "which attributes does not"),
        ({"verify": False}, "Extra inputs"),
    ],
)
def test_mistakes_are_explained(more: dict[str, Any], says: str):
    with pytest.raises(ValidationError) as caught:
        settings(**more)
    assert says in str(caught.value)


def test_a_plain_address_means_starttls_unless_something_else_is_written():
    assert settings(url="ldap://ldap.example.com").starts_tls
    assert not settings().starts_tls
    assert settings().is_encrypted
    assert not settings(url="ldap://ldap.example.com", encryption="none").is_encrypted


def test_an_attribute_is_asked_for_once():
    asked = settings(attributes={"login": "UID", "town": "l"}).person_attributes
    assert len({name.lower() for name in asked}) == len(asked)
    assert "l" in asked
