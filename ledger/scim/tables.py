"""The tables of the SCIM receiver: who may push, what was pushed, who was touched by it, and who did it.

Everything a client sent is kept under the connector that its token belongs to, and keys and foreign keys hold the
connector as well: what one connector stored cannot be reached, counted or refused by way of another.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field

from ledger.table import CLUSTERED, Table

__all__ = [
    "ScimAudit",
    "ScimConnector",
    "ScimCount",
    "ScimMember",
    "ScimResource",
    "ScimToken",
    "ScimTouched",
    "ScimValue",
]


class ScimConnector(Table, table=True):
    """One identity provider that pushes."""

    __tablename__ = "scim_connectors"

    id: str = Field(primary_key=True)
    slug: str
    """Its part of the address. Those of revoked connectors may be given again, so the open ones are kept unique by code
    in the transaction that adds one."""
    base_url: str | None = None
    """What stands before `/scim/<slug>/v2` in locations; null for what the service is told."""
    strict: bool = False
    """Whether what is not SCIM is refused instead of mended."""
    schemas: str = Field(sa_type=Text)
    """A JSON list of schemas of further attributes of users (RFC 7643, section 7)."""
    created_at: int = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    allowed: str | None = Field(default=None, sa_type=Text)
    """A JSON list of the networks that it may push from; null for anywhere."""


class ScimToken(Table, table=True):
    """A bearer token; it cannot be read from its row."""

    __tablename__ = "scim_tokens"

    id: str = Field(primary_key=True)
    connector_id: str = Field(foreign_key="scim_connectors.id", index=True)
    digest: str
    """SHA-256 of the whole token, which is 256 random bits: nothing to guess, so no slow hash."""
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)
    """To the minute: a row is not written at each request."""


class ScimResource(Table, table=True):
    """A user or a group."""

    __tablename__ = "scim_resources"
    __table_args__ = (
        UniqueConstraint("connector_id", "kind", "name_key", name="uq_scim_resources_name"),
        Index(None, "connector_id", "kind", "created_at", "id"),
        Index(None, "connector_id", "kind", "external_id"),
    )

    connector_id: str = Field(primary_key=True, foreign_key="scim_connectors.id")
    id: str = Field(primary_key=True)
    kind: str
    """User or Group."""
    name_key: str
    """userName or displayName, as it is compared: normal form C, in lower case."""
    external_id: str | None = None
    version: int
    created_at: int = Field(sa_type=BigInteger)
    modified_at: int = Field(sa_type=BigInteger)
    document: str = Field(sa_type=Text)
    """JSON object as it is answered, but for id, meta, and what memberships tell."""
    keys: str = Field(sa_type=Text)
    """JSON object of the same form that holds what filters and sorting compare."""


class ScimValue(Table, table=True):
    """One value of an attribute that has many and is searched by."""

    __tablename__ = "scim_values"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connector_id", "resource_id"],
            ["scim_resources.connector_id", "scim_resources.id"],
            name="fk_scim_values_resource",
            ondelete="CASCADE",
        ),
        Index(None, "connector_id", "resource_id"),
        CLUSTERED,
    )

    connector_id: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    resource_id: str = Field(primary_key=True)


class ScimMember(Table, table=True):
    """A direct membership."""

    __tablename__ = "scim_members"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connector_id", "group_id"],
            ["scim_resources.connector_id", "scim_resources.id"],
            name="fk_scim_members_group",
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["connector_id", "member_id"],
            ["scim_resources.connector_id", "scim_resources.id"],
            name="fk_scim_members_member",
            ondelete="CASCADE",
        ),
        Index(None, "connector_id", "member_id"),
        CLUSTERED,
    )

    connector_id: str = Field(primary_key=True)
    group_id: str = Field(primary_key=True)
    member_id: str = Field(primary_key=True)
    member_kind: str
    display: str | None = Field(default=None, sa_type=Text)
    """As the client sent it."""


class ScimCount(Table, table=True):
    """How many resources of a kind there are: counting them anew costs a scan of an index at each page."""

    __tablename__ = "scim_counts"
    __table_args__ = CLUSTERED

    connector_id: str = Field(primary_key=True, foreign_key="scim_connectors.id")
    kind: str = Field(primary_key=True)
    count: int = Field(sa_type=BigInteger)


class ScimTouched(Table, table=True):
    """A person, or a whole group, that a write touched and no sync has looked at since."""

    __tablename__ = "scim_touched"
    __table_args__ = (Index(None, "connector_id", "at"), CLUSTERED)

    connector_id: str = Field(primary_key=True, foreign_key="scim_connectors.id")
    kind: str = Field(primary_key=True)
    resource_id: str = Field(primary_key=True)
    mark: str
    """Drawn anew at each touch, so that who dealt with one does not take away the next."""
    at: int = Field(sa_type=BigInteger)


class ScimAudit(Table, table=True):
    """One write."""

    __tablename__ = "scim_audit"
    __table_args__ = (Index(None, "connector_id", "id"), Index(None, "connector_id", "resource_id"))

    id: str = Field(primary_key=True)
    """Sorts by time."""
    connector_id: str = Field(foreign_key="scim_connectors.id")
    token_id: str
    client: str | None = None
    """The address that the write came from."""
    request_id: str
    at: int = Field(sa_type=BigInteger)
    action: str
    """create, replace, patch or delete."""
    kind: str
    resource_id: str
    version_before: int | None = None
    version_after: int | None = None
    changed: str = Field(sa_type=Text)
    """A JSON list of names of attributes, with counts of members; never values."""
    mended: str = Field(sa_type=Text)
    """A JSON list of the rules that made SCIM of what the client sent."""
