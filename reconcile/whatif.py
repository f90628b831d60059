"""What a change of the sync file would do: the plans of the old and of the new rules, held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from reconcile.plan import Plan

__all__ = ["ACCESS", "GROUPS", "OTHERS", "Difference", "compare_plans"]

ACCESS: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "username": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
    "reason": pl.String(),
}
"""People by the outcome of either plan, and why by the new one."""

GROUPS: Mapping[str, pl.DataType] = {
    "external_id": pl.String(),
    "username": pl.String(),
    "group": pl.String(),
    "reason": pl.String(),
}
"""Memberships, with the way that gives them or the reason for which they go."""

OTHERS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "username": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
    "reason": pl.String(),
}
"""Other operations."""

_SYNCED = ("created", "updated", "renamed", "reactivated", "unchanged")
_MEMBERSHIP = ("add_membership", "remove_membership")
_ACCOUNT = ("create_group", "adopt", "rename", "update")


@dataclass(frozen=True)
class Difference:
    """What the new rules do that the old ones would not. The frames `gain` and `lose` have the schema `ACCESS`."""

    gain: pl.DataFrame
    """People who would have access, and have it not by the old rules."""
    lose: pl.DataFrame
    """People who would not have access any more."""
    enter: pl.DataFrame
    """Memberships that only the new rules give, or keep; schema `GROUPS`."""
    leave: pl.DataFrame
    """Memberships that only the new rules take, or do not give; schema `GROUPS`."""
    others: pl.DataFrame
    """Adoptions, renames, updates and new groups of the new rules alone; schema `OTHERS`."""

    @property
    def nothing(self) -> bool:
        return not any(frame.height for frame in (self.gain, self.lose, self.enter, self.leave, self.others))


def compare_plans(old: Plan, new: Plan) -> Difference:
    """Hold the plan of the new rules against that of the old ones; both were made of the same two snapshots."""
    people = _verdicts(new).join(_verdicts(old), on="external_id", how="full", coalesce=True, suffix="_before")
    synced = pl.col("outcome").is_in(_SYNCED).fill_null(value=False)
    synced_before = pl.col("outcome_before").is_in(_SYNCED).fill_null(value=False)
    told = people.select(
        "external_id",
        pl.coalesce("username", "username_before").alias("username"),
        pl.col("outcome_before").fill_null("not known").alias("before"),
        pl.col("outcome").fill_null("not known").alias("after"),
        pl.coalesce("reason", "reason_before").alias("reason"),
        (synced & ~synced_before).alias("gains"),
        (~synced & synced_before).alias("loses"),
    ).sort("username", "external_id")
    given, given_before = _given(new), _given(old)
    taken = _operations(new, "remove_membership").select("external_id", "username", "group", "reason")
    taken_before = _operations(old, "remove_membership").select("external_id", "username", "group", "reason")
    return Difference(
        gain=told.filter("gains").select(ACCESS.keys()),
        lose=told.filter("loses").select(ACCESS.keys()),
        enter=_memberships([_only(given, given_before), _only(taken_before, taken)]),
        leave=_memberships([_only(given_before, given), _only(taken, taken_before)]),
        others=_others(old, new),
    )


def _verdicts(plan: Plan) -> pl.DataFrame:
    return plan.verdicts.select("external_id", "username", "outcome", "reason")


def _given(plan: Plan) -> pl.DataFrame:
    """Memberships that the rules give to people who are synced."""
    return (
        plan.verdicts.filter(pl.col("outcome").is_in(_SYNCED))
        .select("external_id", "username", pl.col("grants").alias("grant"))
        .explode("grant", empty_as_null=True)
        .join(plan.grants, on="grant")
        .select("external_id", "username", "group", pl.col("path").alias("reason"))
    )


def _only(these: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    key = pl.col("group").str.to_lowercase().alias("key")
    return these.with_columns(key).join(others.with_columns(key), on=["external_id", "key"], how="anti").drop("key")


def _memberships(parts: list[pl.DataFrame]) -> pl.DataFrame:
    every = pl.concat(parts).unique(["external_id", "group"], keep="first", maintain_order=True)
    return every.select(pl.col(name).cast(dtype) for name, dtype in GROUPS.items()).sort("group", "username")


def _operations(plan: Plan, *kinds: str) -> pl.DataFrame:
    return plan.operations.filter(pl.col("kind").is_in(kinds))


def _others(old: Plan, new: Plan) -> pl.DataFrame:
    key = ["kind", "external_id", "group", "after"]
    alone = _operations(new, *_ACCOUNT).join(_operations(old, *_ACCOUNT), on=key, how="anti", nulls_equal=True)
    return alone.select("kind", pl.coalesce("username", "group").alias("username"), "before", "after", "reason").cast(
        pl.Schema(OTHERS)
    )
