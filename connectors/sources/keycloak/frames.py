"""Keycloak's rows as the frames of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from connectors.sources.keycloak.groups import Members, Tree
from connectors.sources.keycloak.settings import BUILT_IN
from connectors.sources.keycloak.wire import PersonRow
from directory.snapshot import MEMBERSHIPS, PEOPLE, SOURCE_GROUPS

__all__ = ["changed_people", "groups_frame", "memberships_frame", "people_frame"]


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
        named = {name for person in people for name, values in (person.attributes or {}).items() if _given(values)}
        attributes = sorted(named - PEOPLE.keys() - BUILT_IN)
    for name in attributes:
        columns[name] = _attribute([_given((person.attributes or {}).get(name)) for person in people])
    return pl.DataFrame(columns).sort("external_id")


def changed_people(
    before: pl.DataFrame, changed: Sequence[PersonRow], gone: Iterable[str], attributes: Iterable[str] | None
) -> pl.DataFrame:
    """What `people_frame` would give for those of before without who is gone, and with who has changed or come."""
    rows = people_frame(changed, attributes)
    touched = pl.DataFrame({"external_id": [*rows["external_id"], *gone]}, schema={"external_id": pl.String()})
    kept = before.join(touched, on="external_id", how="anti")
    first = [*PEOPLE, *sorted(BUILT_IN)]
    further = dict.fromkeys(name for name in (*before.columns, *rows.columns) if name not in first)
    lists = {name for name in further for frame in (kept, rows) if frame.schema.get(name) == pl.List(pl.String)}
    whole = pl.concat([_as_lists(kept, lists), _as_lists(rows, lists)], how="diagonal")
    whole = whole.with_columns(
        pl.col(name).list.first() for name in lists if not (whole[name].list.len() >= _SEVERAL).any()
    )
    if attributes is None:
        nobodys = [name for name in further if whole[name].null_count() == whole.height]
        named = sorted(set(further) - set(nobodys))
    else:
        named = list(attributes)
    built_in = [name for name in rows.columns if name in first]
    return whole.select(*built_in, *named).sort("external_id")


def groups_frame(tree: Tree) -> pl.DataFrame:
    """`SOURCE_GROUPS` and `path`, which tells groups of the same name apart."""
    rows = [(group.id, group.name, group.path) for group in tree.groups.values()]
    return pl.DataFrame(rows, schema={**SOURCE_GROUPS, "path": pl.String()}, orient="row").sort("group_id")


def memberships_frame(tree: Tree, members: Members, people: pl.DataFrame, *, nested: bool) -> pl.DataFrame:
    """`MEMBERSHIPS` of people that were listed: not of service accounts, nor of who was deleted meanwhile."""
    direct = pl.DataFrame(
        {"group_id": members.group_ids, "member_id": members.member_ids}, schema_overrides=_TEXT
    ).join(people.select(pl.col("external_id").alias("member_id")), on="member_id", how="semi")
    below = pl.DataFrame(tree.nested if nested else [], schema=_TEXT, orient="row")
    both = [
        frame.with_columns(member_is_group=pl.lit(is_group)) for frame, is_group in ((direct, False), (below, True))
    ]
    return pl.concat(both).select(MEMBERSHIPS.keys()).sort("member_is_group", "group_id", "member_id")


_SEVERAL: Final = 2
_TEXT = {"group_id": pl.String(), "member_id": pl.String()}


def _display_name(person: PersonRow) -> str | None:
    return " ".join(part for part in (person.first_name, person.last_name) if part) or None


def _given(values: Sequence[str | None] | None) -> list[str]:
    return [value for value in values or () if value is not None]


def _attribute(values: list[list[str]]) -> pl.Series:
    """Text where nobody has more than one value, else a list for everybody."""
    if all(len(value) < _SEVERAL for value in values):
        return pl.Series([value[0] if value else None for value in values], dtype=pl.String)
    return pl.Series([value or None for value in values], dtype=pl.List(pl.String))


def _as_lists(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    texts = [name for name in names if frame.schema.get(name) == pl.String]
    return frame.with_columns(
        pl.when(pl.col(name).is_not_null()).then(pl.concat_list(name)).alias(name) for name in texts
    )
