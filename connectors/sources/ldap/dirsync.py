"""What changed in a part of Active Directory, by the control DirSync (MS-ADTS, section 3.1.1.3.4.1.3).

It speaks of a whole naming context, and of objects of which an attribute that is asked for has changed. What they look
like now is not taken from its answers, which hold no more than the changed attributes.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connectors.sources.ldap.changes import Mark
from connectors.sources.ldap.connection import Control, Entry, RefusedSearch
from connectors.sources.ldap.domain import NO_SIGHT_OF_DELETED, Place, Touched, is_deleted, shows_deleted_objects
from connectors.sources.ldap.followed import watched
from connectors.sources.ldap.server import Server
from directory.errors import CredentialsRefused, SourceUnreadable

__all__ = ["DIRSYNC", "DirSync", "answered", "asked"]

DIRSYNC: Final = "1.2.840.113556.1.4.841"

_OBJECT_SECURITY: Final = 0x1
"""See what the account may see; without it the right Replicating Directory Changes is needed."""
_CHANGED_VALUES_ALONE: Final = -0x8000_0000
"""LDAP_DIRSYNC_INCREMENTAL_VALUES, the highest of 32 bits: of a long list of members, those that came or went."""
_MOST_BYTES: Final = 4 * 2**20

_ANYTHING: Final = "(objectClass=*)"
_DELETED_OBJECTS: Final = "(&(isDeleted=TRUE)(name=Deleted Objects))"
"""Matches one object, which is shown where deleted ones are. A cookie does not depend on the filter."""

_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_SEQUENCE: Final = 0x30


@dataclass(frozen=True)
class _Answer:
    entries: list[Entry]
    cookie: bytes


class DirSync:
    """One round trip where nothing changed."""

    name = "dirsync"

    async def begin(self, server: Server, place: Place) -> Mark | str:
        """A cookie of now, or why there is none."""
        refusal = ""
        for flags in (0, _OBJECT_SECURITY):
            try:
                answer = await _asked(server, place, flags, b"", _DELETED_OBJECTS, ["isDeleted"])
            except (RefusedSearch, CredentialsRefused) as error:
                refusal = f"the control DirSync is refused: {error.what}"
                continue
            refusal = NO_SIGHT_OF_DELETED
            if any(map(is_deleted, answer.entries)) or await shows_deleted_objects(server, place):
                return {"cookie": base64.b64encode(answer.cookie).decode(), "flags": flags}
        return refusal

    async def touched(self, server: Server, place: Place, mark: Mark) -> Touched | None:
        flags = int(mark["flags"])
        wanted = [*watched(server.settings), "name", "whenCreated", "isDeleted"]
        try:
            answer = await _asked(server, place, flags, base64.b64decode(str(mark["cookie"])), _ANYTHING, wanted)
        except (RefusedSearch, CredentialsRefused):
            return None
        living = [entry for entry in answer.entries if not is_deleted(entry)]
        return Touched(
            living=living,
            deleted=[entry for entry in answer.entries if is_deleted(entry)],
            # A new object has its date of birth among what changed.
            renamed=[entry for entry in living if entry.raw("name") is not None and entry.raw("whenCreated") is None],
            following={**mark, "cookie": base64.b64encode(answer.cookie).decode()},
        )


async def _asked(
    server: Server, place: Place, flags: int, cookie: bytes, filter_: str, attributes: Sequence[str]
) -> _Answer:
    """Every answer there is, and the last cookie. Raises as `Server.search` does, and as `answered`."""
    entries: list[Entry] = []
    while True:
        control = Control(DIRSYNC, asked(flags | _CHANGED_VALUES_ALONE, _MOST_BYTES, cookie))
        page = await server.search(place.context, "subtree", filter_, attributes, [control])
        entries += page.entries
        has_more, following = answered(page.controls.get(DIRSYNC, b""))
        if not has_more or following == cookie:
            return _Answer(entries, following)
        cookie = following


def asked(flags: int, most_bytes: int, cookie: bytes) -> bytes:
    """DirSyncRequestValue in BER: a sequence of two integers and an octet string."""
    return _tagged(_SEQUENCE, _integer(flags) + _integer(most_bytes) + _tagged(_OCTETS, cookie))


def answered(value: bytes) -> tuple[bool, bytes]:
    """Of a DirSyncResponseValue in BER: whether there is more, and the cookie. Raises SourceUnreadable."""
    try:
        _, body, _ = _untagged(value)
        _, has_more, rest = _untagged(body)
        _, _, rest = _untagged(rest)
        tag, cookie, _ = _untagged(rest)
    except IndexError:
        tag, has_more, cookie = 0, b"", b""
    if tag != _OCTETS or not cookie:
        raise SourceUnreadable(
            "the answer to a search with the control DirSync has no cookie",
            subject="the directory",
            not_done="what changed was not read and nothing was written",
            next_step="set incremental: usn-changed",
        )
    return any(has_more), cookie


def _integer(number: int) -> bytes:
    """In as few bytes as there can be, the highest bit for the sign (X.690, section 8.3)."""
    return _tagged(_INTEGER, number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True))


def _tagged(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def _untagged(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, body and rest. Raises IndexError where the data end too early."""
    tag, size, at = data[0], data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    if len(data) < at + size:
        raise IndexError
    return tag, data[at : at + size], data[at + size :]
