"""What a plan would do, in the figures that the guard looks at."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from reconcile.access import ADMINISTRATIVE, access_groups, administrators, seat_holders
from reconcile.accounts import CLEARING
from reconcile.diff import Difference
from reconcile.leavers import NOTHING_TO_RESTORE
from reconcile.numbered import NumberedTarget, flags

__all__ = ["Measures", "Shrinkage", "measure"]


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
    managed_groups: int
    """Managed groups that the target has."""
    counts: dict[str, int]
    """Operations per kind."""
    clearings: tuple[str, ...]
    """Usernames of accounts whose display name is cleared."""
    memberships_removed: int
    shrinking: tuple[Shrinkage, ...]
    administrators: tuple[str, ...]
    """Usernames of administrators that the plan adopts, renames, deletes or takes something from."""
    administrators_made: tuple[str, ...]
    """Usernames of people who are none yet and would be administrators afterwards."""
    seats_before: int
    seats_after: int
    seats_maximum: int | None
    stripped_of_access: int = 0
    """Accounts that lose a group that gives access as one of all their groups, and not by `remove_access`."""


def measure(difference: Difference, target: NumberedTarget) -> Measures:
    """Count what the operations do to the target."""
    before, after = _seats(difference, target)
    used = target.licence.used if target.licence.used is not None else before
    owned = pl.DataFrame({"key": [name.lower() for name in difference.managed_groups]}, schema={"key": pl.String})
    numbers = target.groups.join(owned, on="key", how="semi").select("number")
    ours = flags(target.accounts.height, difference.managed["account"]).gather(target.members["account"])
    in_ours = flags(target.groups.height, numbers["number"]).gather(target.members["number"])
    return Measures(
        population=difference.managed.height,
        managed_memberships=int((ours & in_ours).sum()),
        managed_groups=numbers.height,
        counts=dict(sorted(difference.operations["kind"].value_counts().iter_rows())),
        clearings=tuple(difference.operations.filter(pl.col("reason") == CLEARING)["username"]),
        memberships_removed=difference.removed.height,
        shrinking=_shrinking(difference, target),
        administrators=_administrators_touched(difference, target),
        administrators_made=_administrators_made(difference, target),
        seats_before=used,
        seats_after=used + after - before,
        seats_maximum=target.licence.maximum,
        stripped_of_access=_stripped_of_access(difference, target),
    )


def _stripped_of_access(difference: Difference, target: NumberedTarget) -> int:
    stripped = difference.removed.filter(pl.col("kind") == "strip_groups")
    return stripped.join(access_groups(target), on="number", how="semi")["account"].n_unique()


def _shrinking(difference: Difference, target: NumberedTarget) -> tuple[Shrinkage, ...]:
    lost = difference.removed.group_by("number").agg(pl.len().cast(pl.Int64).alias("removed"))
    gained = difference.added.group_by("number").agg(pl.len().cast(pl.Int64).alias("added"))
    sizes = (
        target.members.join(lost, on="number", how="semi")
        .group_by("number")
        .agg(pl.len().cast(pl.Int64).alias("before"))
    )
    rows = (
        lost.join(sizes, on="number")
        .join(gained, on="number", how="left")
        .join(target.groups.select("number", pl.col("name").alias("group")), on="number")
        .with_columns((pl.col("before") - pl.col("removed") + pl.col("added").fill_null(0)).alias("after"))
        .sort("group")
    )
    return tuple(Shrinkage(**row) for row in rows.select("group", "before", "removed", "after").iter_rows(named=True))


def _administrators_touched(difference: Difference, target: NumberedTarget) -> tuple[str, ...]:
    admins = target.accounts.join(administrators(target), on="account", how="semi")
    kinds = ["adopt", "rename", "delete", "remove_access", "strip_groups", "anonymise", "remove_membership"]
    touched = difference.operations.filter(pl.col("kind").is_in(kinds)).select("account_id").unique()
    return tuple(admins.join(touched, on="account_id", how="semi")["username"].sort())


def _administrators_made(difference: Difference, target: NumberedTarget) -> tuple[str, ...]:
    ruling = target.groups.filter(pl.col("permission").is_in(ADMINISTRATIVE)).select("number", "key")
    entering = difference.added.join(ruling, on="number", how="semi").select("external_id")
    given_back = pl.col("after").str.json_decode(pl.Struct({"groups": pl.List(pl.String), "permission": pl.String}))
    restored = (
        difference.operations.filter(pl.col("kind") == "restore_access")
        .select("external_id", given_back.struct.unnest())
        .filter(
            pl.col("permission").is_in(ADMINISTRATIVE).fill_null(value=False)
            | pl.col("groups").list.eval(pl.element().str.to_lowercase().is_in(ruling["key"].implode())).list.any()
        )
        .select("external_id")
    )
    admins = target.accounts.join(administrators(target), on="account", how="semi").select("account_id")
    made = difference.operations.join(pl.concat([entering, restored]).unique(), on="external_id", how="semi").join(
        admins, on="account_id", how="anti"
    )
    return tuple(made.group_by("external_id").agg(pl.col("username").last())["username"].sort())


def _seats(difference: Difference, target: NumberedTarget) -> tuple[int, int]:
    """Seats taken now, and once the plan is applied, as far as groups and grants tell."""
    holders = seat_holders(target)
    operations = difference.operations
    freed = (
        operations.filter(pl.col("kind").is_in(["remove_access", "delete"]))
        .select("account_id")
        .join(target.accounts.select("account", "account_id"), on="account_id")
        .join(holders, on="account", how="semi")
    )
    entering = difference.added.join(access_groups(target), on="number", how="semi").select("external_id").unique()
    restored = operations.filter((pl.col("kind") == "restore_access") & (pl.col("after") != NOTHING_TO_RESTORE)).select(
        "external_id"
    )
    adopted = (
        operations.filter(pl.col("kind") == "adopt")
        .select("external_id", "account_id")
        .join(target.accounts.select("account", "account_id"), on="account_id")
    )
    owned = pl.concat([difference.managed.select("external_id", "account"), adopted.select("external_id", "account")])
    shut_out = target.accounts.filter(~pl.col("active").fill_null(value=True)).select("account")
    no_more = owned.join(pl.concat([holders, shut_out]), on="account", how="semi").select("external_id")
    gained = pl.concat([entering, restored]).unique().join(no_more, on="external_id", how="anti")
    return holders.height, holders.height - freed.height + gained.height
