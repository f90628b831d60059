"""What an entry says of a person or a group."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from connectors.sources.ldap import LdapSettings
from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.entries import Person, as_group, as_person, is_active
from connectors.sources.ldap.frames import groups_frame, people_frame, primary_frame, with_states

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())
GUID = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")


def settings(product: str, **more: Any) -> LdapSettings:
    given = {"product": product, "url": "ldaps://ldap.example.com", "base": "dc=example,dc=com", **more}
    return LdapSettings.model_validate(given)


def person(product: str, given: dict[str, str] | None = None, **raw: bytes) -> Person:
    found = as_person(entry(given, **raw), settings(product))
    assert found is not None
    return found


def entry(given: dict[str, str] | None = None, **raw: bytes) -> Entry:
    ids = {"objectguid": [GUID.bytes_le], "entryuuid": [b"e-1"], "nsuniqueid": [b"n-1"], "cn": [b"Jane"]}
    texts = {name.lower(): [value.encode()] for name, value in (given or {}).items()}
    return Entry("cn=jane,dc=example,dc=com", {**ids, **texts, **{name: [value] for name, value in raw.items()}})


def sid(*numbers: int) -> bytes:
    return bytes([1, len(numbers), 0, 0, 0, 0, 0, 5]) + b"".join(number.to_bytes(4, "little") for number in numbers)


def test_the_id_hangs_on_the_product():
    assert person("active-directory").external_id == str(GUID)
    assert person("openldap").external_id == "e-1"
    assert person("389ds").external_id == "n-1"


def test_an_entry_without_its_id_is_nobody():
    bare = Entry("cn=jane", {"cn": [b"Jane"]})
    assert as_person(bare, settings("openldap")) is None
    assert as_group(bare, settings("openldap")) is None


@pytest.mark.parametrize(
    ("product", "given", "disabled"),
    [
        ("active-directory", {"userAccountControl": "512"}, False),
        ("active-directory", {"userAccountControl": "514"}, True),
        ("active-directory", {"userAccountControl": "66050"}, True),
        ("active-directory", {}, True),
        ("openldap", {}, False),
        ("openldap", {"pwdAccountLockedTime": "000001010000Z"}, True),
        ("openldap", {"pwdAccountLockedTime": "20261124120000Z"}, False),
        ("389ds", {"nsAccountLock": "TRUE"}, True),
        ("389ds", {"nsAccountLock": "false"}, False),
    ],
)
def test_what_shuts_somebody_out(product: str, given: dict[str, str], disabled: bool):
    assert person(product, given).disabled is disabled


@pytest.mark.parametrize(
    ("product", "given", "expires_at"),
    [
        ("active-directory", {"accountExpires": "0"}, None),
        ("active-directory", {"accountExpires": "9223372036854775807"}, None),
        ("active-directory", {"accountExpires": "116444736000000000"}, 0),
        ("active-directory", {"accountExpires": "134084160000000000"}, 1763942400),
        ("openldap", {"shadowExpire": "-1"}, None),
        ("openldap", {"shadowExpire": "0"}, 0),
        ("openldap", {"shadowExpire": "20416"}, 1763942400),
        ("openldap", {"shadowExpire": "soon"}, None),
    ],
)
def test_when_an_account_expires(product: str, given: dict[str, str], expires_at: int | None):
    assert person(product, given).expires_at == expires_at


def test_an_account_expires_by_the_clock_without_any_change():
    assert is_active(disabled=False, expires_at=NOON, now=NOON - 1)
    assert not is_active(disabled=False, expires_at=NOON, now=NOON)
    day = NOON // 86_400
    people = people_frame([person("openldap", {"shadowExpire": str(day + 1)})], settings("openldap"), NOON)
    assert people["active"].to_list() == [True]
    assert with_states(people, NOON)["active"].to_list() == [True]
    assert with_states(people, (day + 1) * 86_400)["active"].to_list() == [False]


def test_the_primary_group_is_in_the_domain_of_the_person():
    ad = settings("active-directory")
    jane = person("active-directory", {"primaryGroupID": "513"}, objectsid=sid(21, 1, 2, 3, 1104))
    ours = as_group(entry(objectsid=sid(21, 1, 2, 3, 513)), ad)
    assert ours is not None
    assert jane.primary_group == ours.primary_id == "S-1-5-21-1-2-3-513"
    memberships = primary_frame(people_frame([jane], ad, NOON), groups_frame([ours]))
    assert memberships.rows() == [(str(GUID), str(GUID), False)]


def test_attributes_are_text_in_a_settled_order_or_lists():
    given = settings("openldap", attributes=["l", "ou"], lists=["ou"])
    found = as_person(Entry("cn=jane", {"entryuuid": [b"1"], "l": [b"Rom", b"Bergen"], "ou": [b"b", b"a"]}), given)
    assert found is not None
    frame = people_frame([found], given, NOON)
    assert frame["l"].to_list() == ["Bergen, Rom"]
    assert frame["ou"].to_list() == [["a", "b"]]
    assert frame.schema["ou"] == pl.List(pl.String())


def test_members_of_every_class_of_groups():
    given = {"memberUid": "jane", "member": "cn=a,dc=x", "uniqueMember": "cn=b,dc=x#'0101'B"}
    found = as_group(entry(given), settings("openldap"))
    assert found is not None
    assert found.members == {"cn=a,dc=x", "cn=b,dc=x"}
    assert found.uids == {"jane"}
