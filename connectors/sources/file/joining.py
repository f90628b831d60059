"""From tables to the three frames of a snapshot: who and what a membership names must be there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from connectors.sources.file.rows import groups_in, memberships_in, people_in
from connectors.sources.file.settings import FileSettings
from connectors.sources.file.table import LINE, Broken, Table
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS, conform

__all__ = ["Joined", "joined"]


class Joined(NamedTuple):
    people: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame
    findings: list[str]
    """One sentence for each row that was left out."""


def joined(tables: Mapping[str, Table], settings: FileSettings) -> Joined:
    """`tables` has `people` and may have `groups` and `memberships`. Raises `SourceUnreadable`."""
    people = people_in(tables["people"], settings)
    findings = tables["people"].findings(people.broken)
    rows = [(tables["people"], people.memberships)]
    groups = None
    if "groups" in tables:
        groups = groups_in(tables["groups"], settings)
        findings += tables["groups"].findings(groups.broken)
    if "memberships" in tables:
        memberships = memberships_in(tables["memberships"], settings)
        findings += tables["memberships"].findings(memberships.broken)
        rows.append((tables["memberships"], memberships.frame))

    known_groups = _named_in(pl.concat([frame for _, frame in rows])) if groups is None else groups.frame
    sound = []
    for table, frame in rows:
        kept, lost = _told_apart(frame, people.frame, known_groups)
        sound.append(kept)
        findings += table.findings(lost)
    return Joined(
        people=conform(people.frame, PEOPLE),
        groups=conform(known_groups, SOURCE_GROUPS),
        memberships=conform(pl.concat(sound).drop(LINE).unique(maintain_order=True), MEMBERSHIPS),
        findings=findings,
    )


def _named_in(memberships: pl.DataFrame) -> pl.DataFrame:
    """Without a groups file there are as many groups as names, and a name is an id."""
    inner = memberships.filter("member_is_group").select(pl.col("member_id").alias("group_id"))
    named = pl.concat([memberships.select("group_id"), inner]).unique().sort("group_id")
    return named.with_columns(pl.col("group_id").alias("name"))


def _told_apart(
    memberships: pl.DataFrame, people: pl.DataFrame, groups: pl.DataFrame
) -> tuple[pl.DataFrame, list[Broken]]:
    """The rows whose group and member are both known, and the others."""
    known = pl.lit(value=True)
    members = pl.concat(
        [
            people.select(pl.col("external_id").alias("member_id"), pl.lit(value=False).alias("member_is_group")),
            groups.select(pl.col("group_id").alias("member_id"), pl.lit(value=True).alias("member_is_group")),
        ]
    )
    judged = memberships.join(
        groups.select("group_id", known.alias("group_known")), on="group_id", how="left", maintain_order="left"
    ).join(
        members.with_columns(known.alias("member_known")),
        on=["member_id", "member_is_group"],
        how="left",
        maintain_order="left",
    )
    both = pl.col("group_known").is_not_null() & pl.col("member_known").is_not_null()
    lost = [
        Broken(line, _unknown(group, member, is_group=is_group, group_known=bool(group_known)))
        for line, group, member, is_group, group_known in judged.filter(~both)
        .select(LINE, "group_id", "member_id", "member_is_group", "group_known")
        .iter_rows()
    ]
    return judged.filter(both).select(LINE, *MEMBERSHIPS), lost


def _unknown(group: str, member: str, *, is_group: bool, group_known: bool) -> str:
    if not group_known:
        return f"the group {group!r} is not known; the membership of {member!r} was left out"
    kind = "group" if is_group else "person"
    return f"the {kind} {member!r} is not known; the membership in {group!r} was left out"
