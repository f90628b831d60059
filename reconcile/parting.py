"""A held plan in two: what may go on, and what waits for an approval of its own (`guard.on_hold: hold-kinds`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from reconcile.diff import Difference
from reconcile.names import slot
from reconcile.numbered import NumberedTarget
from reconcile.plan import REMOVING, Finding

__all__ = ["BINDING", "HELD_KINDS", "RENAMING", "UNBOUND", "Parting", "bound_people", "part"]

RENAMING = frozenset({"rename", "set_aside"})
_TAKING = REMOVING - {"remove_membership"}
HELD_KINDS: Mapping[str, frozenset[str]] = {
    "deactivations": _TAKING,
    "deletions": frozenset({"delete", "erase"}),
    "erasures": frozenset({"erase"}),
    "anonymisations": frozenset({"anonymise"}),
    "renames": RENAMING,
    "clearings": frozenset({"update"}),
    "adoptions": frozenset({"adopt"}),
    "memberships_removed": REMOVING,
    "memberships_removed_per_group": REMOVING,
    "groups_emptied": REMOVING,
    "administrators_touched": REMOVING | RENAMING | {"adopt"},
    **dict.fromkeys(("source", "people_lost", "groups_lost", "memberships_lost"), REMOVING | RENAMING),
    "attribute_emptied": REMOVING | RENAMING | {"update"},
}
"""The kinds of operation that wait because of a finding. A finding that is not here is about what a plan gives
(seats, new administrators, people who were kept out), so the whole plan waits."""

BINDING = frozenset({"adopt", "rename", "set_aside", "delete", "anonymise"})
"""Kinds without which the rest of the same person's operations, or of whoever gets the name, cannot be right."""

UNBOUND = frozenset({"leave", "remove_access", "strip_groups"})
"""What comes before all of those and is right without them: a leaver is out although the new name must wait."""


class Parting(NamedTuple):
    go_on: Difference
    waits: Difference


def part(difference: Difference, target: NumberedTarget, findings: Iterable[Finding]) -> Parting | None:
    """Divide the operations; None where nothing can go on without what waits. Numbers stay those of the whole plan."""
    kinds: set[str] = set()
    for finding in findings:
        if finding.kind not in HELD_KINDS:
            return None
        kinds |= HELD_KINDS[finding.kind]
    operations = difference.operations
    dangerous = pl.col("kind").is_in(list(kinds))
    people = bound_people(operations, operations.filter(dangerous & pl.col("kind").is_in(list(BINDING))))
    bound = pl.col("external_id").is_in(people.implode()).fill_null(value=False) & ~pl.col("kind").is_in(UNBOUND)
    waiting = dangerous | bound
    if operations.filter(~waiting).is_empty():
        return None
    return Parting(
        go_on=_only(difference, target, operations.filter(~waiting), kinds, people, goes_on=True),
        waits=_only(difference, target, operations.filter(waiting), kinds, people, goes_on=False),
    )


def bound_people(operations: pl.DataFrame, held: pl.DataFrame) -> pl.Series:
    """People whose operations must wait all together: theirs, and of whoever gets a name that stays taken."""
    wanted = operations.filter(pl.col("kind").is_in(["create", *RENAMING])).select(
        "external_id",
        slot(pl.col("after").str.json_path_match("$.username").str.to_lowercase()).alias("name"),
    )
    people = held["external_id"].drop_nulls().unique()
    while True:
        theirs = operations.filter(
            pl.col("external_id").is_in(people.implode()) & pl.col("kind").is_in(list(BINDING - {"adopt"}))
        )
        taken = theirs.select(slot(pl.col("username").str.to_lowercase()).alias("name"))
        more = wanted.join(taken, on="name", how="semi")["external_id"].drop_nulls()
        every = pl.concat([people, more]).unique()
        if len(every) == len(people):
            return people
        people = every


def _only(
    difference: Difference,
    target: NumberedTarget,
    operations: pl.DataFrame,
    kinds: set[str],
    people: pl.Series,
    *,
    goes_on: bool,
) -> Difference:
    """The difference with these operations alone, and with what they take and give."""
    accounts = (
        difference.operations.filter(pl.col("external_id").is_in(people.implode()))
        .select("account_id")
        .unique()
        .join(target.accounts.select("account_id", "account"), on="account_id")["account"]
    )
    bound = pl.col("account").is_in(accounts.implode()) & ~pl.col("kind").is_in(UNBOUND)
    taken = pl.col("kind").is_in(list(kinds)) | bound
    given = pl.col("external_id").is_in(people.implode())
    return replace(
        difference,
        operations=operations,
        removed=difference.removed.filter(~taken if goes_on else taken),
        added=difference.added.filter(~given if goes_on else given),
    )
