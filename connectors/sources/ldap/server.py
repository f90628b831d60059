"""A directory as it is read: in pages, with long lists of members put together, and every round trip counted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Final, Self

from connectors.sources.ldap.connection import Connection, Control, Entry, NoSuchObject, Page, RefusedSearch, Scope
from connectors.sources.ldap.names import canonical
from connectors.sources.ldap.native import open_connection
from connectors.sources.ldap.settings import LdapSettings

__all__ = ["Server"]

_RANGE: Final = re.compile(r"^(.+);range=(\d+)-(\d+|\*)$")
_TRIES: Final = 3
_ANYTHING: Final = "(objectClass=*)"


class Server:
    """One connection, opened and closed with `async with`."""

    def __init__(self, settings: LdapSettings, connect: Callable[[LdapSettings], Connection] = open_connection) -> None:
        """Raises `ConfigurationError` where python-ldap or the password is missing."""
        self.settings = settings
        self.requests = 0
        """Round trips so far: StartTLS, the bind, and every page of every search."""
        self.referrals: list[str] = []
        """Parts of the tree that another server holds, as URLs, each once."""
        self.findings: list[str] = []
        """What could not be read whole."""
        self._connection = connect(settings)
        self._root: Entry | None = None

    async def __aenter__(self) -> Self:
        try:
            self.requests += 2 if self.settings.starts_tls else 1
            await self._connection.bind()
        except BaseException:
            await self._connection.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    async def root(self) -> Entry:
        """The root DSE with its operational attributes, read once."""
        if self._root is None:
            page = await self.search("", "base", _ANYTHING, ["*", "+"])
            self._root = page.entries[0] if page.entries else Entry("", {})
        return self._root

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
        """One round trip. Raises as `Connection.search` does."""
        self.requests += 1
        found = await self._connection.search(base, scope, filter_, attributes, controls, page=page)
        self.referrals += [url for url in found.referrals if url not in self.referrals]
        return found

    async def pages(
        self, base: str, scope: Scope, filter_: str, attributes: Sequence[str], controls: Sequence[Control] = ()
    ) -> AsyncIterator[Page]:
        """Every page there is (RFC 2696). A page may be empty and not be the last."""
        cookie = b""
        while True:
            page = await self.search(base, scope, filter_, attributes, controls, page=(self.settings.page_size, cookie))
            yield page
            cookie = page.cookie
            if not cookie:
                return

    async def people(
        self, narrowed: str | None = None, controls: Sequence[Control] = (), told: Callable[[int], object] | None = None
    ) -> list[Entry]:
        """Entries that match the filter of people, and a further one."""
        settings = self.settings
        filter_ = _both(settings.filter_of_people, narrowed)
        base = settings.people_base or settings.base
        return await self._all(base, filter_, settings.person_attributes, controls, told)

    async def groups(
        self,
        narrowed: str | None = None,
        controls: Sequence[Control] = (),
        told: Callable[[int], object] | None = None,
        *,
        everywhere: bool = False,
    ) -> list[Entry]:
        """Entries that match the filter of groups, and a further one, with whole lists of members.

        `everywhere`: every group below `base`, whatever `groups_base` and `groups_filter` say.
        """
        settings = self.settings
        filter_ = _both(settings.of.groups_filter if everywhere else settings.filter_of_groups, narrowed)
        base = settings.base if everywhere else settings.groups_base or settings.base
        found = await self._all(base, filter_, settings.group_attributes, controls, told)
        whole = [await self.whole(entry, "member", controls) for entry in found] if settings.of.ranged else found
        return [entry for entry in whole if entry is not None]

    async def whole(self, entry: Entry, attribute: str, controls: Sequence[Control] = ()) -> Entry | None:
        """The entry with every value of an attribute of which the server gave a range (MS-ADTS 3.1.1.3.1.3.3).

        The ranges are of different moments: where the entry changed between them, they are read again, and what does
        not come to rest is a finding. None, and a finding, where the entry is gone meanwhile.
        """
        for _ in range(_TRIES):
            try:
                put_together, is_steady = await self._put_together(entry, attribute, controls)
                if is_steady:
                    return put_together
                asked = self.settings.group_attributes
                page = await self.search(entry.dn, "base", _ANYTHING, asked, controls)
            except NoSuchObject:
                page = Page([], [])
            if not page.entries:
                self.findings.append(f"the group {entry.dn} was deleted while it was read")
                return None
            entry = page.entries[0]
        self.findings.append(f"the members of {entry.dn} changed each time they were read")
        return put_together

    async def _put_together(self, entry: Entry, attribute: str, controls: Sequence[Control]) -> tuple[Entry, bool]:
        version = self.settings.of.version
        part, last = _ranged(entry, attribute)
        values = [*entry.attributes.get(attribute.lower(), ()), *part]
        is_steady = True
        while last is not None and last != "*":
            wanted = f"{attribute};range={int(last) + 1}-*"
            page = await self.search(entry.dn, "base", _ANYTHING, [wanted, version], controls)
            if not page.entries:
                raise NoSuchObject(f"{entry.dn} is gone")
            further = page.entries[0]
            part, last = _ranged(further, attribute)
            if not part and last is None:
                raise RefusedSearch(f"it gives no further members of {entry.dn} after {len(values)}")
            values += part
            is_steady = is_steady and further.raw(version) == entry.raw(version)
        kept = {name: value for name, value in entry.attributes.items() if not _RANGE.match(name)}
        return Entry(entry.dn, {**kept, attribute.lower(): values}, entry.controls), is_steady

    async def _all(
        self,
        base: str,
        filter_: str,
        attributes: Sequence[str],
        controls: Sequence[Control],
        told: Callable[[int], object] | None,
    ) -> list[Entry]:
        """An entry that moves while it is read may come twice: the last word counts."""
        found: dict[str, Entry] = {}
        async for page in self.pages(base, "subtree", filter_, attributes, controls):
            found.update((canonical(entry.dn), entry) for entry in page.entries)
            if told is not None:
                told(len(found))
        return list(found.values())


def _both(filter_: str, narrowed: str | None) -> str:
    return f"(&{filter_}{narrowed})" if narrowed else filter_


def _ranged(entry: Entry, attribute: str) -> tuple[Sequence[bytes], str | None]:
    """The values of a range, and where it ends: a number, `*` at the end of the list, None where there is no range."""
    for name, values in entry.attributes.items():
        match = _RANGE.match(name)
        if match is not None and match[1] == attribute.lower():
            return values, match[3]
    return (), None
