"""The tables of the ledger: the one declaration that fresh ledgers are made from and migrations are compared with.

Statements are written as SQL in the module of each subject, and nothing imports this module to run them: SQLModel costs
as much to import as SQLAlchemy itself, and only a fresh or outdated ledger needs it.

Instants are microseconds since 1970 in UTC: exact, sortable and alike on SQLite and PostgreSQL. Frames are Parquet, in
tables of their own, because SQLite writes a whole row again when one column of it changes. Settings and secrets have no
column here.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, Text
from sqlmodel import Field

from ledger.scim.tables import (
    ScimAudit,
    ScimConnector,
    ScimCount,
    ScimMember,
    ScimResource,
    ScimToken,
    ScimTouched,
    ScimValue,
)
from ledger.table import CLUSTERED, Table

__all__ = [
    "AuditEntry",
    "Decision",
    "Document",
    "GroupFeeds",
    "JournalEntry",
    "Lease",
    "Link",
    "Memory",
    "OwnedGroup",
    "Picture",
    "PictureContent",
    "PlanFrame",
    "Question",
    "Reading",
    "ReadingFrame",
    "Result",
    "Run",
    "ScimAudit",
    "ScimConnector",
    "ScimCount",
    "ScimMember",
    "ScimResource",
    "ScimToken",
    "ScimTouched",
    "ScimValue",
    "Snapshot",
    "SnapshotFrame",
    "StoredPlan",
    "Table",
    "Token",
    "Watermark",
]


class Run(Table, table=True):
    """One execution of a sync."""

    __tablename__ = "runs"
    __table_args__ = (Index(None, "sync", "started_at"), Index(None, "target", "status"))

    id: str = Field(primary_key=True)
    sync: str
    mode: str
    target: str
    status: str
    plan_id: str | None = Field(default=None, index=True)
    started_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    host: str
    pid: int
    process: str
    """Tells the process from a later one of the same number: see `ledger.process`."""
    flow_run_id: str | None = Field(default=None, index=True)
    """Not unique: a flow run that Prefect starts again keeps its id."""
    error: str | None = Field(default=None, sa_type=Text)
    header: str = Field(sa_type=Text)
    """JSON object."""
    source_stats: str | None = Field(default=None, sa_type=Text)
    """JSON object; null for runs that read no source."""


class StoredPlan(Table, table=True):
    """A plan, by the digest of its content."""

    __tablename__ = "plans"
    __table_args__ = (Index(None, "sync", "created_at"),)

    id: str = Field(primary_key=True)
    sync: str
    target: str
    state: str
    created_at: int = Field(sa_type=BigInteger)
    approved_by: str | None = None
    approved_at: int | None = Field(default=None, sa_type=BigInteger)
    header: str = Field(sa_type=Text)
    """JSON object, as the plan wrote it."""


class PlanFrame(Table, table=True):
    """One frame of a plan, such as its operations, as Parquet."""

    __tablename__ = "plan_frames"

    plan_id: str = Field(primary_key=True, foreign_key="plans.id")
    name: str = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


class Decision(Table, table=True):
    """What somebody decided on a plan. Outlives the plan: who let it through is asked years later."""

    __tablename__ = "decisions"

    plan_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """Counts from 0; the last one counts."""
    decision: str
    decided_by: str
    decided_at: int = Field(sa_type=BigInteger)
    comment: str | None = Field(default=None, sa_type=Text)


class Question(Table, table=True):
    """A flow run that waits, or waited, for a decision on a plan."""

    __tablename__ = "questions"
    __table_args__ = (Index(None, "sync", "outcome"),)

    flow_run_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """Counts from 0: a flow run may ask more than once."""
    plan_id: str
    sync: str
    asked_at: int = Field(sa_type=BigInteger)
    open_until: int = Field(sa_type=BigInteger)
    outcome: str | None = None
    """Null while it is open."""


class JournalEntry(Table, table=True):
    """What became of one operation of a plan; no row for one that was never sent."""

    __tablename__ = "journal"
    __table_args__ = CLUSTERED

    plan_id: str = Field(primary_key=True, foreign_key="plans.id")
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    status: str
    run_id: str
    call: int | None = None
    """The request that carried it, counted from 0 within the run; requests carry several operations."""
    error: str | None = Field(default=None, sa_type=Text)
    sent_at: int | None = Field(default=None, sa_type=BigInteger)
    at: int | None = Field(default=None, sa_type=BigInteger)
    """When the target acknowledged or refused it, or when it was skipped."""


class Link(Table, table=True):
    """Which account belongs to which person."""

    __tablename__ = "links"
    __table_args__ = CLUSTERED

    sync: str = Field(primary_key=True)
    external_id: str = Field(primary_key=True)
    account_id: str | None = None
    """Null from a creation until the account is first read."""
    username: str
    state: str
    adopted: bool
    linked_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    left_at: int | None = Field(default=None, sa_type=BigInteger)
    """When a run first acted on a leaver; null for everybody else."""
    access_since: int | None = Field(default=None, sa_type=BigInteger)
    """When access was last given; null for links from before this was noted."""


class Memory(Table, table=True):
    """A group, a permission or a name that was taken from an account."""

    __tablename__ = "memories"
    __table_args__ = CLUSTERED

    sync: str = Field(primary_key=True)
    external_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    removed_at: int = Field(sa_type=BigInteger)
    run_id: str
    plan_id: str


class OwnedGroup(Table, table=True):
    """A group of the target that a sync has assigned, and so may remove people from."""

    __tablename__ = "owned_groups"
    __table_args__ = CLUSTERED

    sync: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    since: int = Field(sa_type=BigInteger)


class GroupFeeds(Table, table=True):
    """What fed an owned group when it was last assigned. Ledgers of older programs know it of no group."""

    __tablename__ = "group_feeds"
    __table_args__ = CLUSTERED

    sync: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    """In lower case."""
    feeds: str = Field(sa_type=Text)
    """A JSON list of [id, name] of source groups, both null for a group that everybody gets."""


class Result(Table, table=True):
    """What a run meant for every person, as Parquet."""

    __tablename__ = "results"

    run_id: str = Field(primary_key=True, foreign_key="runs.id")
    people: bytes = Field(sa_type=LargeBinary)


class Document(Table, table=True):
    """Where the JSON document of a run lies."""

    __tablename__ = "documents"

    run_id: str = Field(primary_key=True, foreign_key="runs.id")
    location: str
    size: int = Field(sa_type=BigInteger)
    sha256: str


class Reading(Table, table=True):
    """The last reading of a source that was acted upon, and from where the next one may go on."""

    __tablename__ = "readings"

    sync: str = Field(primary_key=True)
    watermark: str = Field(sa_type=Text)
    read_at: int = Field(sa_type=BigInteger)
    full_at: int = Field(sa_type=BigInteger)


class ReadingFrame(Table, table=True):
    """One frame of that reading, as Parquet."""

    __tablename__ = "reading_frames"

    sync: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


class Snapshot(Table, table=True):
    """What one side looked like when it was last read, or when it was last acted upon."""

    __tablename__ = "snapshots"

    sync: str = Field(primary_key=True)
    side: str = Field(primary_key=True)
    read_at: int = Field(sa_type=BigInteger)
    digest: str = Field(sa_type=Text)
    """Tells whether the frames hold other rows."""
    about: str = Field(sa_type=Text)
    """JSON object."""


class SnapshotFrame(Table, table=True):
    """One frame of it, as Parquet."""

    __tablename__ = "snapshot_frames"

    sync: str = Field(primary_key=True)
    side: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


class Picture(Table, table=True):
    """Which picture the source was seen to have of a person, and which one the account was given."""

    __tablename__ = "pictures"
    __table_args__ = CLUSTERED

    sync: str = Field(primary_key=True)
    external_id: str = Field(primary_key=True)
    made_of: str
    """Tells whether the source says something else now: the size, and the digest of what the source said."""
    seen: str | None = None
    """The digest of the PNG that was made; null where the source has none."""
    given: str | None = None
    asked_at: int = Field(sa_type=BigInteger)


class PictureContent(Table, table=True):
    """A PNG that is still to be sent, by its digest."""

    __tablename__ = "picture_contents"

    digest: str = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


class Lease(Table, table=True):
    """The right of one run to write to one target, for a while."""

    __tablename__ = "leases"

    target: str = Field(primary_key=True)
    run_id: str
    token: str
    """Drawn anew at each acquisition, so that a holder that lost its lease cannot renew another's."""
    host: str
    pid: int
    process: str
    acquired_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)


