"""Google's documents as the frames of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from connectors.sources.google.api import Group, User
from connectors.sources.google.settings import CUSTOM, GoogleSettings
from directory.snapshot import SOURCE_GROUPS, member_rows

__all__ = ["attribute", "called", "groups_frame", "memberships_frame", "people_frame"]

Document = Mapping[str, Any]


def people_frame(users: Sequence[User], documents: Sequence[Document], settings: GoogleSettings) -> pl.DataFrame:
    """`PEOPLE`, given and family name, Google's two ways to shut somebody out, and the attributes."""
    columns: dict[str, pl.Series] = {
        "external_id": _text(user.id for user in users),
        "username": _text(user.primary_email for user in users),
        "email": _text(user.primary_email for user in users),
        "display_name": _text(_display_name(user) for user in users),
        "active": pl.Series([not user.suspended and not user.archived for user in users], dtype=pl.Boolean()),
        "given_name": _text(user.name.given_name for user in users),
        "family_name": _text(user.name.family_name for user in users),
        "suspended": pl.Series([user.suspended for user in users], dtype=pl.Boolean()),
        "archived": pl.Series([user.archived for user in users], dtype=pl.Boolean()),
    }
    for column, path in settings.columns.items():
        columns[column] = _attribute_series([attribute(document, path) for document in documents])
    return pl.DataFrame(columns)


def called(group: Group, settings: GoogleSettings) -> str:
    """The name that the sync file wants a group to have."""
    if settings.group_name == "name":
        return group.name or group.email
    return group.email if settings.group_name == "email" else group.email.partition("@")[0]


def groups_frame(groups: Sequence[Group], settings: GoogleSettings) -> pl.DataFrame:
    """`SOURCE_GROUPS` and `email`, which tells groups of the same name apart."""
    rows = [(group.id, called(group, settings), group.email) for group in groups]
    return pl.DataFrame(rows, schema={**SOURCE_GROUPS, "email": pl.String()}, orient="row")


def memberships_frame(
    people_of: Mapping[str, Sequence[str]],
    groups_of: Mapping[str, Sequence[str]],
    everybody_in: Iterable[str],
    people: pl.DataFrame,
) -> pl.DataFrame:
    """From group id to ids of people, to ids of groups, and the groups that hold everybody."""
    direct = member_rows(people_of, is_group=False)
    below = member_rows(groups_of, is_group=True)
    everybody = (
        pl.DataFrame({"group_id": list(everybody_in)}, schema={"group_id": pl.String()})
        .join(people.select(pl.col("external_id").alias("member_id")), how="cross")
        .with_columns(pl.lit(value=False).alias("member_is_group"))
    )
    return pl.concat([direct, everybody.select(direct.columns), below]).unique(maintain_order=True)


def attribute(document: Document, path: str) -> str | list[str] | None:
    """What stands at the end of a path: text, or a list where Google keeps several values."""
    root, _, rest = path.partition(".")
    value = document.get(root)
    if root == CUSTOM:
        schema, _, field = rest.partition(".")
        value = ((value or {}).get(schema) or {}).get(field)
        return _values(value) if isinstance(value, list) else _as_text(value)
    if rest:
        entry = _primary(value) if isinstance(value, list) else value
        value = entry.get(rest) if isinstance(entry, dict) else None
    if isinstance(value, list):
        return [text for text in map(_as_text, value) if text is not None]
    return _as_text(value)


def _primary(entries: list[Any]) -> Any:
    """Which of several organisations, addresses and so on is meant."""
    marked = [entry for entry in entries if isinstance(entry, dict) and entry.get("primary")]
    return next(iter(marked or entries), None)


def _values(entries: list[Any]) -> list[str]:
    """A custom field with several values is a list of entries, each with its value and a type."""
    found = [entry.get("value") if isinstance(entry, dict) else entry for entry in entries]
    return [text for text in map(_as_text, found) if text is not None]


def _display_name(user: User) -> str | None:
    if user.name.full_name and user.name.full_name.strip():
        return user.name.full_name
    return " ".join(part for part in (user.name.given_name, user.name.family_name) if part) or None


def _text(values: Iterable[Any]) -> pl.Series:
    return pl.Series([_as_text(value) for value in values], dtype=pl.String())


def _attribute_series(values: list[str | list[str] | None]) -> pl.Series:
    """A list for all where anybody has a list, text otherwise."""
    if not any(isinstance(value, list) for value in values):
        return pl.Series(values, dtype=pl.String())
    lists = [[value] if isinstance(value, str) else value for value in values]
    return pl.Series(lists, dtype=pl.List(pl.String()))


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
