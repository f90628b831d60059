"""Keycloak's rows as the frames of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from connectors.sources.keycloak.groups import Members, Tree
from connectors.sources.keycloak.settings import BUILT_IN
from connectors.sources.keycloak.wire import PersonRow
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS

__all__ = ["groups_frame", "memberships_frame", "people_frame"]


def people_frame(people: Sequence[PersonRow], attributes: Iterable[str] | None) -> pl.DataFrame:
    """`PEOPLE`, Keycloak's own fields, then the custom attributes; None for all that anybody has."""
    columns: dict[str, pl.Series] = {
        "external_id": pl.Series([person.id for person in people], dtype=pl.String),
        "username": pl.Series([person.username for person in people], dtype=pl.String),
        "email": pl.Series([person.email for person in people], dtype=pl.String),
        "display_name": pl.Series([_display_name(person) for person in people], dtype=pl.String),
        "active": pl.Series([person.enabled for person in people], dtype=pl.Boolean),
        "firstName": pl.Series([person.first_name for person in people], dtype=pl.String),
        "lastName": pl.Series([person.last_name for person in people], dtype=pl.String),
        "emailVerified": pl.Series([person.email_verified for person in people], dtype=pl.Boolean),
        "createdTimestamp": pl.Series([person.created_timestamp for person in people], dtype=pl.Int64),
    }
    if attributes is None:
        named = {name for person in people for name in person.attributes or ()}
        attributes = sorted(named - PEOPLE.keys() - BUILT_IN)
    for name in attributes:
        columns[name] = _attribute([(person.attributes or {}).get(name) for person in people])
    return pl.DataFrame(columns)


def groups_frame(tree: Tree) -> pl.DataFrame:
    """`SOURCE_GROUPS` and `path`, which tells groups of the same name apart."""
    rows = [(group.id, group.name, group.path) for group in tree.groups.values()]
    return pl.DataFrame(rows, schema={**SOURCE_GROUPS, "path": pl.String()}, orient="row")


def memberships_frame(tree: Tree, members: Members, people: pl.DataFrame, *, nested: bool) -> pl.DataFrame:
    """`MEMBERSHIPS` of people that were listed: not of service accounts, nor of who was deleted meanwhile."""
    direct = pl.DataFrame(
        {"group_id": members.group_ids, "member_id": members.member_ids}, schema_overrides=_TEXT
    ).join(people.select(pl.col("external_id").alias("member_id")), on="member_id", how="semi", maintain_order="left")
    below = pl.DataFrame(tree.nested if nested else [], schema=_TEXT, orient="row")
    both = [
        frame.with_columns(member_is_group=pl.lit(is_group)) for frame, is_group in ((direct, False), (below, True))
    ]
    return pl.concat(both).select(MEMBERSHIPS.keys())


_TEXT = {"group_id": pl.String(), "member_id": pl.String()}


def _display_name(person: PersonRow) -> str | None:
    return " ".join(part for part in (person.first_name, person.last_name) if part) or None


def _attribute(values: list[list[str | None] | None]) -> pl.Series:
    """Text where nobody has more than one value, else a list for everybody."""
    if all(value is None or len(value) < 2 for value in values):
        return pl.Series([value[0] if value else None for value in values], dtype=pl.String)
    return pl.Series([value or None for value in values], dtype=pl.List(pl.String))
