"""What a source and a target promise. Everything above this package speaks to these two protocols alone.

**Completeness.** `Source.read` proves that it read everything or says in `Completeness.findings` why it cannot. It
never turns an error into an empty list: a page that failed after its retries raises, or becomes a finding where the
rest is still worth having (a group that vanished between its listing and its members, a broken row).

**Retries** live in the connector: whoever calls sees an answer or an error whose class says what to do with it
(`directory.errors`). The first 401 that a fresh token does not cure raises `CredentialsRefused`, and nothing more is
sent.

**Writes.** `Target.apply` returns when the target acknowledged the change or when reading back proved it. A change
whose answer was lost is read back before it is sent again, so nothing happens twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, Self, runtime_checkable

from directory.call import Call
from directory.errors import UsersyncError
from directory.snapshot import SourceSnapshot, TargetSnapshot

__all__ = [
    "AccountScope",
    "CheckFinding",
    "FedSource",
    "IncrementalSource",
    "PersonSource",
    "PersonTarget",
    "Picture",
    "PictureSource",
    "Progress",
    "PushStore",
    "Pushed",
    "ReadScope",
    "Reading",
    "Source",
    "Target",
]

Progress = Callable[[str, int], None]
"""Told what is being read and how many rows have come so far, such as `("people", 400)`."""


@dataclass(frozen=True)
class CheckFinding:
    """One line of `usersync check`."""

    level: Literal["ok", "note", "problem"]
    what: str
    next_step: str | None = None

    @classmethod
    def of(cls, error: UsersyncError, otherwise: str | None = None) -> Self:
        """The problem that an error tells of, with its next step, or `otherwise` where it has none."""
        what = f"{error.subject}: {error.what}" if error.subject else error.what
        return cls("problem", what, error.next_step or otherwise)


@dataclass(frozen=True)
class ReadScope:
    """Which groups' members a target must read. Groups that carry a global permission are always read as well."""

    groups: frozenset[str] | None = None
    """Group names, compared without case; None for all."""


@dataclass(frozen=True)
class AccountScope:
    """What a target is asked about one person. Names are compared without case."""

    account_id: str | None
    """Of the account that is known to be theirs; None for none, or where its id was not seen yet."""
    username: str | None
    """What that account was called last."""
    wishes: frozenset[str]
    """Usernames that the person wants; none for a leaver."""
    emails: frozenset[str]
    """Addresses by which an account may become theirs."""
    groups: frozenset[str]
    """Groups of which it matters whether they exist."""


class Source(Protocol):
    """A directory of people, groups and memberships."""

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        """Read everything. Raises `SourceUnavailable`, `SourceUnreadable` or `CredentialsRefused`."""

    async def check(self) -> list[CheckFinding]:
        """Say what works and what does not, without raising for what a person can mend."""

    async def close(self) -> None:
        """Give connections back."""


@dataclass(frozen=True)
class Reading:
    """A snapshot, and from where the next read may go on."""

    snapshot: SourceSnapshot
    watermark: str | None
    """What the source wants to be told next time, as text of its own (delta links, an instant, a serial number); None
    where it cannot go on from here, so that the next read is a full one. Never a secret."""


@runtime_checkable
class IncrementalSource(Source, Protocol):
    """A source that can say what changed since a watermark.

    A reading that goes on from an earlier one is equal to a full read at the same moment, row by row: incremental is a
    matter of cost, never of content. What the vendor cannot report (deletions, mostly) is found by full reads in
    between, and `blind_to` says so.
    """

    @property
    def blind_to(self) -> tuple[str, ...]:
        """What changes the vendor does not report, one sentence each; empty where it reports everything."""

    async def read_all(self, progress: Progress | None = None) -> Reading:
        """As `read`, with the watermark taken so that nothing between the two is lost."""

    async def read_changes(self, last: Reading, progress: Progress | None = None) -> Reading | None:
        """Go on from an earlier reading. None where the watermark has expired or was refused: read everything then.

        Replays are harmless. Raises as `read` does; an incomplete reading has no watermark.
        """


