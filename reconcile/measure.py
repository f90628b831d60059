"""What a plan would do, in the figures that the guard looks at."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from directory.normalize import folded
from directory.snapshot import TargetSnapshot
from reconcile.access import access_groups, administrators, seat_holders
from reconcile.diff import Difference
from reconcile.memberships import present_memberships

__all__ = ["Measures", "Shrinkage", "measure"]

_NAMED = 5


@dataclass(frozen=True)
class Shrinkage:
    """A group that loses members."""

    group: str
    before: int
    removed: int
    after: int


@dataclass(frozen=True)
class Measures:
    population: int
    """Managed accounts before the plan."""
    managed_memberships: int
    """Memberships of managed accounts in managed groups before the plan."""
    counts: dict[str, int]
    """Operations per kind."""
    memberships_removed: int
    shrinking: tuple[Shrinkage, ...]
    administrators: tuple[str, ...]
    """Usernames of administrators that the plan adopts, renames, deletes or takes something from."""
    seats_before: int
    seats_after: int
    seats_maximum: int | None


def measure(difference: Difference, target: TargetSnapshot) -> Measures:
    """Count what the operations do to the target."""
    accounts = target.accounts.with_row_index("account")
    members = present_memberships(accounts, target)
    operations = difference.operations
    before, after = _seats(difference, target, accounts, members)
    used = target.licence.used if target.licence.used is not None else before
    owned = pl.DataFrame({"key": [name.lower() for name in difference.managed_groups]}, schema={"key": pl.String})
    managed = members.join(difference.managed.select("account"), on="account", how="semi")
    return Measures(
        population=difference.managed.height,
        managed_memberships=managed.join(owned, on="key", how="semi").height,
        counts=dict(sorted(operations["kind"].value_counts().iter_rows())),
        memberships_removed=difference.removed.height,
        shrinking=_shrinking(difference, members),
        administrators=_administrators_touched(difference, target, accounts, members),
        seats_before=used,
        seats_after=used + after - before,
        seats_maximum=target.licence.maximum,
    )


def _shrinking(difference: Difference, members: pl.DataFrame) -> tuple[Shrinkage, ...]:
    lost = difference.removed.group_by(folded("group").alias("key")).agg(
        pl.len().alias("removed"), pl.col("group").min()
    )
    gained = difference.added.group_by(folded("group").alias("key")).agg(pl.len().alias("added"))
    sizes = members.join(lost, on="key", how="semi").group_by("key").agg(pl.len().alias("before"))
    rows = (
        lost.join(sizes, on="key")
        .join(gained, on="key", how="left")
        .with_columns((pl.col("before") - pl.col("removed") + pl.col("added").fill_null(0)).alias("after"))
        .sort("group")
    )
    return tuple(Shrinkage(**row) for row in rows.select("group", "before", "removed", "after").iter_rows(named=True))


def _administrators_touched(
    difference: Difference, target: TargetSnapshot, accounts: pl.DataFrame, members: pl.DataFrame
) -> tuple[str, ...]:
    admins = accounts.join(administrators(accounts, members, target), on="account", how="semi")
    kinds = ["adopt", "rename", "delete", "remove_access", "remove_membership"]
    touched = difference.operations.filter(pl.col("kind").is_in(kinds)).select("account_id").unique()
    return tuple(admins.join(touched, on="account_id", how="semi")["username"].sort())


def _seats(
    difference: Difference, target: TargetSnapshot, accounts: pl.DataFrame, members: pl.DataFrame
) -> tuple[int, int]:
    """Seats taken now, and once the plan is applied, as far as groups and grants tell."""
    holders = seat_holders(accounts, members, target)
    operations = difference.operations
    freed = (
        operations.filter(pl.col("kind").is_in(["remove_access", "delete"]))
        .select("account_id")
        .join(accounts.select("account", "account_id"), on="account_id")
        .join(holders, on="account", how="semi")
    )
    giving = access_groups(target).select("key")
    entering = difference.added.filter(folded("group").is_in(giving["key"].implode())).select("external_id").unique()
    restored = operations.filter(
        (pl.col("kind") == "restore_access") & (pl.col("after") != '{"groups":[],"permission":null}')
    ).select("external_id")
    seated = difference.managed.join(holders, on="account", how="semi").select("external_id")
    gained = pl.concat([entering, restored]).unique().join(seated, on="external_id", how="anti")
    return holders.height, holders.height - freed.height + gained.height
