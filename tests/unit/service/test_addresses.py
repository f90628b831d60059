"""Whose request it is: the chain of proxies is walked from the right, and what a client writes counts for nothing."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from directory.errors import ConfigurationError
from service.access.addresses import Untraceable, address, client_address, neighbourhood, networks, within

PROXIES = networks(["10.0.0.0/8", "2001:db8:ffff::/48"], what="--proxy")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:c000:207]:1", "192.0.2.7"),
    ],
)
def test_an_address_is_read_however_servers_write_it(written: str, read: str) -> None:
    assert address(written) == ip_address(read)


@pytest.mark.parametrize(
    "written", ["", "unknown", "_hidden", "192.0.2", "192.0.2.7:", "192.0.2.7:x", "[2001:db8::7", "[::1]x", "1.2.3.4.5"]
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        address(written)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", ["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["10.0.0.9, 192.0.2.7, 10.0.0.2"], "192.0.2.7"),
        ("10.0.0.1", ["203.0.113.9", "192.0.2.7", "10.0.0.2"], "192.0.2.7"),
        ("::ffff:10.0.0.1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("2001:db8:ffff::1", ["junk, 192.0.2.7"], "192.0.2.7"),
    ],
    ids=["one", "two proxies", "invented left", "invented proxy", "repeated header", "mapped peer", "junk left"],
)
def test_the_first_address_from_the_right_that_is_no_proxy_is_the_client(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == ip_address(client)


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        ("192.0.2.7", ["203.0.113.9"]),
        ("10.0.0.1", []),
        ("10.0.0.1", [""]),
        ("10.0.0.1", ["192.0.2.7, "]),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"]),
        ("10.0.0.1", ["192.0.2.7, unknown"]),
        ("10.0.0.1", [", ".join(["192.0.2.7"] + ["10.0.0.2"] * 100)]),
        (None, ["192.0.2.7"]),
        ("testclient", []),
    ],
    ids=["no proxy", "none", "empty", "empty last", "all proxies", "junk", "endless", "no peer", "no address"],
)
def test_where_the_chain_leads_to_nobody_the_request_is_refused(peer: str | None, forwarded: list[str]) -> None:
    with pytest.raises(Untraceable):
        client_address(peer, forwarded, PROXIES)


def test_without_a_declared_proxy_the_header_counts_for_nothing() -> None:
    assert client_address("192.0.2.7", ["127.0.0.1"], ()) == ip_address("192.0.2.7")


def test_networks_of_both_kinds() -> None:
    some = networks(["192.0.2.0/24", "2001:db8::/32", "198.51.100.4"], what="--allow")
    found = [within(ip_address(one), some) for one in ("192.0.2.255", "2001:db8::1", "198.51.100.4", "198.51.100.5")]
    assert found == [True, True, True, False]
    with pytest.raises(ConfigurationError, match=r"--allow 192\.0\.2\.1/24"):
        networks(["192.0.2.1/24"], what="--allow")


def test_an_ipv6_customer_is_counted_as_one() -> None:
    assert neighbourhood(ip_address("2001:db8:1:2::3")) == neighbourhood(ip_address("2001:db8:1:2:ffff::4"))
    assert neighbourhood(ip_address("192.0.2.7")) != neighbourhood(ip_address("192.0.2.8"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("fe80::7%eth0", "fe80::7/128"),
        ("fe80::%eth0/64", "fe80::/64"),
    ],
)
def test_networks_are_compared_in_the_form_that_addresses_are_read_in(written: str, read: str) -> None:
    assert [str(each) for each in networks([written], what="--allow")] == [read]
