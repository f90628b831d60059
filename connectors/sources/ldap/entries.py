"""Entries as people and groups, in the snapshot's words."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from connectors.sources.ldap.connection import Entry
from connectors.sources.ldap.products import Rule
from connectors.sources.ldap.settings import LdapSettings

__all__ = ["Group", "Person", "as_group", "as_person", "entry_id", "is_active"]

_ACCOUNT_DISABLED: Final = 0x2
_NEVER: Final = frozenset({0, 0x7FFF_FFFF_FFFF_FFFF})
_FILETIME_EPOCH: Final = int(datetime(1601, 1, 1, tzinfo=UTC).timestamp())
_LOCKED_FOR_GOOD: Final = "000001010000Z"
_DAY: Final = 86_400


@dataclass(frozen=True)
class Person:
    external_id: str
    dn: str
    username: str | None
    email: str | None
    display_name: str | None
    given_name: str | None
    family_name: str | None
    uid: str | None
    """What a posixGroup calls its members by."""
    disabled: bool
    """Whether something shuts the person out that does not hang on the clock."""
    expires_at: int | None
    """Seconds since 1970."""
    primary_group: str | None
    attributes: Mapping[str, list[str]]


@dataclass(frozen=True)
class Group:
    group_id: str
    dn: str
    name: str
    primary_id: str | None
    """What `Person.primary_group` says of the people whose primary group it is."""
    members: frozenset[str]
    """Names of members (DNs)."""
    uids: frozenset[str]


def entry_id(entry: Entry, settings: LdapSettings) -> str | None:
    """The external id as text, None where the entry does not show it."""
    return _shown(entry, settings.id_attribute)


def as_person(entry: Entry, settings: LdapSettings) -> Person | None:
    """None where the entry does not show its id."""
    external_id = entry_id(entry, settings)
    if external_id is None:
        return None
    product = settings.of
    return Person(
        external_id=external_id,
        dn=entry.dn,
        username=entry.text(settings.username or product.username),
        email=entry.text(settings.email),
        display_name=entry.text(settings.display_name or product.display_name) or entry.text("cn"),
        given_name=entry.text("givenName"),
        family_name=entry.text("sn"),
        uid=entry.text("uid"),
        disabled=any(_DISABLES[rule](entry) for rule in settings.disabling if rule in _DISABLES),
        expires_at=min(
            (at for rule in settings.disabling if rule in _EXPIRES and (at := _EXPIRES[rule](entry)) is not None),
            default=None,
        ),
        primary_group=_primary_group(entry, settings),
        attributes={column: _all_shown(entry, name) for column, name in settings.columns.items()},
    )


def as_group(entry: Entry, settings: LdapSettings) -> Group | None:
    """None where the entry does not show its id."""
    group_id = entry_id(entry, settings)
    if group_id is None:
        return None
    named = _shown(entry, settings.of.primary_of_group) if settings.primary_groups else None
    return Group(
        group_id=group_id,
        dn=entry.dn,
        name=entry.text(settings.group_name) or entry.dn,
        primary_id=named,
        members=frozenset([*entry.texts("member"), *map(_without_unique_id, entry.texts("uniqueMember"))]),
        uids=frozenset(entry.texts("memberUid")),
    )


def is_active(*, disabled: bool, expires_at: int | None, now: int) -> bool:
    """`now` and `expires_at` in seconds since 1970."""
    return not disabled and (expires_at is None or now < expires_at)


def _by_control_flags(entry: Entry) -> bool:
    """Nobody is active whose flags are not shown."""
    flags = entry.number("userAccountControl")
    return flags is None or bool(flags & _ACCOUNT_DISABLED)


def _file_time(entry: Entry) -> int | None:
    """MS-ADTS: hundreds of nanoseconds since 1601; two numbers mean never."""
    ticks = entry.number("accountExpires")
    return None if ticks is None or ticks in _NEVER else _FILETIME_EPOCH + ticks // 10_000_000


def _shadow_day(entry: Entry) -> int | None:
    """RFC 2307 and shadow(5): a day since 1970, below zero for never; on that day the account is no good any more."""
    days = entry.number("shadowExpire")
    return None if days is None or days < 0 else days * _DAY


_DISABLES: Final[Mapping[Rule, Callable[[Entry], bool]]] = {
    "userAccountControl": _by_control_flags,
    "nsAccountLock": lambda entry: (entry.text("nsAccountLock") or "").lower() == "true",
    # Any other time is a lock after wrong passwords, which ends by itself.
    "pwdAccountLockedTime": lambda entry: entry.text("pwdAccountLockedTime") == _LOCKED_FOR_GOOD,
}
_EXPIRES: Final[Mapping[Rule, Callable[[Entry], int | None]]] = {
    "accountExpires": _file_time,
    "shadowExpire": _shadow_day,
}


def _primary_group(entry: Entry, settings: LdapSettings) -> str | None:
    """As the group's attribute says it: in Active Directory the SID of the domain with another last number."""
    if not settings.primary_groups:
        return None
    named = entry.text(settings.of.primary_of_person)
    if named is None or settings.of.primary_of_group != "objectSid":
        return named
    own = _shown(entry, "objectSid")
    return None if own is None else f"{own.rpartition('-')[0]}-{named}"


def _shown(entry: Entry, attribute: str) -> str | None:
    raw = entry.raw(attribute)
    if raw is None:
        return None
    special = _SPECIAL.get(attribute.lower())
    return entry.text(attribute) if special is None else special(raw)


def _all_shown(entry: Entry, attribute: str) -> list[str]:
    """Sorted, since a directory keeps values in no order."""
    special = _SPECIAL.get(attribute.lower())
    if special is None:
        return sorted(entry.texts(attribute))
    found = (special(raw) for raw in entry.attributes.get(attribute.lower(), ()))
    return sorted(text for text in found if text is not None)


def _guid(raw: bytes) -> str | None:
    return str(uuid.UUID(bytes_le=raw)) if len(raw) == 16 else None


def _sid(raw: bytes) -> str | None:
    """MS-DTYP 2.4.2.2: revision, count, six bytes of authority, and as many numbers as counted."""
    if len(raw) < 8 or len(raw) != 8 + 4 * raw[1]:
        return None
    numbers = [int.from_bytes(raw[at : at + 4], "little") for at in range(8, len(raw), 4)]
    return "-".join(map(str, ["S", raw[0], int.from_bytes(raw[2:8], "big"), *numbers]))


_SPECIAL: Final[Mapping[str, Callable[[bytes], str | None]]] = {"objectguid": _guid, "objectsid": _sid}


def _without_unique_id(name: str) -> str:
    """Name And Optional UID (RFC 4517, section 3.3.21): a bit string may follow the name."""
    head, separator, tail = name.rpartition("#")
    return head if separator and tail.startswith("'") and tail.endswith("'B") else name
