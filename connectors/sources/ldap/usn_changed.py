"""What changed on one domain controller, by its own count of changes (MS-ADTS, section 3.1.1.1.9).

Each controller counts for itself, so the numbers of one mean nothing to another. Deleted objects are shown by a
control (MS-ADTS, section 3.1.1.3.4.1.14).
"""

from __future__ import annotations

from typing import Final

from connectors.sources.ldap.changes import Mark
from connectors.sources.ldap.connection import Control, Entry
from connectors.sources.ldap.domain import (
    NO_SIGHT_OF_DELETED,
    SHOW_DELETED,
    Place,
    Touched,
    is_deleted,
    shows_deleted_objects,
)
from connectors.sources.ldap.server import Server

__all__ = ["UsnChanged"]

_COUNT: Final = "highestCommittedUSN"
_ASKED: Final = ("objectGUID", "isDeleted", "uSNCreated", "objectClass")
_LEAVES: Final = frozenset({b"user", b"computer", b"group", b"contact", b"foreignSecurityPrincipal", b"dnsNode"})
"""Objects that change often and have no people below them."""


class UsnChanged:
    """One round trip where nothing changed, and one more where something did."""

    name = "usn-changed"

    async def begin(self, server: Server, place: Place) -> Mark | str:
        """The count of now, or why it is of no use."""
        if not await shows_deleted_objects(server, place):
            return NO_SIGHT_OF_DELETED
        return {} if await _count(server) is not None else f"the server does not show {_COUNT}"

    async def touched(self, server: Server, place: Place, mark: Mark) -> Touched | None:
        since, now = int(mark["usn"]), await _count(server)
        if now is None or now < since:
            return None
        following: Mark = {**mark, "usn": now}
        if now == since:
            return Touched([], [], [], following)
        found: list[Entry] = []
        filter_ = f"(uSNChanged>={since + 1})"
        async for page in server.pages(place.context, "subtree", filter_, _ASKED, [Control(SHOW_DELETED)]):
            found += page.entries
        living = [entry for entry in found if not is_deleted(entry)]
        return Touched(
            living=living,
            deleted=[entry for entry in found if is_deleted(entry)],
            renamed=[entry for entry in living if _may_be_renamed(entry, since)],
            following=following,
        )


async def _count(server: Server) -> int | None:
    page = await server.search("", "base", "(objectClass=*)", [_COUNT])
    return page.entries[0].number(_COUNT) if page.entries else None


def _may_be_renamed(entry: Entry, since: int) -> bool:
    """The count does not say what changed."""
    return (entry.number("uSNCreated") or 0) <= since and _LEAVES.isdisjoint(entry.attributes.get("objectclass", ()))