@runtime_checkable
class PersonSource(Source, Protocol):
    """A source that can be asked for one person.

    What it says is what a full read at the same moment says of them, row by row: what narrows a full read (a search, a
    base, a filter) narrows this one, and whoever a full read would leave out is not there.
    """

    async def read_person(self, name: str, *, by_id: bool = False) -> SourceSnapshot:
        """The person with this username, e-mail address or external id, or only with this external id.

        `groups` are those that they are in and all that contain those; `memberships` are theirs and those among these
        groups. Without anybody in it a complete snapshot is the proof that there is no such person. Two people of one
        name are both in it. Raises as `read` does; nothing that failed is an empty answer.
        """

    async def find_groups(self, names: Collection[str]) -> SourceSnapshot:
        """The groups of a full read that have one of these names, whatever its case, and nothing else.

        What is not in a complete answer is not in the source. Raises as `read` does.
        """


class Pushed(Protocol):
    """What an identity provider pushed to one connector of the receiver, as it was at one instant."""

    @property
    def people(self) -> Sequence[tuple[str, str]]:
        """Id, and the user of SCIM as JSON, but for its id, meta and groups."""

    @property
    def groups(self) -> Sequence[tuple[str, str]]:
        """Id, and the group of SCIM as JSON, but for its id, meta and members."""

    @property
    def memberships(self) -> Sequence[tuple[str, str, bool]]:
        """Group, member, and whether the member is a group."""

    @property
    def promised(self) -> Mapping[str, int]:
        """How many of each kind, `User` and `Group`, the receiver counted."""

    @property
    def last_contact(self) -> datetime | None:
        """When a client last came with a good token; None for never."""


class PushStore(Protocol):
    """Where the receiver keeps what is pushed."""

    def pushed_to(self, connector: str, told: Callable[[str, int], None]) -> Pushed:
        """Everything, by the connector's name; `told` hears of progress, perhaps in another thread.

        Raises `UnknownRecord` where there is no such connector.
        """

    def pushed_of(self, connector: str, names: Collection[str], *, by_id: bool) -> Pushed:
        """People by id or externalId, or unless `by_id` by user name or e-mail address in any case; the groups that
        they are in and all that contain those; their memberships, and those among these groups. Raises as above."""

    def pushed_groups(self, connector: str, names: Collection[str]) -> Pushed:
        """The groups of these names in any case, and nothing else. Raises as above."""


@runtime_checkable
class FedSource(Source, Protocol):
    """A source that does not ask for its people: they are pushed, and wait in a store that the run knows."""

    def feed(self, store: PushStore) -> None:
        """Where they wait. To be called before the first read."""


Picture = bytes | None | UsersyncError
"""An image file, None where the source says that there is none, or why this one could not be had."""


@runtime_checkable
class PictureSource(Source, Protocol):
    """A source that holds pictures of its people and gives them one by one."""

    def pictures(
        self, external_ids: Sequence[str], size: int, progress: Progress | None = None
    ) -> AsyncIterator[tuple[str, Picture]]:
        """The picture of each person, in any order, at least `size` pixels wide and high where there is one.

        A request that failed is an error and never None. Raises `CredentialsRefused`, or `SourceUnavailable` where
        asking for more is of no use.
        """


class Target(Protocol):
    """A product whose accounts, groups and memberships are kept equal to a source."""

    @property
    def requests(self) -> int:
        """Requests sent so far, retries included."""

    async def read(self, scope: ReadScope, progress: Progress | None = None) -> TargetSnapshot:
        """Read accounts, groups, grants, licence, and the members of the groups in scope.

        Raises `TargetUnavailable`, `TargetUnreadable` or `CredentialsRefused`: there is no incomplete target snapshot.
        """

    async def apply(self, call: Call) -> None:
        """Carry out one change. Raises `OperationRefused`, `TargetUnavailable` or `CredentialsRefused`.

        Idempotent where the target lets it be: a membership that is there already, or is gone already, is no error.
        """

    async def holds(self, call: Call) -> bool:
        """Whether the effect of a call is there already; for calls whose answer was lost when we were killed."""

    async def check(self) -> list[CheckFinding]:
        """Say what works, what does not and why, without raising for what a person can mend."""

    async def close(self) -> None:
        """Give connections back."""


@runtime_checkable
class PersonTarget(Target, Protocol):
    """A target that can be asked for one account."""

    async def read_account(self, scope: AccountScope) -> TargetSnapshot | None:
        """The accounts that are or may become the person's, with their memberships and grants, and what else has a name
        that they want, or one that the target cannot tell from it.

        `groups` are those of the scope that exist, those that these accounts are in, and all that have a global
        permission. Seats may be left out where the person's account takes one already. None where the account of the
        scope is not called what was thought: only a read of everything finds it, or proves that it is gone. Raises as
        `read` does.
        """
