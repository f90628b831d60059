"""What a Bitbucket holds: directories, users, groups, and the remains of deleted users."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.bitbucket.ordering import OrderedKeys
from sandbox.bitbucket.switches import PERMISSIONS, Permission

INTERNAL_DIRECTORY = "Bitbucket Internal Directory"
RANK: dict[str | None, int] = {None: 0, **{name: number for number, name in enumerate(PERMISSIONS, start=1)}}


@dataclass(slots=True)
class Directory:
    """An internal directory is writable; Crowd, Jira and LDAP ones are not.

    `mutable_groups` without `mutable_details` is a read-only directory whose users may join local groups.
    """

    name: str = INTERNAL_DIRECTORY
    type: str = "Bitbucket Internal Directory"
    description: str = "Users and groups kept by Bitbucket itself"
    mutable_details: bool = True
    mutable_groups: bool = True
    active: bool = True


@dataclass(slots=True)
class User:
    """`groups` holds keys of groups; `detailed` and `plain` are the encoded bodies, until something changes."""

    id: int
    name: str
    slug: str
    display_name: str
    email: str
    directory: Directory
    password: str | None = None
    active: bool = True
    type: Literal["NORMAL", "SERVICE"] = "NORMAL"
    last_authentication_ms: int | None = None
    failed_logins: int = 0
    groups: set[str] = field(default_factory=set)
    searched: str = ""
    detailed: bytes | None = None
    plain: bytes | None = None

    @property
    def key(self) -> str:
        return self.name.casefold()

    def changed(self) -> None:
        """Forget what was derived from the fields."""
        self.searched = f"{self.name}\n{self.display_name}\n{self.email}".casefold()
        self.detailed = self.plain = None


@dataclass(slots=True)
class Group:
    number: int
    name: str
    directory: Directory
    members: OrderedKeys = field(default_factory=OrderedKeys)
    parents: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    encoded: bytes | None = None

    @property
    def key(self) -> str:
        return self.name.casefold()

    @property
    def deletable(self) -> bool:
        return self.directory.mutable_groups


@dataclass(slots=True)
class Tombstone:
    """A deleted user. The row outlives the seven days; what can be regained does not."""

    id: int
    name: str
    deleted_at: float
    groups: frozenset[str]
    permission: Permission | None


def outranks(left: str | None, right: str | None) -> bool:
    return RANK[left] > RANK[right]
