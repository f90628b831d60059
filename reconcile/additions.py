"""A stored plan in two: what takes nothing from anybody, and the rest, which waits for an approval of its own.

`reconcile.parting` divides a plan while it is made, by what the guard stopped at. This divides one that somebody has
looked at, and said: the additions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from reconcile.accounts import CLEARING
from reconcile.parting import BINDING, HELD_KINDS, RENAMING, UNBOUND, bound_people
from reconcile.plan import OPERATIONS, REMOVING, VERDICTS, Finding, Plan, PlanHeader, Waiting

__all__ = ["Divided", "divide", "same_operations"]

_TAKING = REMOVING | RENAMING
_GAINING = ("create", "restore_access", "add_membership")


class Divided(NamedTuple):
    additions: Plan | None
    """None where nothing of the plan only adds. Names the rest as what waits."""
    rest: Plan | None
    """None where the plan takes nothing. Held for what the whole was held for."""


def divide(plan: Plan) -> Divided:
    """What takes no group, no name and no account away, and what does; together they are the plan.

    Whoever is to be renamed, or gets a name that somebody gives up, waits with everything but their leaving. The
    additions stay held where the guard stopped at something they give, and where they may need more seats than there
    are: those that the rest would free are not there yet.
    """
    operations = plan.operations
    taking = pl.col("kind").is_in(list(_TAKING)) | (pl.col("reason") == CLEARING).fill_null(value=False)
    people = bound_people(operations, operations.filter(taking & pl.col("kind").is_in(list(BINDING))))
    bound = pl.col("external_id").is_in(people.implode()).fill_null(value=False) & ~pl.col("kind").is_in(list(UNBOUND))
    waits = operations.filter(taking | bound)
    adds = operations.filter(~(taking | bound))
    if adds.is_empty() or waits.is_empty():
        return Divided(None if adds.is_empty() else plan, None if waits.is_empty() else plan)
    rest = _part(plan, waits, _told(plan.verdicts, waits, adds, unchanged=True), {})
    seats = _most_seats(plan.header, adds, waits)
    given = tuple(finding for finding in plan.header.held if finding.kind not in HELD_KINDS)
    about = {
        "held": (*given, *_too_many_seats(seats, plan.header, given)),
        "seats_after": seats,
        "waiting": Waiting(plan=rest.id, operations=waits.height, findings=plan.header.held),
    }
    put_off = f"; waits for the approval of plan {rest.id[:8]}"
    additions = _part(plan, adds, _told(plan.verdicts, adds, waits, put_off=put_off), about)
    return Divided(replace(additions, waiting=rest), rest)


def same_operations(one: Plan, other: Plan) -> bool:
    """Whether both do the same, however it is numbered: a part of a plan, and the plan that is made after the other
    part was applied."""
    columns = [name for name in OPERATIONS if name != "seq"]
    return one.operations.select(columns).equals(other.operations.select(columns))


def _part(plan: Plan, operations: pl.DataFrame, verdicts: pl.DataFrame, about: Mapping[str, object]) -> Plan:
    header = plan.header.model_copy(
        update={
            "counts": dict(sorted(operations["kind"].value_counts().iter_rows())),
            "outcomes": dict(sorted(verdicts["outcome"].value_counts().iter_rows())),
            **about,
        }
    )
    origins = plan.origins.join(operations.select("seq"), on="seq", how="semi")
    return Plan(header, operations, verdicts, plan.grants, origins)


def _told(
    verdicts: pl.DataFrame, own: pl.DataFrame, others: pl.DataFrame, *, put_off: str = "", unchanged: bool = False
) -> pl.DataFrame:
    """Of people of whom this part does nothing: that they wait, or that nothing changes for them any more."""
    elsewhere = others.join(own, on="external_id", how="anti")["external_id"].drop_nulls().unique()
    theirs = pl.col("external_id").is_in(elsewhere.implode())
    outcome = "unchanged" if unchanged else "held"
    reason = pl.concat_str([pl.col("reason").fill_null(""), pl.lit(put_off)]).str.strip_prefix("; ")
    return verdicts.with_columns(
        pl.when(theirs).then(pl.lit(outcome)).otherwise("outcome").alias("outcome"),
        pl.when(theirs & pl.lit(bool(put_off))).then(reason).otherwise("reason").alias("reason"),
    ).select(VERDICTS.keys())


def _most_seats(header: PlanHeader, adds: pl.DataFrame, waits: pl.DataFrame) -> int | None:
    """At most so many seats are taken when only the additions were applied; None where the whole plan does not say."""
    if header.seats_used is None or header.seats_after is None:
        return None
    gaining = adds.filter(pl.col("kind").is_in(_GAINING))["external_id"].n_unique()
    freeing = waits.filter(pl.col("kind").is_in(list(REMOVING)))["external_id"].n_unique()
    return min(header.seats_used + gaining, header.seats_after + freeing)


def _too_many_seats(seats: int | None, header: PlanHeader, said: tuple[Finding, ...]) -> tuple[Finding, ...]:
    allowed = header.seats_maximum
    if seats is None or allowed is None or header.seats_used is None or any(one.kind == "seats" for one in said):
        return ()
    if seats <= max(allowed, header.seats_used):
        return ()
    message = f"without the rest the additions may need {seats:,} seats, the licence has {allowed:,}"
    return (Finding(kind="seats", measured=seats, allowed=allowed, message=message),)
