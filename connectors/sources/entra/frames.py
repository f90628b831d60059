"""Graph's documents as the frames of a snapshot, sorted by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from connectors.sources.entra.settings import EntraSettings
from connectors.sources.entra.wire import User
from directory.snapshot import SOURCE_GROUPS, member_rows

__all__ = ["groups_frame", "memberships_frame", "people_frame"]

_LISTS: Final = frozenset({"businessPhones", "imAddresses", "otherMails", "proxyAddresses"})
"""Properties that are lists. The type of a column must not hang on who happens to be read."""


def people_frame(users: Iterable[User], settings: EntraSettings) -> pl.DataFrame:
    """`PEOPLE`, given and family name, type, and the attributes. Nobody is active of whom Graph does not say so."""
    rows = [user.properties for user in sorted(users, key=lambda user: user.id)]
    columns: dict[str, pl.Series] = {
        "external_id": _text(row.get("id") for row in rows),
        "username": _text(row.get("userPrincipalName") for row in rows),
        "email": _text(row.get("mail") for row in rows),
        "display_name": _text(row.get("displayName") for row in rows),
        "active": pl.Series([row.get("accountEnabled") is True for row in rows], dtype=pl.Boolean()),
        "given_name": _text(row.get("givenName") for row in rows),
        "family_name": _text(row.get("surname") for row in rows),
        "user_type": _text(row.get("userType") for row in rows),
    }
    for column, path in settings.paths.items():
        values = [_at(row, path) for row in rows]
        columns[column] = _texts(values) if path[-1] in _LISTS else _text(values)
    return pl.DataFrame(columns)


def groups_frame(names: Mapping[str, str]) -> pl.DataFrame:
    """From group id to name."""
    ordered = sorted(names.items())
    return pl.DataFrame(
        {"group_id": [key for key, _ in ordered], "name": [name for _, name in ordered]}, schema=dict(SOURCE_GROUPS)
    )


def memberships_frame(people: Mapping[str, Sequence[str]], groups: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """From group id to ids of people, and from group id to ids of groups within."""
    parts = [member_rows(people, is_group=False), member_rows(groups, is_group=True)]
    whole = pl.concat(parts).unique()
    return whole.sort("group_id", "member_id")


def _at(row: Any, path: Sequence[str]) -> Any:
    for key in path:
        row = row.get(key) if isinstance(row, dict) else None
    return row


def _text(values: Iterable[Any]) -> pl.Series:
    return pl.Series([None if value is None else _as_text(value) for value in values], dtype=pl.String())


def _texts(values: Iterable[Any]) -> pl.Series:
    lists = [None if not isinstance(value, list) else [_as_text(item) for item in value] for value in values]
    return pl.Series(lists, dtype=pl.List(pl.String()))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
