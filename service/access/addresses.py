"""Addresses and networks, and whose request it is behind reverse proxies.

X-Forwarded-For is a list that each proxy appends to, so only its right end was written by somebody we know. It is
walked from the right over proxies that were declared; the first other address is the client. Whatever stands left of
it was written by the client itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from directory.errors import ConfigurationError

__all__ = [
    "Address",
    "Networks",
    "Untraceable",
    "address",
    "client_address",
    "neighbourhood",
    "networks",
    "within",
]

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

_MOST_HOPS = 32
_ZONE = re.compile(r"%[^/]*")
_MAPPED = 96
"""Bits of an IPv6 address that stand before the IPv4 address within it."""
_CUSTOMER = 64
"""Bits of an IPv6 address that tell one customer from another; the rest is theirs to vary."""


class Untraceable(Exception):
    """It cannot be told whose request it is."""


def address(text: str) -> Address:
    """An address as servers and proxies write it: with brackets, a port, a zone, or as IPv4 within IPv6.

    Raises ValueError.
    """
    given = text.strip()
    if given.startswith("["):
        given, closed, port = given[1:].partition("]")
        if not closed or (port and not _is_port(port)):
            raise ValueError("brackets are not closed, or no port follows them")
    elif given.count(":") == 1:
        given, _, port = given.partition(":")
        if not _is_port(f":{port}"):
            raise ValueError("no port follows the address")
    found = ip_address(given.partition("%")[0])
    return _plain(found)


def _is_port(text: str) -> bool:
    return text[:1] == ":" and text[1:].isascii() and text[1:].isdigit()


def _plain(found: Address) -> Address:
    """IPv4 as IPv4, also where a socket of IPv6 took the connection."""
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def networks(given: Iterable[str], *, what: str, not_done: str = "the service was not started") -> Networks:
    """Addresses and networks such as `10.0.0.0/8` and `2001:db8::/32`. Raises ConfigurationError for anything else.

    As `address` does, it takes IPv4 within IPv6 for IPv4, and leaves zones out: otherwise nobody would lie in them.
    """
    found = []
    for text in given:
        try:
            found.append(_plain_network(ip_network(_ZONE.sub("", text.strip()))))
        except ValueError as error:
            raise ConfigurationError(
                f"this is no network: {error}",
                subject=f"{what} {text}",
                not_done=not_done,
                next_step="write an address or a network, such as 10.1.0.0/16 or 2001:db8::/32",
            ) from None
    return tuple(found)


def _plain_network(found: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if mapped is None or found.prefixlen < _MAPPED:
        return found
    return IPv4Network((mapped, found.prefixlen - _MAPPED))


def within(one: Address, some: Networks) -> bool:
    """Whether the address lies in one of the networks."""
    return any(one in network for network in some if network.version == one.version)


def client_address(peer: str | None, forwarded: Sequence[str], trusted: Networks) -> Address:
    """Whose request it is. `forwarded` are the values of all X-Forwarded-For headers, in order.

    Without declared proxies the header counts for nothing. Raises Untraceable where proxies are declared and the
    connection comes from elsewhere, or where what they wrote leads to nobody.
    """
    if peer is None:
        raise Untraceable("the connection has no address")
    try:
        hop = address(peer)
    except ValueError:
        raise Untraceable("the connection has no address") from None
    if not trusted:
        return hop
    if not within(hop, trusted):
        raise Untraceable("the connection does not come from a declared proxy")
    chain = [part for value in forwarded for part in value.split(",")] if forwarded else []
    for number, part in enumerate(reversed(chain)):
        try:
            hop = address(part)
        except ValueError:
            raise Untraceable("X-Forwarded-For holds something that is no address") from None
        if not within(hop, trusted):
            return hop
        if number == _MOST_HOPS:
            break
    raise Untraceable("X-Forwarded-For names nobody but proxies")


def neighbourhood(one: Address) -> str:
    """What counts as one client where clients are counted: an IPv4 address, or the network of an IPv6 customer."""
    if isinstance(one, IPv4Address):
        return str(one)
    return str(IPv6Network((one, _CUSTOMER), strict=False))