class Watermark(Table, table=True):
    """Up to where something was read: a delta token, an ETag, the instant of the last full read."""

    __tablename__ = "watermarks"

    sync: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: str = Field(sa_type=Text)
    updated_at: int = Field(sa_type=BigInteger)


class Token(Table, table=True):
    """Who may use the HTTP service. The token itself is not here, only what tells that it is the one."""

    __tablename__ = "tokens"

    id: str = Field(primary_key=True)
    """Part of the token, so that one row is looked at."""
    name: str
    scopes: str
    """Separated by spaces."""
    digest: str
    """SHA-256 of the token, hexadecimal."""
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    used_at: int | None = Field(default=None, sa_type=BigInteger)
    """To the minute."""
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)


class AuditEntry(Table, table=True):
    """Somebody asked the HTTP service to change something."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "at"),)

    id: str = Field(primary_key=True)
    at: int = Field(sa_type=BigInteger)
    token_id: str | None = None
    """Null where nobody was known, such as at a sign-in that failed."""
    who: str | None = None
    """The token's name."""
    client: str
    """The address that it came from."""
    what: str = Field(sa_type=Text)
    """Method and path."""
    status: int | None = None
    """What was answered; null where the service ended before it did."""
    details: str = Field(sa_type=Text)
    """JSON object."""
