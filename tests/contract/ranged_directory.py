"""An answer to LDAP searches that hands long lists of members out in ranges, as Active Directory does.

Samba does not force ranges, so this is written from MS-ADTS, section 3.1.1.3.1.3.3 (Range Retrieval of Attribute
Values), below the source's own `Connection`: a list longer than the limit comes as an empty `member` with
`member;range=0-1499` beside it, `member;range=1500-*` gives as many values from there on, and the last range ends in
`*`. It knows the filters of the settings by their text and no others.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from connectors.sources.ldap import LdapSettings
from connectors.sources.ldap.connection import Control, Entry, NoSuchObject, Page, Scope

__all__ = ["RangedDirectory"]

BASE = "dc=corp,dc=example"


class RangedDirectory:
    """Fulfils `Connection`."""

    def __init__(self, settings: LdapSettings, people: int, sizes: Sequence[int], limit: int = 1500) -> None:
        """`sizes`: how many of the people each group has, the first ones."""
        self.settings = settings
        self.limit = limit
        self.people = [f"CN=p{number},OU=staff,{BASE}" for number in range(people)]
        self.groups = {f"CN=g{number},OU=teams,{BASE}": self.people[:size] for number, size in enumerate(sizes)}
        self.versions = dict.fromkeys(self.groups, 1)
        self.searches = 0
        self.at_range: Callable[[str], object] | None = None
        """Done each time before a further range is given, with the group's name."""

    async def bind(self) -> None:
        return

    async def close(self) -> None:
        return

    async def search(
        self,
        base: str,
        scope: Scope,
        filter_: str,
        attributes: Sequence[str],
        controls: Sequence[Control] = (),
        *,
        page: tuple[int, bytes] | None = None,
    ) -> Page:
        self.searches += 1
        if not base:
            return Page([Entry("", {"highestcommittedusn": [b"10"], "dsservicename": [b"CN=NTDS"]})], [])
        if scope == "base":
            return Page([self._part_of(base, attributes)] if base in self.groups else [], [])
        found = self._matching(filter_)
        size, cookie = page or (len(found) or 1, b"")
        start = int(cookie or b"0")
        more = str(start + size).encode() if start + size < len(found) else b""
        return Page([self._entry(dn) for dn in found[start : start + size]], [], cookie=more)

    def _matching(self, filter_: str) -> list[str]:
        if filter_ == self.settings.filter_of_people:
            return self.people
        return list(self.groups) if filter_ == self.settings.filter_of_groups else []

    def _entry(self, dn: str) -> Entry:
        guid = uuid.uuid5(uuid.NAMESPACE_X500, dn).bytes_le
        named = {"objectguid": [guid], "cn": [dn.partition(",")[0][3:].encode()]}
        if dn not in self.groups:
            return Entry(dn, {**named, "useraccountcontrol": [b"512"]})
        return Entry(dn, {**named, **self._members(dn, 0, "member", asked=False), **self._version(dn)})

    def _part_of(self, dn: str, attributes: Sequence[str]) -> Entry:
        wanted = [name for name in attributes if name.startswith("member;range=")]
        if not wanted:
            return self._entry(dn)
        if self.at_range is not None:
            self.at_range(dn)
        if dn not in self.groups:
            raise NoSuchObject("gone")
        start = int(wanted[0].removeprefix("member;range=").partition("-")[0])
        return Entry(dn, {**self._members(dn, start, "member", asked=True), **self._version(dn)})

    def _members(self, dn: str, start: int, name: str, *, asked: bool) -> dict[str, list[bytes]]:
        members = [member.encode() for member in self.groups[dn]]
        if not asked and len(members) <= self.limit:
            return {name: members}
        part = members[start : start + self.limit]
        end = "*" if start + self.limit >= len(members) else str(start + self.limit - 1)
        return {name: [], f"{name};range={start}-{end}": part}

    def _version(self, dn: str) -> dict[str, list[bytes]]:
        return {"usnchanged": [str(self.versions[dn]).encode()]}
