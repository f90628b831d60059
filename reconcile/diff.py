"""Wanted against present: the operations that make the target what the source says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from directory.normalize import folded
from reconcile.accounts import CLEARING, account_operations, named_people
from reconcile.correlate import Correlation
from reconcile.erasure import erasures, to_be_erased
from reconcile.inactive import set_inactive_aside
from reconcile.leavers import leaver_operations, leaving, restore_operations
from reconcile.memberships import (
    compare,
    group_operations,
    membership_operations,
    missing_memberships,
    surplus_memberships,
    wanted_memberships,
)
from reconcile.names import give_names
from reconcile.numbered import NumberedTarget
from reconcile.ownership import NO_FEEDS, changed_feeds, left_behind, managed_groups
from reconcile.plan import KINDS, OPERATIONS, REMOVING, Feeds, LeftBehind
from reconcile.policy import Policy
from reconcile.select import Selection
from reconcile.stages import with_due
from reconcile.succession import make_way, vacated, with_successors
from reconcile.waves import waves

__all__ = ["Difference", "Present", "diff", "in_order"]

_KIND_ORDER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Present:
    """What the ledger remembers that neither side can say."""

    links: pl.DataFrame
    """Columns `reconcile.correlate.LINKS`."""
    memories: pl.DataFrame
    """What was taken away before: `external_id`, `kind` (`group` or `permission`; `username`, `email` or `display_name`
    of anonymised accounts), `name`."""
    now: datetime = field(kw_only=True)
    """When this is decided. Stages and inactivity count in days of the calendar in UTC."""
    managed_groups: frozenset[str] = frozenset()
    """Names of target groups that this sync has assigned before."""
    feeds: pl.DataFrame = field(default_factory=lambda: NO_FEEDS)
    """What fed them, schema `reconcile.ownership.FEEDS`."""


@dataclass(frozen=True)
class Difference:
    correlation: Correlation
    """As it was, with what became of the names that people want."""
    operations: pl.DataFrame
    """Schema `reconcile.plan.OPERATIONS`."""
    withheld: dict[str, int]
    """Removals that an incomplete read does not justify, per kind; they are not among the operations."""
    withheld_people: pl.DataFrame
    """`external_id` of people of whom a removal is withheld, and the `reason` of it."""
    removed: pl.DataFrame
    """Every membership that the operations take away: `account` UInt32, `number` UInt32, `kind` String."""
    added: pl.DataFrame
    """Every membership that the operations give: `external_id`, `number` UInt32 (null in a group to be created)."""
    managed: pl.DataFrame
    """Managed accounts: `external_id`, `account` UInt32, `username` (after the plan), `leaving` Boolean."""
    managed_groups: tuple[str, ...]
    """Names of the groups that this sync assigns, or has assigned and the target still has."""
    feeds: dict[str, Feeds]
    """What feeds groups that are assigned now, by folded name, where it changed."""
    left_behind: tuple[LeftBehind, ...]
    """Groups that are assigned no more and keep their members."""
    away: pl.DataFrame
    """Who is a leaver with something to come (`standing` is `leaving`) or inactive (`inactive`), whether or not there
    is an operation: `external_id`, `account_name`, `standing`, `why`, `next_stage`, `next_stage_on`."""


def diff(
    selection: Selection,
    target: NumberedTarget,
    correlation: Correlation,
    present: Present,
    policy: Policy,
    *,
    complete: bool,
) -> Difference:
    """Decide every operation. `complete` says whether the source was read completely; if not, nothing is removed."""
    links, now = present.links, present.now
    correlation = set_inactive_aside(correlation, selection, target, links, present.memories, policy.inactive, now)
    managed = managed_groups(selection, target, present.managed_groups, present.feeds, policy.groups)
    leavers = with_due(leaving(selection, correlation, target.accounts, links), policy.leavers, policy.inactive, now)
    deleted = to_be_erased(links, selection, target, policy, now)

    left, taken = leaver_operations(leavers, target, managed, policy.leavers)
    free = vacated(left, target)
    given = give_names(correlation, selection, target, policy.people, free if complete else free.clear())
    left = with_successors(make_way(left, given.aside, target), target)
    named = named_people(selection, given, target.accounts)
    # A value that is gone is believed only of a source that was read completely.
    uncleared = account_operations(named).filter(pl.col("reason") == CLEARING) if not complete else None
    if uncleared is not None:
        named = named.with_columns(pl.lit(value=False).alias("clears_display_name"))
    wanted = wanted_memberships(selection, named, target)
    unequal = compare(wanted, target)
    missing = missing_memberships(wanted, unequal.lacking, selection, named, target, create_groups=policy.groups.create)
    surplus = surplus_memberships(unequal.unwanted, named, managed, target)
    operations = pl.concat(
        [
            group_operations(missing),
            account_operations(named),
            left,
            erasures(deleted),
            restore_operations(named, target, present.memories, managed, links),
            membership_operations(missing, "add_membership"),
            membership_operations(surplus, "remove_membership"),
        ],
        how="diagonal",
    )
    removed = pl.concat([taken, surplus.select("account", "number", pl.lit("remove_membership").alias("kind"))])
    withheld: dict[str, int] = {}
    withheld_people = operations.select("external_id", "reason").clear()
    if uncleared is not None:
        removing = operations.filter(pl.col("kind").is_in(REMOVING))
        removing = pl.concat([removing, uncleared], how="diagonal")
        withheld = dict(removing["kind"].value_counts().iter_rows())
        withheld_people = removing.select("external_id", "reason").unique(
            "external_id", keep="first", maintain_order=True
        )
        operations = operations.filter(~pl.col("kind").is_in(REMOVING))
        removed = removed.clear()
    return Difference(
        correlation=given.correlation,
        operations=in_order(operations),
        withheld=dict(sorted(withheld.items())),
        withheld_people=withheld_people,
        removed=removed,
        added=missing.select("external_id", "number"),
        managed=_managed(named, leavers),
        managed_groups=tuple(sorted(managed.filter("assigned")["name"])),
        feeds=changed_feeds(selection, policy.groups.always, present.feeds),
        left_behind=left_behind(unequal.unwanted, named, managed),
        away=_away(leavers, deleted),
    )


def _away(leavers: pl.DataFrame, deleted: pl.DataFrame) -> pl.DataFrame:
    standing = pl.when(pl.col("dormant").is_null()).then(pl.lit("leaving")).otherwise(pl.lit("inactive"))
    columns = ("external_id", "username", "dormant", "reason", "next_stage", "next_stage_on")
    return (
        pl.concat([leavers.select(columns), deleted.select(columns)])
        .filter(pl.col("dormant").is_not_null() | pl.col("next_stage").is_not_null())
        .select(
            "external_id",
            pl.col("username").alias("account_name"),
            standing.alias("standing"),
            pl.col("reason").alias("why"),
            "next_stage",
            "next_stage_on",
        )
    )


def _managed(named: pl.DataFrame, leavers: pl.DataFrame) -> pl.DataFrame:
    staying = named.filter(pl.col("account").is_not_null() & (pl.col("match") == "linked"))
    columns = ["external_id", "account", "username"]
    return pl.concat(
        [
            staying.select(*columns, pl.lit(value=False).alias("leaving")),
            leavers.select(*columns, pl.lit(value=True).alias("leaving")),
        ]
    )


def in_order(operations: pl.DataFrame) -> pl.DataFrame:
    """Operations in the order in which they are carried out, numbered, schema `reconcile.plan.OPERATIONS`."""
    order = pl.col("kind").replace_strict(_KIND_ORDER, return_dtype=pl.UInt8, default=None)
    keys = [order, pl.col("wave"), folded("username"), folded("group"), pl.col("external_id")]
    complete = operations.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in OPERATIONS.items() if name not in operations.columns
    )
    renames = complete.filter(pl.col("kind") == "rename")
    waved = pl.concat(
        [
            complete.filter(pl.col("kind") != "rename").with_columns(pl.lit(0, pl.UInt32).alias("wave")),
            renames.with_columns(waves(renames).alias("wave")),
        ]
    )
    return (
        waved.sort(keys, nulls_last=False)
        .drop("seq", strict=False)
        .with_row_index("seq")
        .select(pl.col(name).cast(dtype) for name, dtype in OPERATIONS.items())
    )
