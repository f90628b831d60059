"""The plan that restores what a run changed: the inverse operations, guarded and explained like any plan."""

from __future__ import annotations

import polars as pl

from directory.snapshot import TargetSnapshot, conform
from reconcile.correlate import Correlation
from reconcile.decide import Names
from reconcile.diff import Difference, Present
from reconcile.explain import kind_title
from reconcile.guard import judge
from reconcile.measure import measure
from reconcile.numbered import NumberedTarget, number_target
from reconcile.plan import GRANTS, VERDICTS, Plan, PlanHeader
from reconcile.policy import Policy
from reconcile.undo import LEFT_OUT, Undoing, inverse
from reconcile.verdicts import planned_outcomes

__all__ = ["undo"]

_NAMED = 5


def undo(
    done: pl.DataFrame, target: TargetSnapshot, present: Present, policy: Policy, names: Names, *, run_id: str
) -> Plan:
    """Plan to take back operations (schema `reconcile.plan.OPERATIONS`) that run `run_id` carried out.

    The target is read now: what was changed since stays as it is, and is told in the header's `not_undone`.
    """
    numbered = number_target(target)
    undoing = inverse(done, numbered, present, policy, f"undoes run {run_id}")
    difference = _difference(undoing, numbered, present)
    measures = measure(difference, numbered)
    verdicts = _verdicts(undoing, present, run_id)
    header = PlanHeader(
        sync=names.sync,
        source=f"run {run_id}",
        target=names.target,
        complete=True,
        undoes=run_id,
        not_undone=_told(undoing.left_out),
        counts=measures.counts,
        outcomes=dict(sorted(verdicts["outcome"].value_counts().iter_rows())),
        population=measures.population,
        seats_used=measures.seats_before,
        seats_after=measures.seats_after,
        seats_maximum=measures.seats_maximum,
        held=judge(measures, policy.guard),
    )
    return Plan(header, undoing.operations, verdicts, pl.DataFrame(schema=GRANTS))


def _difference(undoing: Undoing, target: NumberedTarget, present: Present) -> Difference:
    """What the guard measures."""
    managed = present.links.join(target.accounts.select("account_id", "account"), on="account_id").select(
        "external_id", "account", pl.lit(value=False).alias("leaving")
    )
    nobody = pl.DataFrame(schema={"external_id": pl.String, "reason": pl.String})
    return Difference(
        correlation=Correlation(people=pl.DataFrame(), leavers=pl.DataFrame()),
        operations=undoing.operations,
        withheld={},
        withheld_people=nobody,
        removed=undoing.removed,
        added=undoing.added,
        managed=managed.unique("account", keep="first", maintain_order=True),
        managed_groups=tuple(sorted(present.managed_groups)),
        feeds={},
        left_behind=(),
        away=nobody,
    )


def _verdicts(undoing: Undoing, present: Present, run_id: str) -> pl.DataFrame:
    """Everybody whom the run changed, schema `VERDICTS`; `conflict` where nothing of it can be taken back."""
    planned = planned_outcomes(undoing.operations)
    said = pl.format("{} was not undone: {}", pl.col("kind").replace_strict(_titles(undoing.left_out)), "why")
    left = (
        undoing.left_out.drop_nulls("external_id")
        .group_by("external_id", maintain_order=True)
        .agg(pl.col("what").first(), said.unique(maintain_order=True).str.join("; ").alias("left"))
        if undoing.left_out.height
        else pl.DataFrame(schema={"external_id": pl.String, "what": pl.String, "left": pl.String})
    )
    names = present.links.select("external_id", "username").unique("external_id")
    undone = pl.when(pl.col("planned").is_not_null()).then(pl.lit(f"undoes run {run_id}"))
    return (
        planned.join(left, on="external_id", how="full", coalesce=True)
        .join(names, on="external_id", how="left")
        .with_columns(
            pl.coalesce("planned", pl.lit("conflict")).alias("outcome"),
            pl.coalesce("account_name", "username", "what").alias("username"),
            pl.concat_str([undone, "left"], separator="; ", ignore_nulls=True).alias("reason"),
            pl.lit([], pl.List(pl.UInt64)).alias("grants"),
        )
        .pipe(conform, VERDICTS)
        .select(VERDICTS.keys())
        .sort("external_id")
    )


def _titles(left_out: pl.DataFrame) -> dict[str, str]:
    return {kind: kind_title(kind) for kind in left_out["kind"].unique()}


def _told(left_out: pl.DataFrame) -> tuple[str, ...]:
    """One sentence a kind and reason, however many operations it is about."""
    if left_out.is_empty():
        return ()
    grouped = (
        left_out.select(LEFT_OUT.keys()).group_by("kind", "why").agg(pl.col("what").unique().sort()).sort("kind", "why")
    )
    return tuple(
        f"{kind_title(kind)} ({_some(what)}): {why}" for kind, why, what in grouped.select("kind", "why", "what").rows()
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(name or '?' for name in names[:_NAMED])}{more}"
