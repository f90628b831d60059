"""OneLogin's documents as the frames of a snapshot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from connectors.sources.onelogin.api import User
from connectors.sources.onelogin.settings import CUSTOM, OneLoginSettings
from directory.snapshot import MEMBERSHIPS, SOURCE_GROUPS

__all__ = ["attribute", "directory_groups", "groups_frame", "memberships_frame", "people_frame"]

Document = Mapping[str, Any]

_SEPARATOR: Final = re.compile(r"(?<!\\);")
_COMMON_NAME: Final = re.compile(r"CN=((?:\\.|[^,\\])+)", re.IGNORECASE)


def people_frame(users: Sequence[User], documents: Sequence[Document], settings: OneLoginSettings) -> pl.DataFrame:
    """`PEOPLE`, given and family name, OneLogin's status and state, and the attributes."""
    columns: dict[str, pl.Series] = {
        "external_id": _text(user.id for user in users),
        "username": _text(user.username or user.email for user in users),
        "email": _text(user.email for user in users),
        "display_name": _text(_display_name(user) for user in users),
        "active": pl.Series([_is_active(user, settings) for user in users], dtype=pl.Boolean()),
        "given_name": _text(user.firstname for user in users),
        "family_name": _text(user.lastname for user in users),
        "status": pl.Series([user.status for user in users], dtype=pl.Int64()),
        "state": pl.Series([user.state for user in users], dtype=pl.Int64()),
    }
    for column, path in settings.columns.items():
        columns[column] = _text(attribute(document, path) for document in documents)
    return pl.DataFrame(columns).sort("external_id")


def groups_frame(groups: Mapping[str, str]) -> pl.DataFrame:
    """From group id to name."""
    frame = pl.DataFrame({"group_id": list(groups), "name": list(groups.values())}, schema=dict(SOURCE_GROUPS))
    return frame.sort("group_id")


def memberships_frame(groups_of: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """From the id of a person to ids of groups; OneLogin has no groups in groups."""
    lists = pl.DataFrame(
        {"member_id": list(groups_of), "group_id": [list(ids) for ids in groups_of.values()]},
        schema={"member_id": pl.String(), "group_id": pl.List(pl.String())},
    )
    rows = lists.filter(pl.col("group_id").list.len() > 0).explode("group_id").unique()
    rows = rows.with_columns(pl.lit(value=False).alias("member_is_group")).sort("group_id", "member_id")
    return rows.select(MEMBERSHIPS.keys()).cast(dict(MEMBERSHIPS))  # type: ignore[arg-type]


def directory_groups(member_of: str | None) -> dict[str, str]:
    """The groups that the text names, as distinguished names separated by semicolons: by that name, their own name."""
    found = {}
    for part in _SEPARATOR.split(member_of or ""):
        whole = part.strip()
        if whole:
            match = _COMMON_NAME.match(whole)
            found[whole] = re.sub(r"\\(.)", r"\1", match[1]) if match else whole
    return found


def attribute(document: Document, path: str) -> object:
    root, _, rest = path.partition(".")
    value = document.get(root)
    return (value or {}).get(rest) if root == CUSTOM else value


def _is_active(user: User, settings: OneLoginSettings) -> bool:
    return user.status in settings.active_statuses and user.state in settings.approved_states


def _display_name(user: User) -> str | None:
    return " ".join(part for part in (user.firstname, user.lastname) if part and part.strip()) or None


def _text(values: Iterable[object]) -> pl.Series:
    return pl.Series([None if value is None else _as_text(value) for value in values], dtype=pl.String())


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
