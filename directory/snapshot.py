"""What one side looks like at one moment: three Polars frames with a declared schema, and a completeness verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import polars as pl

__all__ = [
    "ACCOUNTS",
    "MEMBERS",
    "MEMBERSHIPS",
    "PEOPLE",
    "SOURCE_GROUPS",
    "TARGET_GROUPS",
    "Completeness",
    "Licence",
    "Snapshot",
    "SourceSnapshot",
    "TargetSnapshot",
    "conform",
    "member_rows",
]

PEOPLE: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "username": pl.String(),
    "email": pl.String(),
    "display_name": pl.String(),
    "active": pl.Boolean(),
}
"""People of a source. Further columns are attributes under the source's own names (String, Boolean, Int64 or
List(String)), for the SQL expressions of a sync file. `external_id` is the source's immutable id and unique; `active`
is false for everybody whom the source keeps but has shut out."""

SOURCE_GROUPS: Mapping[str, pl.DataType] = {"group_id": pl.String(), "name": pl.String()}
"""Groups of a source: its immutable id, and the name that people read. Names may repeat, ids do not."""

MEMBERSHIPS: Mapping[str, pl.DataType] = {
    "group_id": pl.String(),
    "member_id": pl.String(),
    "member_is_group": pl.Boolean(),
}
"""Direct memberships of a source. `member_id` is an `external_id`, or a `group_id` where `member_is_group`."""

ACCOUNTS: Mapping[str, pl.DataType] = {
    "account_id": pl.String(),
    "username": pl.String(),
    "email": pl.String(),
    "display_name": pl.String(),
    "active": pl.Boolean(),
    "directory": pl.String(),
    "mutable_details": pl.Boolean(),
    "mutable_groups": pl.Boolean(),
    "deletable": pl.Boolean(),
    "permission": pl.String(),
    "last_login": pl.Datetime("ms", "UTC"),
}
"""Accounts of a target. `account_id` outlives a rename; `permission` is the highest direct global grant, null for none;
`last_login` is null for who never logged in."""

TARGET_GROUPS: Mapping[str, pl.DataType] = {
    "name": pl.String(),
    "permission": pl.String(),
    "members_read": pl.Boolean(),
}
"""Groups of a target. `permission` is the highest global permission that the group gives, null for none. Where
`members_read` is false the group was outside of what was asked for, and no membership row speaks of it."""

MEMBERS: Mapping[str, pl.DataType] = {"group": pl.String(), "account_id": pl.String()}
"""Memberships of a target: group name and account id."""


@dataclass(frozen=True)
class Completeness:
    """Whether a read may justify removals: pages followed to the end, promised count received, nothing skipped."""

    findings: tuple[str, ...] = ()
    """Why the read is not complete, one sentence each; empty when it is."""

    @property
    def complete(self) -> bool:
        return not self.findings

    def also(self, *findings: str) -> Completeness:
        """The verdict after further findings."""
        return Completeness((*self.findings, *findings))


@dataclass(frozen=True)
class Snapshot:
    """What both sides have in common."""

    completeness: Completeness
    read_at: datetime
    requests: int
    """How many requests the read took, retries included; 0 where the side is not asked over a network."""


@dataclass(frozen=True)
class SourceSnapshot(Snapshot):
    """A source at one moment: frames `PEOPLE` (with attributes), `SOURCE_GROUPS` and `MEMBERSHIPS`."""

    people: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame

    @classmethod
    def kept(cls, frames: Mapping[str, pl.DataFrame], read_at: datetime) -> Self:
        """A complete snapshot of earlier, from its `frames`."""
        return cls(Completeness(), read_at, 0, **frames)

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        return {"people": self.people, "groups": self.groups, "memberships": self.memberships}


@dataclass(frozen=True)
class Licence:
    """Seats of a target; `maximum` is None where the licence is unlimited or cannot be read."""

    maximum: int | None = None
    used: int | None = None


@dataclass(frozen=True)
class TargetSnapshot(Snapshot):
    """A target at one moment: frames `ACCOUNTS`, `TARGET_GROUPS` and `MEMBERS`."""

    accounts: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame
    principal: str
    """The username that the sync logs in with; it is never touched."""
    licence: Licence = field(default_factory=Licence)

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        return {"accounts": self.accounts, "groups": self.groups, "memberships": self.memberships}


def member_rows(members: Mapping[str, Sequence[str]], *, is_group: bool) -> pl.DataFrame:
    """From the id of a group to the ids of its members: a row a membership, schema `MEMBERSHIPS`."""
    lists = pl.DataFrame(
        {"group_id": list(members), "member_id": [list(ids) for ids in members.values()]},
        schema={"group_id": pl.String(), "member_id": pl.List(pl.String())},
    )
    rows = lists.filter(pl.col("member_id").list.len() > 0).explode("member_id")
    return rows.with_columns(pl.lit(value=is_group).alias("member_is_group")).cast(pl.Schema(MEMBERSHIPS))


def conform(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Cast the schema's columns, add those that are missing as null, and keep further ones behind them.

    Raises `polars.exceptions.InvalidOperationError` where a value does not fit.
    """
    declared = [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    ]
    further = [pl.col(name) for name in frame.columns if name not in schema]
    return frame.select(*declared, *further)
