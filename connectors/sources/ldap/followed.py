"""Which attributes Active Directory reports the changes of.

It does not where a value is computed, or belongs to one controller, or is the other end of another object's link
(`memberOf`); and the name of another object (`manager`) may change without the object that holds it.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.server import Server
from connectors.sources.ldap.settings import LdapSettings

__all__ = ["unfollowed", "watched"]

_IN_FILTER: Final = re.compile(r"\(\s*([A-Za-z][A-Za-z0-9-]*)[^=()]*=")
_OURS: Final = frozenset({"objectguid", "objectsid", "objectcategory", "usnchanged", "member", "distinguishedname"})
"""Fixed, or seen in another way."""

_NOT_REPLICATED: Final = 0x1
_CONSTRUCTED: Final = 0x4
_NAMES: Final = frozenset({"2.5.5.1", "2.5.5.7", "2.5.5.14"})
"""Syntaxes that hold the name of an object: MS-ADTS, section 3.1.1.2.2.2."""


def watched(settings: LdapSettings) -> list[str]:
    """Every attribute that a person, a group, or whether somebody is one, hangs on."""
    names = [*settings.person_attributes, *settings.group_attributes]
    for filter_ in (settings.filter_of_people, settings.filter_of_groups, settings.of.groups_filter):
        names += _IN_FILTER.findall(filter_)
    unique = {name.lower(): name for name in names}
    return [name for folded, name in unique.items() if folded not in {"objectguid", settings.of.version.lower()}]


async def unfollowed(server: Server) -> list[str]:
    """Those of the watched attributes whose changes are not reported, by the schema (MS-ADTS, section 3.1.1.2.3)."""
    schema = (await server.root()).text("schemaNamingContext")
    asked = [name for name in watched(server.settings) if name.lower() not in _OURS]
    if schema is None:
        return asked
    named = "".join(f"(lDAPDisplayName={name})" for name in asked)
    filter_ = f"(&(objectClass=attributeSchema)(|{named}))"
    wanted = ["lDAPDisplayName", "systemFlags", "linkID", "attributeSyntax"]
    found: list[Entry] = []
    async for page in server.pages(schema, "subtree", filter_, wanted):
        found += page.entries
    if not found:
        return asked
    return sorted(entry.text("lDAPDisplayName") or "" for entry in found if not _is_reported(entry))


def _is_reported(entry: Entry) -> bool:
    flags, link = entry.number("systemFlags") or 0, entry.number("linkID") or 0
    is_other_end = link % 2 == 1
    return not (flags & (_NOT_REPLICATED | _CONSTRUCTED) or is_other_end or entry.text("attributeSyntax") in _NAMES)
