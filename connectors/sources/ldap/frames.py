"""People and groups as the frames of a snapshot, sorted by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from connectors.sources.ldap.entries import Group, Person, is_active
from connectors.sources.ldap.settings import LdapSettings
from directory.snapshot import SOURCE_GROUPS, member_rows

__all__ = ["EDGE", "Frames", "groups_frame", "links_frame", "people_frame", "primary_frame", "with_states"]

EDGE: Final = ["group_id", "member_id", "member_is_group"]

_GROUPS: Final = {**SOURCE_GROUPS, "dn": pl.String(), "primary_id": pl.String()}


@dataclass(frozen=True)
class Frames:
    people: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame


def people_frame(people: Iterable[Person], settings: LdapSettings, now: int) -> pl.DataFrame:
    """`PEOPLE`, where they are in the tree, what shuts them out, and the attributes. `now`: seconds since 1970."""
    rows = sorted(people, key=lambda person: person.external_id)
    active = [is_active(disabled=row.disabled, expires_at=row.expires_at, now=now) for row in rows]
    columns: dict[str, pl.Series] = {
        "external_id": _text(row.external_id for row in rows),
        "username": _text(row.username for row in rows),
        "email": _text(row.email for row in rows),
        "display_name": _text(row.display_name for row in rows),
        "active": pl.Series(active, dtype=pl.Boolean()),
        "dn": _text(row.dn for row in rows),
        "given_name": _text(row.given_name for row in rows),
        "family_name": _text(row.family_name for row in rows),
        "uid": _text(row.uid for row in rows),
        "disabled": pl.Series([row.disabled for row in rows], dtype=pl.Boolean()),
        "expires_at": pl.Series([row.expires_at for row in rows], dtype=pl.Int64()),
        "primary_group": _text(row.primary_group for row in rows),
    }
    for column in settings.columns:
        values = [row.attributes[column] for row in rows]
        columns[column] = (
            pl.Series(values, dtype=pl.List(pl.String()))
            if column in settings.lists
            else _text(", ".join(found) if found else None for found in values)
        )
    return pl.DataFrame(columns)


def with_states(people: pl.DataFrame, now: int) -> pl.DataFrame:
    """Who is active by the clock: an account may expire without any change to its entry."""
    is_over = pl.col("expires_at").is_not_null() & (pl.col("expires_at") <= now)
    return people.with_columns((~pl.col("disabled") & ~is_over).alias("active"))


def groups_frame(groups: Iterable[Group]) -> pl.DataFrame:
    """`SOURCE_GROUPS`, the name in the tree, and what people's `primary_group` calls the group."""
    rows = sorted((group.group_id, group.name, group.dn, group.primary_id) for group in groups)
    return pl.DataFrame(rows, schema=_GROUPS, orient="row")


def links_frame(people: Mapping[str, Sequence[str]], groups: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """From group id to ids of people, and from group id to ids of groups within."""
    return pl.concat([member_rows(people, is_group=False), member_rows(groups, is_group=True)]).unique()


def primary_frame(people: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Memberships that a person's own entry tells of."""
    named = people.select(pl.col("primary_group").alias("primary_id"), pl.col("external_id").alias("member_id"))
    found = named.drop_nulls().join(groups.select("primary_id", "group_id").drop_nulls(), on="primary_id")
    return found.select("group_id", "member_id", pl.lit(value=False).alias("member_is_group"))


def _text(values: Iterable[str | None]) -> pl.Series:
    return pl.Series(list(values), dtype=pl.String())
