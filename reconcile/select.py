"""Whom a sync is about, and which groups it gives them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from directory.flatten import effective_memberships, reaches
from directory.normalize import folded
from directory.snapshot import SourceSnapshot
from reconcile.admission import Admission, admit
from reconcile.mapping import MAPPED, map_attributes
from reconcile.pattern import matches_any
from reconcile.policy import Policy
from reconcile.renaming import target_name

__all__ = ["Selection", "select", "target_groups"]


@dataclass(frozen=True)
class Selection:
    """What the source wants of the target. Persons and groups are row numbers, so that ten million memberships fit."""

    people: pl.DataFrame
    """Everybody in the source: `person` UInt32, `external_id`, the columns of `reconcile.mapping.MAPPED` but `dropped`,
    `active`, `wanted` Boolean (selected and active), `reason` String (why selected, or why not)."""
    groups: pl.DataFrame
    """The target groups to give: `group` UInt32, `name` String, `key` String (folded name)."""
    memberships: pl.DataFrame
    """Of the wanted people: `person` UInt32, `group` UInt32, `reach` UInt32 (null for a group that everybody gets)."""
    paths: pl.DataFrame
    """`reach` UInt32, `path` String: how a membership came about."""
    feeds: pl.DataFrame
    """Every group of the source: `group_id`, `source_name`, and `key`, the folded name of the target group that it
    feeds; null where it is not assigned."""
    findings: tuple[str, ...]
    """Groups that the sync file names and the source has no more, such as a required one; each holds the plan."""
    emptied: tuple[str, ...]
    """Required groups without a member; each holds the plan."""
    unexcluded: tuple[str, ...]
    """Groups by which people are kept out and which the source has no more; each holds the plan."""
    keeps_out_by_groups: bool
    """Whether a membership that was not read may let somebody in."""


def select(snapshot: SourceSnapshot, policy: Policy) -> Selection:
    """Decide whom and which groups. Raises `ConfigurationError` for an expression that cannot be evaluated."""
    # Numbered apart from the attributes, among which any name may be.
    people = snapshot.people.select("external_id", "active").with_row_index("person")
    groups = snapshot.groups.with_row_index("source_group")
    reach = reaches(snapshot.groups, snapshot.memberships)
    direct = _direct(people, groups, snapshot.memberships)
    numbered = _numbered(reach, groups)

    required, findings, emptied = _required(groups, policy, numbered, direct)
    admission = admit(snapshot.people, groups, direct, numbered, policy)
    verdicts = _verdicts(people, policy, required, reach, admission)
    targets, assigned = target_groups(groups, policy)
    wanted = verdicts.filter("wanted").select("person")
    given = effective_memberships(
        direct.join(wanted, on="person", how="semi"),
        numbered.join(assigned, on="source_group").select("via", "group", "reach"),
    )
    always = targets.filter(pl.col("always")).select("group")
    if always.height:
        everyone = wanted.join(always, how="cross").with_columns(pl.lit(None, pl.UInt32).alias("reach"))
        given = pl.concat([everyone, given]).unique(["person", "group"], keep="first", maintain_order=True)
    return Selection(
        people=verdicts,
        groups=targets.select("group", "name", "key"),
        memberships=given,
        paths=reach.select("reach", "path"),
        feeds=_feeds(groups, targets, assigned),
        findings=(*findings, *admission.findings),
        emptied=emptied,
        unexcluded=admission.unexcluded,
        keeps_out_by_groups=admission.keeps_out_by_groups,
    )


def _direct(people: pl.DataFrame, groups: pl.DataFrame, memberships: pl.DataFrame) -> pl.DataFrame:
    """Direct memberships of persons as `person`, `via` (both UInt32); rows that name nobody known fall out."""
    return (
        memberships.lazy()
        .filter(~pl.col("member_is_group"))
        .join(people.lazy().select(pl.col("external_id").alias("member_id"), "person"), on="member_id")
        .join(groups.lazy().select("group_id", pl.col("source_group").alias("via")), on="group_id")
        .select("person", "via")
        .collect()
    )


def _numbered(reach: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    numbers = groups.select("group_id", "source_group")
    return (
        reach.select("reach", "group_id", "via", "depth")
        .join(numbers, on="group_id")
        .join(numbers.select(pl.col("group_id").alias("via"), pl.col("source_group").alias("via_number")), on="via")
        .select("reach", "source_group", pl.col("via_number").alias("via"))
    )


def _required(
    groups: pl.DataFrame, policy: Policy, numbered: pl.DataFrame, direct: pl.DataFrame
) -> tuple[pl.DataFrame | None, tuple[str, ...], tuple[str, ...]]:
    """Members of required groups as `person`, `reach`, None where no group is required; and which of those groups are
    missing, and which have no member."""
    names = policy.people.required_groups
    if not names:
        return None, (), ()
    keyed = groups.select("source_group", folded("name").alias("key"))
    by_key = {name.lower(): name for name in names}
    known = set(keyed["key"])
    missing = [name for key, name in by_key.items() if key not in known]
    findings = tuple(f"the required group {name!r} is not in the source" for name in missing)
    required = keyed.filter(pl.col("key").is_in(list(by_key)))
    members = effective_memberships(
        direct, numbered.join(required, on="source_group").select("via", pl.col("source_group").alias("group"), "reach")
    )
    filled = required.join(members.select(pl.col("group").alias("source_group")), on="source_group", how="semi")
    empty = set(by_key) & known - set(filled["key"])
    emptied = tuple(f"the required group {by_key[key]!r} has no member" for key in sorted(empty))
    return members.group_by("person").agg(pl.col("reach").min()), findings, emptied


def _verdicts(
    people: pl.DataFrame,
    policy: Policy,
    required: pl.DataFrame | None,
    reach: pl.DataFrame,
    admission: Admission,
) -> pl.DataFrame:
    mapped = map_attributes(admission.people, policy.attributes)
    verdicts = pl.concat(
        [
            people.select("person", "external_id", "active"),
            mapped,
            pl.DataFrame([admission.included.alias("included"), admission.excluded.alias("excluded")]),
        ],
        how="horizontal",
    )
    if required is None:
        verdicts = verdicts.with_columns(pl.lit(value=True).alias("in_required"), pl.lit(None, pl.String).alias("path"))
    else:
        paths = required.join(reach.select("reach", "path"), on="reach").select("person", "path")
        verdicts = verdicts.join(paths, on="person", how="left", maintain_order="left").with_columns(
            pl.col("path").is_not_null().alias("in_required")
        )
    included = pl.lit(value=True) if policy.people.include is None else pl.col("included").is_not_null()
    why = pl.concat_str(
        [
            pl.lit("in the required group ") + pl.col("path"),
            pl.lit("met: people.include, ") + pl.col("included"),
        ],
        separator="; ",
        ignore_nulls=True,
    )
    reason = (
        pl.when(~pl.col("in_required"))
        .then(pl.lit("in no required group"))
        .when(~included)
        .then(pl.lit("not met: people.include"))
        .when(pl.col("excluded").is_not_null())
        .then(pl.lit("met: people.exclude, ") + pl.col("excluded"))
        .when(pl.col("dropped").is_not_null())
        .then(pl.format("dropped: no rule of attributes.{} applies", "dropped"))
        .when(~pl.col("active"))
        .then(pl.lit("inactive in the source"))
        .when(pl.col("path").is_not_null() | pl.col("included").is_not_null())
        .then(why)
        .otherwise(pl.lit("everybody of the source is synced"))
    )
    wanted = (
        pl.col("in_required") & included & pl.col("excluded").is_null() & pl.col("dropped").is_null() & pl.col("active")
    )
    return verdicts.with_columns(pl.col("active").fill_null(value=False)).select(
        "person",
        "external_id",
        *(name for name in MAPPED if name != "dropped"),
        "active",
        wanted.alias("wanted"),
        reason.alias("reason"),
    )


def target_groups(groups: pl.DataFrame, policy: Policy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Target groups (`group`, `name`, `key`, `always`) and which source group feeds which (`source_group`, `group`).

    Source groups that are called the same in the target, whatever the case, feed one group; the first by name gives it
    its spelling.
    """
    chosen = (
        groups.filter(matches_any("name", policy.groups.assign) & ~matches_any("name", policy.groups.ignore))
        .select("source_group", target_name(policy.groups).alias("name"))
        .filter(pl.col("name").is_not_null() & ~matches_any("name", policy.groups.local))
        .with_columns(folded("name").alias("key"))
    )
    always = pl.DataFrame({"name": list(policy.groups.always)}, schema={"name": pl.String}).select(
        "name", folded("name").alias("key"), pl.lit(value=True).alias("always")
    )
    targets = (
        pl.concat([always, chosen.select("name", "key", pl.lit(value=False).alias("always"))])
        .sort("key", "always", "name", descending=[False, True, False])
        .unique("key", keep="first", maintain_order=True)
        .with_row_index("group")
    )
    return targets, chosen.join(targets.select("key", "group"), on="key").select("source_group", "group")


def _feeds(groups: pl.DataFrame, targets: pl.DataFrame, assigned: pl.DataFrame) -> pl.DataFrame:
    keys = assigned.join(targets.select("group", "key"), on="group").select("source_group", "key")
    return groups.join(keys, on="source_group", how="left", maintain_order="left").select(
        "group_id", pl.col("name").alias("source_name"), "key"
    )
