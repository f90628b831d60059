"""What one can ask of a target, one request's worth at a time.

The planner decides operations and packs them into calls; a target carries each out. Both speak these words and need
not know each other. Usernames and group names are the target's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "AddGroupsToAccount",
    "AddMembersToGroup",
    "Call",
    "CreateAccount",
    "CreateGroup",
    "DeleteAccount",
    "EraseAccount",
    "GrantPermission",
    "RemoveMembership",
    "RenameAccount",
    "ResetPicture",
    "RevokePermission",
    "SetPicture",
    "UpdateAccount",
]


@dataclass(frozen=True)
class CreateAccount:
    username: str
    display_name: str
    email: str


@dataclass(frozen=True)
class UpdateAccount:
    username: str
    display_name: str
    email: str
    """All three are always sent: whether a missing field keeps or blanks the value is not documented."""


@dataclass(frozen=True)
class RenameAccount:
    username: str
    new_username: str


@dataclass(frozen=True)
class DeleteAccount:
    username: str


@dataclass(frozen=True)
class EraseAccount:
    """Replaces what a deleted account has left behind (its name in commits' comments, say); nobody can undo it."""

    username: str
    """The name that the account had when it was deleted."""


@dataclass(frozen=True)
class CreateGroup:
    group: str


@dataclass(frozen=True)
class AddMembersToGroup:
    group: str
    usernames: tuple[str, ...]


@dataclass(frozen=True)
class AddGroupsToAccount:
    username: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class RemoveMembership:
    username: str
    group: str


@dataclass(frozen=True)
class GrantPermission:
    username: str
    permission: str


@dataclass(frozen=True)
class RevokePermission:
    """Takes away every direct global grant of one account."""

    username: str


@dataclass(frozen=True)
class SetPicture:
    username: str
    digest: str
    """SHA-256 of the content, 64 hexadecimal digits."""
    content: bytes = field(default=b"", repr=False)
    """A PNG. The planner knows the digest alone; whoever sends the call fills the content in."""


@dataclass(frozen=True)
class ResetPicture:
    """Back to what the target shows of an account without a picture."""

    username: str


Call = (
    CreateAccount
    | UpdateAccount
    | RenameAccount
    | DeleteAccount
    | EraseAccount
    | CreateGroup
    | AddMembersToGroup
    | AddGroupsToAccount
    | RemoveMembership
    | GrantPermission
    | RevokePermission
    | SetPicture
    | ResetPicture
)
