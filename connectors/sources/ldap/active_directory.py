"""How changes in Active Directory are learned: which objects changed, and then what these look like to a full read.

Which ones is said by DirSync or by the controller's count of changes; both also speak of what was deleted, and of what
lies elsewhere now. Both marks belong to one domain controller, as long as it is not restored: Microsoft's advice for
DirSync is to read everything from another one, and the count means nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from connectors.sources.ldap.changes import Changed, Mark
from connectors.sources.ldap.connection import Entry, NoSuchObject
from connectors.sources.ldap.domain import Place, Touched, placed
from connectors.sources.ldap.entries import entry_id
from connectors.sources.ldap.followed import unfollowed
from connectors.sources.ldap.names import canonical, is_under
from connectors.sources.ldap.server import Server
from connectors.sources.ldap.settings import LdapSettings

__all__ = ["ActiveDirectory", "Way"]

_ROUNDS: Final = 4
_MOST_CHANGED: Final = 10_000
"""Beyond so many objects a full read is as cheap."""
_MOST_RENAMED: Final = 50
_IDS_A_SEARCH: Final = 200


class Way(Protocol):
    """A way to learn which objects changed."""

    name: str

    async def begin(self, server: Server, place: Place) -> Mark | str:
        """Where to go on from, or why there is no going on."""

    async def touched(self, server: Server, place: Place, mark: Mark) -> Touched | None:
        """None where the mark is of no use any more."""


class ActiveDirectory:
    """Fulfils `Strategy`. For one read."""

    blind_to: tuple[str, ...] = (
        "what comes to lie where the account may not look, or is hidden from it, is not reported as gone",
    )
    # The list does follow, but it may be read between the renaming and the news of it.
    members_follow = False

    def __init__(self, way: Way) -> None:
        self._way = way
        self._place: Place | None = None
        self.name = way.name

    async def identity(self, server: Server) -> str:
        place = await self._placed(server)
        return "" if place is None else place.controller

    async def obstacle(self, server: Server) -> str | None:
        """Why every read has to be a full one; None where changes can be learned."""
        begun = await self._begin(server)
        return begun if isinstance(begun, str) else None

    async def start(self, server: Server) -> Mark | None:
        begun = await self._begin(server)
        return None if isinstance(begun, str) else begun

    async def changes(self, server: Server, mark: Mark) -> Changed | None:
        """Told in rounds until nothing more changed, so that all is of one moment."""
        place, usn = await self._placed(server), (await server.root()).number("highestCommittedUSN")
        if place is None or usn is None or usn < int(mark["usn"]):
            return None
        known = _Known(server, place)
        for _ in range(_ROUNDS):
            beyond = len(server.referrals)
            touched = await self._way.touched(server, place, mark)
            # The search is wider than a read, and so are the parts that it is referred to.
            del server.referrals[beyond:]
            if touched is None:
                return None
            mark = {"usn": usn, **touched.following}
            if not touched.living and not touched.deleted:
                break
            if not await known.learn(touched):
                return None
        return Changed([*known.people.values()], [*known.groups.values()], known.gone, mark)

    async def _placed(self, server: Server) -> Place | None:
        if self._place is None:
            self._place = await placed(server)
        return self._place

    async def _begin(self, server: Server) -> Mark | str:
        settings, usn = server.settings, (await server.root()).number("highestCommittedUSN")
        place = await self._placed(server)
        if place is None or usn is None:
            return "the server does not say which domain controller it is (dsServiceName, invocationId)"
        if not all(is_under(base, place.context) for base in _bases(settings)):
            return f"what is read does not lie in {place.context}, the server's own domain"
        if settings.id_attribute.lower() != "objectguid":
            return f"external_id is {settings.id_attribute}, and a deleted object keeps objectGUID alone"
        unknown = await unfollowed(server)
        if unknown:
            return f"Active Directory does not report changes of {', '.join(unknown)}"
        begun = await self._way.begin(server, place)
        return begun if isinstance(begun, str) else {"usn": usn, **begun}


class _Known:
    """What is known of objects that changed, by id."""

    def __init__(self, server: Server, place: Place) -> None:
        self._server = server
        self._place = place
        self.people: dict[str, Entry] = {}
        self.groups: dict[str, Entry] = {}
        self.gone: set[str] = set()

    async def learn(self, touched: Touched) -> bool:
        """False where too much changed, or a name above others."""
        living = self._ids(touched.living)
        if len(living) > _MOST_CHANGED:
            return False
        people, groups = await self._as_read(living.values())
        renamed = self._ids(touched.renamed)
        suspects = [renamed[key] for key in renamed if key not in people and key not in groups]
        if len(suspects) > _MOST_RENAMED or any([await self._has_any_below(entry.dn) for entry in suspects]):
            return False
        for key in (*living, *self._ids(touched.deleted)):
            self.people.pop(key, None)
            self.groups.pop(key, None)
            self.gone.add(key)
        self.people |= people
        self.groups |= groups
        self.gone -= people.keys() | groups.keys()
        return True

    async def _as_read(self, entries: Iterable[Entry]) -> tuple[dict[str, Entry], dict[str, Entry]]:
        people: dict[str, Entry] = {}
        groups: dict[str, Entry] = {}
        for filter_ in _by_id(entries):
            groups |= self._ids(await self._server.groups(filter_))
            people |= self._ids(await self._server.people(filter_))
        return people, groups

    async def _has_any_below(self, dn: str) -> bool:
        if canonical(dn) == canonical(self._place.context):
            return False  # the domain itself is not renamed in its own controllers' lifetime
        settings = self._server.settings
        filter_ = f"(|{settings.filter_of_people}{settings.filter_of_groups}{settings.of.groups_filter})"
        try:
            page = await self._server.search(dn, "subtree", filter_, ["1.1"], page=(2, b""))
        except NoSuchObject:
            return True
        return any(canonical(entry.dn) != canonical(dn) for entry in page.entries)

    def _ids(self, entries: Iterable[Entry]) -> dict[str, Entry]:
        named = ((entry_id(entry, self._server.settings), entry) for entry in entries)
        return {key: entry for key, entry in named if key is not None}


def _bases(settings: LdapSettings) -> list[str]:
    return [base for base in (settings.base, settings.people_base, settings.groups_base) if base is not None]


def _by_id(entries: Iterable[Entry]) -> Iterator[str]:
    parts = [f"(objectGUID={_escaped(raw)})" for entry in entries if (raw := entry.raw("objectGUID")) is not None]
    for start in range(0, len(parts), _IDS_A_SEARCH):
        yield f"(|{''.join(parts[start : start + _IDS_A_SEARCH])})"


def _escaped(raw: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in raw)
