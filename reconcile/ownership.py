"""Which groups are ours to take people out of. Everything else is local and never touched."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from reconcile.numbered import NumberedTarget, unpaired
from reconcile.pattern import matches_any
from reconcile.plan import Feeds, LeftBehind
from reconcile.policy import Groups
from reconcile.select import Selection

__all__ = ["FEEDS", "NO_FEEDS", "changed_feeds", "left_behind", "managed_groups"]

FEEDS: Mapping[str, pl.DataType] = {"key": pl.String(), "source_id": pl.String(), "source_name": pl.String()}
"""What fed the target groups that a sync has assigned: the group's folded name, and the id and the name that the source
group had then; both null for a group that everybody gets (`groups.always`)."""

NO_FEEDS = pl.DataFrame(schema=FEEDS)

_NAMED = 20

_REASONS = {
    "assigned": "not a member in the source",
    "vanished": "the source has no such group any more",
    "orphaned": "the sync file does not assign this group any more",
    "named": "not a member in the source",
}


def managed_groups(
    selection: Selection, target: NumberedTarget, assigned_before: frozenset[str], feeds: pl.DataFrame, policy: Groups
) -> pl.DataFrame:
    """Groups under our care: `key` (folded name), `name`, `number` (null where the target lacks it), `assigned` (now or
    before, by this sync), `state`, `removable` and `reason` (of a removal).

    `state` is `assigned` (now), `vanished` (the source has nothing that feeds it any more), `orphaned` (the source
    still has it, and the sync file does not assign it any more) or `named` (by `groups.remove_from` alone). `feeds` has
    the schema `FEEDS`. A group that vanished stays under our care as long as the target has it: its members would
    otherwise keep for ever what it gives.
    """
    present = target.groups.select("key", "name", "number").filter(~matches_any("name", policy.local))
    before = pl.DataFrame({"key": [name.lower() for name in assigned_before]}, schema={"key": pl.String}).unique()
    now = selection.groups.select("key", "name").join(target.groups.select("key", "number"), on="key", how="left")
    left = present.join(before, on="key", how="semi").join(now, on="key", how="anti")
    taken_out = pl.col("key").is_in(_taken_out(left["key"], feeds, selection).implode())
    named = present.filter(matches_any("name", policy.remove_from or ()))
    every = pl.concat(
        [
            now.with_columns(pl.lit("assigned").alias("state")),
            left.with_columns(pl.when(taken_out).then(pl.lit("orphaned")).otherwise(pl.lit("vanished")).alias("state")),
            named.with_columns(pl.lit("named").alias("state")),
        ]
    ).unique("key", keep="first", maintain_order=True)
    if policy.remove_from is None:
        states = ["assigned"]
        states += ["vanished"] if policy.vanished == "empty" else []
        states += ["orphaned"] if policy.orphaned == "remove" else []
        removable = pl.col("state").is_in(states)
    else:
        removable = pl.col("key").is_in(named["key"].implode())
    return every.with_columns(
        (pl.col("state") != "named").alias("assigned"),
        removable.alias("removable"),
        pl.col("state").replace_strict(_REASONS, return_dtype=pl.String).alias("reason"),
    )


def _taken_out(keys: pl.Series, feeds: pl.DataFrame, selection: Selection) -> pl.Series:
    """Of groups that were assigned and are not any more, those that the sync file took out.

    What fed them is still in the source under the same name; had it another name now, the source would have renamed it.
    A group of which no ledger tells what fed it counts as taken out where the source has one of its name.
    """
    there = selection.feeds.select(pl.col("group_id").alias("source_id"), "source_name")
    theirs = feeds.filter(pl.col("key").is_in(keys.implode()))
    still_fed = theirs.join(there, on=["source_id", "source_name"], how="semi")
    always = theirs.filter(pl.col("source_id").is_null())
    untold = keys.filter(~keys.is_in(theirs["key"].implode()))
    like_named = untold.filter(untold.is_in(there["source_name"].str.to_lowercase().implode()))
    return pl.concat([still_fed["key"], always["key"], like_named]).unique()


def changed_feeds(selection: Selection, always: tuple[str, ...], known: pl.DataFrame) -> dict[str, Feeds]:
    """What feeds the target groups that are assigned now, by folded name, where it is not as `known` (`FEEDS`)."""
    now, before = _by_group(_feeds_now(selection, always)), _by_group(known)
    changed = now.join(before, on="key", how="left", suffix="_before").filter(
        pl.col("feeds").ne_missing(pl.col("feeds_before"))
    )
    rows = changed.sort("key").select("key", "feeds").iter_rows()
    return {key: tuple((feed["source_id"], feed["source_name"]) for feed in feeds) for key, feeds in rows}


def _by_group(feeds: pl.DataFrame) -> pl.DataFrame:
    ordered = feeds.unique().sort("key", "source_id", "source_name")
    return ordered.group_by("key").agg(pl.struct("source_id", "source_name").alias("feeds"))


def _feeds_now(selection: Selection, always: tuple[str, ...]) -> pl.DataFrame:
    fed = selection.feeds.filter(pl.col("key").is_not_null()).select(
        "key", pl.col("group_id").alias("source_id"), "source_name"
    )
    everybody = pl.DataFrame({"key": sorted({name.lower() for name in always})}, schema={"key": pl.String})
    return pl.concat([fed, everybody], how="diagonal")


def left_behind(unwanted: pl.Series, named: pl.DataFrame, managed: pl.DataFrame) -> tuple[LeftBehind, ...]:
    """Groups that are assigned no more and may not be emptied, with the accounts of synced people that stay in them.

    `unwanted` comes from `reconcile.memberships.compare`, `named` from `reconcile.accounts.named_people`.
    """
    kept = managed.filter(pl.col("state").is_in(["vanished", "orphaned"]) & ~pl.col("removable"))
    staying = named.filter(pl.col("account").is_not_null()).select("account", "username")
    rows = (
        unpaired(unwanted)
        .join(kept.select("number", pl.col("name").alias("group"), pl.col("state").alias("why")), on="number")
        .join(staying, on="account")
        .sort("group", "username")
        .group_by("group", "why", maintain_order=True)
        .agg(pl.len().alias("accounts"), pl.col("username").head(_NAMED).alias("samples"))
    )
    return tuple(LeftBehind(**row) for row in rows.iter_rows(named=True))
