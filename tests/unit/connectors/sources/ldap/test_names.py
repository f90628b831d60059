"""Which distinguished names are the same (RFC 4514)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.ldap.names import canonical, is_under


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=Jane Doe,OU=Staff,DC=example,DC=com", "cn=jane doe,ou=staff,dc=example,dc=com"),
        ("cn=Jane  Doe , ou = Staff", "CN=jane doe,OU=staff"),
        ("cn=Doe\\, Jane,ou=staff", "cn=Doe\\2C Jane,ou=staff"),
        ("cn=J\\C3\\BCrgen,ou=staff", "cn=jürgen,OU=Staff"),
        ("cn=jane+uid=7,ou=staff", "uid=7+cn=Jane,ou=staff"),
        ("cn=a\\=b,ou=staff", "cn=a=b,ou=staff"),
        ("cn=a\\+b", "cn=a\\2bb"),
    ],
)
def test_a_name_is_the_same_in_another_spelling(one: str, other: str):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=a,cn=b", "cn=a\\,cn\\=b"),
        ("cn=a+sn=b", "cn=a\\+sn=b"),
        ("cn=jane,ou=staff", "cn=jane,ou=staff,dc=example"),
        ("cn=\\\\2c", "cn=\\2c"),
    ],
)
def test_another_name_is_another(one: str, other: str):
    assert canonical(one) != canonical(other)


@given(st.text(st.sampled_from('ab,+=\\ "#ü'), min_size=1, max_size=8).filter(lambda text: text == text.strip()))
def test_every_escape_means_the_same(value: str):
    as_signs = "".join(f"\\{sign}" if sign in ',+="\\#' else sign for sign in value)
    as_bytes = "".join(f"\\{byte:02X}" for byte in value.encode())
    assert canonical(f"cn={as_signs},dc=x") == canonical(f"cn={as_bytes},dc=x")


def test_what_lies_below_a_name():
    assert is_under("uid=jane,OU=Staff, dc=example", "ou=staff,dc=example")
    assert is_under("ou=staff,dc=example", "ou=staff,dc=example")
    assert not is_under("ou=oldstaff,dc=example", "ou=staff,dc=example")
    assert not is_under("dc=example", "ou=staff,dc=example")
