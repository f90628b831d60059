"""Changes found by their time: `modifyTimestamp` of OpenLDAP and 389 Directory Server (RFC 4512, section 3.4).

What changed since the last read, less the skew of clocks, is read again; replays are harmless. An entry that changed
and does not match the filters any more is known by its id from a search without them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from connectors.sources.ldap.changes import Changed, Mark
from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.entries import entry_id
from connectors.sources.ldap.names import canonical
from connectors.sources.ldap.reading import at
from connectors.sources.ldap.server import Server

__all__ = ["ModifyTimestamp"]

_SINCE: Final = "since"


class ModifyTimestamp:
    """Three searches, whatever the size of the directory."""

    name = "modify-timestamp"
    members_follow = False

    def __init__(self, skew: int) -> None:
        """`skew`: seconds."""
        self._skew = timedelta(seconds=skew)
        self.blind_to: tuple[str, ...] = (
            "the directory does not report what was deleted, or moved out of `base`",
            f"a change that reaches this server by replication more than {skew} seconds late is not seen",
            "a lock that is set by a policy elsewhere, and not in the person's own entry, is not seen",
        )

    async def identity(self, server: Server) -> str:
        """The server's address, and the id of the tree's top, which differs after a fresh load."""
        settings = server.settings
        root = await server.root()
        top = await server.search(settings.base, "base", "(objectClass=*)", [settings.id_attribute])
        made = [entry_id(entry, settings) or "" for entry in top.entries]
        return " ".join([settings.url, *made, *root.texts("dataversion")])

    async def obstacle(self, server: Server) -> str | None:  # noqa: ARG002 a strategy is given the server
        return None

    async def start(self, server: Server) -> Mark | None:  # noqa: ARG002 a strategy is given the server
        return {_SINCE: datetime.now(UTC).isoformat()}

    async def changes(self, server: Server, mark: Mark) -> Changed | None:
        settings = server.settings
        following: Mark = {_SINCE: datetime.now(UTC).isoformat()}
        since = datetime.fromisoformat(str(mark[_SINCE])) - self._skew
        narrowed = f"(modifyTimestamp>={at(since)})"
        touched: list[Entry] = []
        asked = [settings.id_attribute, "hasSubordinates", "numSubordinates"]
        async for page in server.pages(settings.base, "subtree", narrowed, asked):
            touched += page.entries
        top = canonical(settings.base)
        if any(_has_entries_below(entry) and canonical(entry.dn) != top for entry in touched):
            return None
        people = await server.people(narrowed)
        groups = await server.groups(narrowed)
        ours = {entry_id(entry, settings) for entry in (*people, *groups)}
        gone = {entry_id(entry, settings) for entry in touched} - ours
        return Changed(people, groups, {found for found in gone if found is not None}, following)


def _has_entries_below(entry: Entry) -> bool:
    return (entry.text("hasSubordinates") or "").lower() == "true" or bool(entry.number("numSubordinates"))
