"""What the tests of the LDAP source have in common: a small tree, settings for it, and reads that must be equal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import pytest

from connectors.contract import Reading
from connectors.sources.ldap import LdapSettings, LdapSource
from tests.company_ldif import NOBODY, entry
from tests.contract.equal_readings import assert_equal
from tests.slapd import READER, SUFFIX, Slapd, missing

__all__ = [
    "ANN",
    "BOB",
    "LONG_AGO",
    "aged",
    "group",
    "missing_here",
    "person",
    "settings_for",
    "small_tree",
    "told",
    "unit",
    "whole_and_told",
]

LONG_AGO = "20200101000000Z"
"""A time of the last change that no skew of clocks reaches, so that only what is done in a test counts as changed."""
ANN = f"uid=ann,ou=people,{SUFFIX}"
BOB = f"uid=bob,ou=people,{SUFFIX}"


def missing_here() -> str | None:
    """Why the source cannot be tested here; `USERSYNC_REQUIRE=slapd` makes that a failure."""
    reason = missing() or (None if find_spec("ldap") else "python-ldap is not installed (make ldap)")
    if reason is not None and "slapd" in os.environ.get("USERSYNC_REQUIRE", "").split(","):
        pytest.fail(reason)
    return reason


def settings_for(server: Slapd, **more: Any) -> LdapSettings:
    """Of a server with a certificate by ldaps://, of another in the clear."""
    secured: Mapping[str, Any] = (
        {"url": server.ldaps_url, "ca_file": server.ca_file}
        if server.ldaps_url
        else {"url": server.url, "encryption": "none"}
    )
    given = {"product": "openldap", "base": SUFFIX, "bind_dn": READER, "bind_password": "env:LDAP_PASSWORD"}
    return LdapSettings.model_validate({**given, **secured, "clock_skew": 1, **more})


def aged(records: Iterable[str]) -> Iterable[str]:
    """The same entries, last changed long ago."""
    return (f"{record.rstrip()}\nmodifyTimestamp: {LONG_AGO}\n\n" for record in records)


def unit(dn: str) -> str:
    return entry(dn, {"objectClass": ["organizationalUnit"], "ou": [dn.partition(",")[0].partition("=")[2]]})


def person(dn: str, *classes: str, **more: str) -> str:
    uid = dn.partition(",")[0].partition("=")[2]
    named = {name: [value] for name, value in more.items()}
    attributes = {"uid": [uid], "cn": [uid.title()], "sn": ["Doe"], "mail": [f"{uid}@example.org"], **named}
    return entry(dn, {"objectClass": ["inetOrgPerson", *classes], **attributes})


def group(dn: str, *members: str) -> str:
    cn = dn.partition(",")[0].partition("=")[2]
    return entry(dn, {"objectClass": ["groupOfNames"], "cn": [cn], "member": list(members) or [NOBODY]})


def small_tree(*more: str) -> Iterable[str]:
    """Ann and Bob in `devs`, which is in `all`; an empty group; and an `ou=elsewhere`."""
    return aged(
        [
            unit(f"ou=people,{SUFFIX}"),
            unit(f"ou=groups,{SUFFIX}"),
            unit(f"ou=elsewhere,{SUFFIX}"),
            person(ANN),
            person(BOB),
            group(f"cn=devs,ou=groups,{SUFFIX}", ANN, BOB),
            group(f"cn=all,ou=groups,{SUFFIX}", f"cn=devs,ou=groups,{SUFFIX}"),
            group(f"cn=none,ou=groups,{SUFFIX}"),
            *more,
        ]
    )


async def told(source: LdapSource, last: Reading) -> Reading:
    """What changed, which must be told."""
    found = await source.read_changes(last)
    assert found is not None
    assert found.watermark is not None
    return found


async def whole_and_told(source: LdapSource, last: Reading) -> Reading:
    """What changed, which must be what a full read gives."""
    found = await told(source, last)
    assert_equal(found.snapshot, await source.read())
    return found
