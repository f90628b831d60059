"""Plans to and from the ledger."""

from __future__ import annotations

import polars as pl

from connectors.contract import ReadScope
from directory.errors import UnknownRecord
from directory.snapshot import conform
from ledger.opening import Ledger
from ledger.plans import StoredPlan
from reconcile.plan import ORIGINS, VERDICTS, Plan, PlanHeader

__all__ = ["origins_of", "scope_of_plan", "store_plan", "stored_plan"]


def store_plan(ledger: Ledger, plan: Plan) -> StoredPlan:
    """Keep a plan; the same plan twice is one plan, and keeps its approval."""
    header = plan.header
    return ledger.plans.put(
        plan.id,
        sync=header.sync,
        target=header.target,
        header=header.model_dump_json(),
        frames={
            "operations": plan.operations,
            "verdicts": plan.verdicts,
            "grants": plan.grants,
            "origins": plan.origins,
        },
    )


def stored_plan(ledger: Ledger, plan_id: str) -> tuple[StoredPlan, Plan]:
    """A plan by its id or the beginning of it. Raises `UnknownRecord`."""
    stored = ledger.plans.get(plan_id)
    operations, verdicts, grants = (
        ledger.plans.frame(stored.id, name).collect() for name in ("operations", "verdicts", "grants")
    )
    origins = origins_of(ledger, stored.id).collect()
    header = PlanHeader.model_validate_json(stored.header)
    return stored, Plan(header, operations, conform(verdicts, VERDICTS), grants, origins)


def origins_of(ledger: Ledger, plan_id: str) -> pl.LazyFrame:
    """Why the operations of a plan are due, schema `ORIGINS`, by its full id."""
    try:
        return ledger.plans.frame(plan_id, "origins")
    except UnknownRecord:  # a program that did not tell them stored this plan
        return pl.LazyFrame(schema=ORIGINS)


def scope_of_plan(plan: Plan) -> ReadScope:
    """The groups whose members tell whether the plan still fits."""
    named = plan.operations["group"].drop_nulls().unique()
    taken = (
        plan.operations.filter(pl.col("kind").is_in(["remove_access", "strip_groups"]))["before"]
        .str.json_decode(pl.Struct({"groups": pl.List(pl.String)}))
        .struct.field("groups")
        .explode()
        .drop_nulls()
    )
    return ReadScope(frozenset({*named, *taken, *plan.header.managed_groups}))
