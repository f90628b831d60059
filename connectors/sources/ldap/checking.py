"""What `usersync check` says about a directory: it is read as a sync would read it, which takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from connectors.contract import CheckFinding
from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.frames import Frames
from connectors.sources.ldap.reading import FullRead, named
from connectors.sources.ldap.server import Server
from connectors.sources.ldap.settings import LdapSettings
from connectors.sources.ldap.strategies import choose

__all__ = ["check"]

_PAGED: Final = "1.2.840.113556.1.4.319"
_ACTIVE_DIRECTORY: Final = "1.2.840.113556.1.4.800"
_SHOWN: Final = 5


async def check(settings: LdapSettings, connect: Callable[[LdapSettings], Server]) -> list[CheckFinding]:
    """Raises as a read does."""
    async with connect(settings) as server:
        root = await server.root()
        found = list(_about_server(settings, root))
        reading = FullRead(server, None)
        frames = await reading.run()
        found += _about_people(settings, frames)
        found += _about_groups(settings, reading, frames)
        found += _left_out(settings, server)
        step = "see docs/sources/ldap.md; until then nothing is removed"
        found += [CheckFinding("problem", finding, step) for finding in reading.findings]
        found.append(await _about_changes(settings, server))
    return found


def _about_server(settings: LdapSettings, root: Entry) -> Iterator[CheckFinding]:
    who = settings.bind_dn or "nobody in particular"
    yield CheckFinding("ok", f"{settings.url} answers to {who}")
    if not settings.is_encrypted:
        yield CheckFinding("note", "the password travels in the clear", "use ldaps:// or encryption: starttls")
    looks = _looks_like(root)
    if looks is not None and looks != settings.product:
        yield CheckFinding("problem", f"product is {settings.product}, but the server looks like {looks}", "correct it")
    controls = root.texts("supportedControl")
    if controls and _PAGED not in controls:
        yield CheckFinding("problem", "the server does not know paged results (RFC 2696)", "let it, see its manual")


def _looks_like(root: Entry) -> str | None:
    if _ACTIVE_DIRECTORY in root.texts("supportedCapabilities"):
        return "active-directory"
    if "OpenLDAProotDSE" in root.texts("objectClass"):
        return "openldap"
    return "389ds" if "389" in (root.text("vendorName") or root.text("vendorVersion") or "") else None


def _about_people(settings: LdapSettings, frames: Frames) -> Iterator[CheckFinding]:
    people = frames.people
    where = settings.people_base or settings.base
    if not people.height:
        what = f"nobody below {where} matches {settings.filter_of_people}, or the account may see nobody"
        yield CheckFinding("note", what, "correct people_base and people_filter, or let the account read")
        return
    out = people.height - int(people["active"].sum())
    shown = ", ".join(people["username"].drop_nulls().sort().head(_SHOWN))
    yield CheckFinding("ok", f"{people.height} people below {where}, {out} of them shut out; such as {shown}")
    empty = [name for column, name in settings.columns.items() if people[column].null_count() == people.height]
    if empty:
        yield CheckFinding(
            "note", f"nobody shows {', '.join(sorted(empty))}", "correct attributes, or what may be seen"
        )


def _about_groups(settings: LdapSettings, reading: FullRead, frames: Frames) -> Iterator[CheckFinding]:
    where = settings.groups_base or settings.base
    if not frames.groups.height:
        what = f"no group below {where} matches {settings.filter_of_groups}"
        yield CheckFinding("problem", what, "correct groups_base and groups_filter")
        return
    shown = ", ".join(frames.groups["name"].sort().head(_SHOWN))
    what = f"{frames.groups.height} groups below {where} with {frames.memberships.height} members; such as {shown}"
    yield CheckFinding("ok", what)
    links = reading.links
    yield from _strangers("members of groups", links.unknown.values())
    yield from _strangers("uids in memberUid", links.unknown_uids)


def _strangers(what: str, found: Iterable[str]) -> Iterator[CheckFinding]:
    strangers = list(found)
    if strangers:
        text = named(f"{len(strangers)} {what} are neither people nor groups of this sync, and are left out", strangers)
        yield CheckFinding("note", text)


def _left_out(settings: LdapSettings, server: Server) -> Iterator[CheckFinding]:
    if server.referrals:
        what = f"{len(server.referrals)} parts of the tree are on other servers, and are not read"
        step = "give them a sync of their own where people are in them" if settings.referrals == "skip" else None
        yield CheckFinding("note", named(what, server.referrals), step)


async def _about_changes(settings: LdapSettings, server: Server) -> CheckFinding:
    strategy = choose(settings, await server.root())
    if strategy is None:
        return CheckFinding("note", "every read is a full one")
    obstacle = await strategy.obstacle(server)
    if obstacle is not None:
        return CheckFinding("note", f"every read is a full one: {obstacle}", "see docs/sources/ldap.md")
    return CheckFinding("ok", f"what changed since the last read is found by {strategy.name}")
