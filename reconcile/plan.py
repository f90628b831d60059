"""The plan: what will be done, decided once, stored, and applied exactly as it was reviewed.

Its id is the digest of its content. Two runs that decide the same make the same plan, so an approval that names the id
covers what was seen and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

__all__ = [
    "GRANTS",
    "KINDS",
    "OPERATIONS",
    "ORIGINS",
    "REMOVING",
    "VERDICTS",
    "Feeds",
    "Finding",
    "Kind",
    "LeftBehind",
    "Plan",
    "PlanHeader",
    "Waiting",
]

Kind = Literal[
    "create_group",
    "adopt",
    "leave",
    "remove_access",
    "strip_groups",
    "anonymise",
    "set_aside",
    "delete",
    "erase",
    "rename",
    "create",
    "update",
    "restore_access",
    "add_membership",
    "remove_membership",
    "release",
    "set_picture",
    "reset_picture",
]

KINDS: tuple[Kind, ...] = (
    "create_group",
    "adopt",
    "leave",
    "remove_access",
    "strip_groups",
    "anonymise",
    "set_aside",
    "delete",
    "erase",
    "rename",
    "create",
    "update",
    "restore_access",
    "add_membership",
    "remove_membership",
    "release",
    "set_picture",
    "reset_picture",
)
"""Kinds of operation in the order in which they are carried out. Leavers come early: a dismissed administrator goes
first, and the seats they free may be needed by joiners. Whose name somebody else gets is set aside under a temporary
one where the order of renames alone cannot free it. Movers gain before they lose: nobody is locked out between.
Pictures come last: nobody's access waits for them."""

REMOVING: frozenset[str] = frozenset(
    {"leave", "remove_access", "strip_groups", "anonymise", "delete", "erase", "remove_membership", "reset_picture"}
)
"""Kinds that an incomplete read must not justify."""

OPERATIONS: Mapping[str, pl.DataType] = {
    "seq": pl.UInt32(),
    "kind": pl.String(),
    "external_id": pl.String(),
    "account_id": pl.String(),
    "username": pl.String(),
    "group": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
    "reason": pl.String(),
}
"""Operations in the order in which they are carried out; `seq` counts from 0, and leaves out numbers where a plan is a
part of another. `username` is the account's name when the
operation runs, `account_id` is null for accounts that the plan creates, `before` and `after` are JSON objects."""

VERDICTS: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "username": pl.String(),
    "outcome": pl.String(),
    "reason": pl.String(),
    "attributes": pl.String(),
    "grants": pl.List(pl.UInt64()),
    "next_stage": pl.String(),
    "next_stage_on": pl.Date(),
}
"""One row a person: what the plan makes of them when all of it is applied, and why. `attributes` is a JSON
object of what is carried beside, null for who is gone from the source. `grants` are the groups that the person should
have, as codes of the frame `GRANTS`. `next_stage` is what will be done to a leaver next, on the day `next_stage_on`
(UTC) or by the first run after it."""

GRANTS: Mapping[str, pl.DataType] = {"grant": pl.UInt64(), "group": pl.String(), "path": pl.String()}
"""The ways in which people get groups: a target group, and the path through the source's groups that gives it. There
are few of them however many people there are."""


ORIGINS: Mapping[str, pl.DataType] = {"seq": pl.UInt32(), "origin": pl.String()}
"""Why an operation is due: `source` (it changed), `rules` (the sync file changed) or `drift` (the target was changed by
hand since the last run that ended well)."""


class Finding(BaseModel):
    """One thing that the guard stopped at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    measured: int
    allowed: int | None
    message: str
    samples: tuple[str, ...] = ()


Feeds = tuple[tuple[str | None, str | None], ...]
"""Ids and names of the source groups that feed a target group; both None for `groups.always`."""


class LeftBehind(BaseModel):
    """A group that the sync assigned and assigns no more, and who keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    why: Literal["vanished", "orphaned"]
    """`vanished`: the source has no such group any more. `orphaned`: the sync file does not assign it any more."""
    accounts: int
    """Managed accounts, of people who are synced, that stay in it."""
    samples: tuple[str, ...]
    """The first of their usernames."""


class Waiting(BaseModel):
    """The plan of what was held back while the rest goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str
    operations: int
    findings: tuple[Finding, ...]


class PlanHeader(BaseModel):
    """What a plan says about itself. Times and request counts are the run's: they would make equal plans differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    sync: str
    source: str
    target: str
    complete: bool
    """Whether the source was read completely; if not, nothing is removed."""
    source_findings: tuple[str, ...] = ()
    withheld: dict[str, int] = {}
    """Removals that an incomplete read does not justify, per kind."""
    counts: dict[str, int] = {}
    """Operations per kind."""
    outcomes: dict[str, int] = {}
    """People per outcome."""
    population: int = 0
    """Managed accounts in the target when the plan was made."""
    managed_groups: tuple[str, ...] = ()
    feeds: dict[str, Feeds] = {}
    """By folded name, groups that are fed by other source groups than the ledger knows."""
    left_behind: tuple[LeftBehind, ...] = ()
    """Groups that are assigned no more and keep their members, because the sync file says so."""
    pictures_left: int = 0
    """People whose picture could not be had this time, so that it is left as it is."""
    seats_used: int | None = None
    seats_after: int | None = None
    seats_maximum: int | None = None
    undoes: str | None = None
    """The run that the plan takes back; such a plan reads no source."""
    not_undone: tuple[str, ...] = ()
    """What of that run cannot be taken back or was changed since, one sentence a kind and reason."""
    held: tuple[Finding, ...] = ()
    """What the guard stopped at; empty when it is clear."""
    waiting: Waiting | None = None
    """What was held back of a plan that goes on without it."""


@dataclass(frozen=True)
class Plan:
    header: PlanHeader
    operations: pl.DataFrame
    """Schema `OPERATIONS`, sorted by `seq`."""
    verdicts: pl.DataFrame
    """Schema `VERDICTS`, sorted by `external_id`. Not part of the digest: it explains the plan, and is not applied."""
    grants: pl.DataFrame
    """Schema `GRANTS`."""
    origins: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ORIGINS))
    """Schema `ORIGINS`; empty where no earlier run tells. Not part of the digest either."""
    waiting: Plan | None = None
    """The plan that `header.waiting` names, when both were just made."""

    @cached_property
    def id(self) -> str:
        """64 hexadecimal digits; the first 8 are enough for people."""
        digest = hashlib.sha256(self.header.model_dump_json().encode())
        digest.update(self.operations.select(OPERATIONS.keys()).write_ndjson().encode())
        return digest.hexdigest()

    @property
    def empty(self) -> bool:
        return self.operations.height == 0

    @property
    def held(self) -> bool:
        return bool(self.header.held)
