"""What a read of one person must say, computed from a read of everybody."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from directory.flatten import reaches
from directory.snapshot import SourceSnapshot
from reconcile.person import only

__all__ = ["read_alone"]


def read_alone(source: SourceSnapshot, person: str) -> SourceSnapshot:
    """The person, their groups with all that contain those, and the memberships among them."""
    alone = only(source, person)
    direct = alone.memberships.filter(~pl.col("member_is_group") & pl.lit(alone.people.height > 0))
    reach = reaches(source.groups, source.memberships).join(direct, left_on="via", right_on="group_id", how="semi")
    groups = source.groups.join(reach, on="group_id", how="semi")
    ids = groups["group_id"].implode()
    inside = source.memberships.filter("member_is_group", pl.col("group_id").is_in(ids), pl.col("member_id").is_in(ids))
    return replace(alone, groups=groups, memberships=pl.concat([direct, inside]))
