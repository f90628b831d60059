"""A domain controller of Active Directory, and what it says of objects that changed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from connectors.sources.ldap.changes import Mark
from connectors.sources.ldap.connection import Control, Entry, RefusedSearch
from connectors.sources.ldap.server import Server
from directory.errors import CredentialsRefused

__all__ = ["NO_SIGHT_OF_DELETED", "SHOW_DELETED", "Place", "Touched", "is_deleted", "placed", "shows_deleted_objects"]

SHOW_DELETED: Final = "1.2.840.113556.1.4.417"
NO_SIGHT_OF_DELETED: Final = (
    "the account does not see deleted objects, so nobody would learn of them: let it list CN=Deleted Objects and read "
    "the properties of what is in it"
)


@dataclass(frozen=True)
class Place:
    context: str
    """The naming context of the domain."""
    controller: str
    """The object of the domain controller, and the id that its database has until it is restored."""


@dataclass(frozen=True)
class Touched:
    """Objects of which something changed, whoever they are; each shows at least its `objectGUID`."""

    living: list[Entry]
    deleted: list[Entry]
    renamed: list[Entry]
    """Those of the living that were there before and may have another name, or lie elsewhere."""
    following: Mark


async def placed(server: Server) -> Place | None:
    """None where the server does not say who it is, as a domain controller does."""
    root = await server.root()
    context, service = root.text("defaultNamingContext"), root.text("dsServiceName")
    if context is None or service is None:
        return None
    try:
        page = await server.search(service, "base", "(objectClass=*)", ["invocationId"])
    except (RefusedSearch, CredentialsRefused):
        return None
    invocation = page.entries[0].raw("invocationId") if page.entries else None
    return None if invocation is None else Place(context, f"{service} {uuid.UUID(bytes_le=invocation)}")


async def shows_deleted_objects(server: Server, place: Place) -> bool:
    """Everybody sees that their container is there; who may look into it sees that it counts as deleted itself."""
    where = f"CN=Deleted Objects,{place.context}"
    try:
        page = await server.search(where, "base", "(objectClass=*)", ["isDeleted"], [Control(SHOW_DELETED)])
    except (RefusedSearch, CredentialsRefused):
        return False
    return any(map(is_deleted, page.entries))


def is_deleted(entry: Entry) -> bool:
    return entry.text("isDeleted") == "TRUE"
