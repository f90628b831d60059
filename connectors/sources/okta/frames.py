"""Okta's documents as the frames of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from connectors.sources.okta.api import Group, User
from connectors.sources.okta.settings import OWN_COLUMNS, OktaSettings
from directory.snapshot import SOURCE_GROUPS, member_rows

__all__ = ["ENABLED", "groups_frame", "joined", "memberships_frame", "people_frame"]

ENABLED: Final = frozenset({"ACTIVE", "PASSWORD_EXPIRED", "RECOVERY", "LOCKED_OUT", "PROVISIONED"})
"""Statuses of people who work here: LOCKED_OUT passes by itself, PROVISIONED has yet to choose a password. STAGED has
not begun, SUSPENDED and DEPROVISIONED have ended; a status that Okta invents later counts as ended too."""

_LIST: Final = pl.List(pl.String())
_MAPPED: Final = frozenset({"login", "email", "displayName", "firstName", "lastName"})


def people_frame(users: Sequence[User], settings: OktaSettings) -> pl.DataFrame:
    """`PEOPLE`, given and family name, Okta's status, and the attributes, in the order of the ids."""
    columns: dict[str, pl.Series] = {
        "external_id": _text(user.id for user in users),
        "username": _text(user.profile.get("login") for user in users),
        "email": _text(user.profile.get("email") for user in users),
        "display_name": _text(_display_name(user.profile) for user in users),
        "active": pl.Series([user.status in ENABLED for user in users], dtype=pl.Boolean()),
        "given_name": _text(user.profile.get("firstName") for user in users),
        "family_name": _text(user.profile.get("lastName") for user in users),
        "status": _text(user.status for user in users),
    }
    named = settings.columns if settings.attributes != "all" else _all_attributes(users)
    for column, attribute in named.items():
        columns[column] = _attribute([user.profile.get(attribute) for user in users])
    return pl.DataFrame(columns).sort("external_id")


def joined(kept: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Two parts of one list of people, with the types that `people_frame` gives where it sees everybody."""
    for name, dtype in kept.schema.items():
        if dtype != changed.schema[name]:
            kept, changed = _with_lists(kept, name), _with_lists(changed, name)
    whole = pl.concat([kept, changed]).sort("external_id")
    empty = [name for name, dtype in whole.schema.items() if dtype == _LIST and whole[name].null_count() == len(whole)]
    return whole.with_columns(pl.lit(None, pl.String()).alias(name) for name in empty)


def groups_frame(groups: Sequence[Group]) -> pl.DataFrame:
    return pl.DataFrame(
        {"group_id": [group.id for group in groups], "name": [group.name for group in groups]},
        schema=dict(SOURCE_GROUPS),
    ).sort("group_id")


def memberships_frame(members: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """From group id to ids of people; Okta has no groups in groups."""
    whole = member_rows(members, is_group=False).unique(maintain_order=True)
    return whole.sort("group_id", "member_id")


def _display_name(profile: Mapping[str, Any]) -> str | None:
    shown = profile.get("displayName")
    if isinstance(shown, str) and shown.strip():
        return shown
    names = [profile.get("firstName"), profile.get("lastName")]
    return " ".join(name for name in names if isinstance(name, str) and name.strip()) or None


def _all_attributes(users: Iterable[User]) -> dict[str, str]:
    names = sorted({name for user in users for name in user.profile} - _MAPPED)
    return {f"profile_{name}" if name in OWN_COLUMNS else name: name for name in names}


def _text(values: Iterable[Any]) -> pl.Series:
    return pl.Series([None if value is None else _as_text(value) for value in values], dtype=pl.String())


def _attribute(values: list[Any]) -> pl.Series:
    """A list for all where anybody has a list, text otherwise."""
    if not any(isinstance(value, list) for value in values):
        return _text(values)
    lists = [
        None if value is None else [_as_text(item) for item in (value if isinstance(value, list) else [value])]
        for value in values
    ]
    return pl.Series(lists, dtype=_LIST)


def _with_lists(people: pl.DataFrame, name: str) -> pl.DataFrame:
    if people.schema[name] == _LIST:
        return people
    return people.with_columns(pl.when(pl.col(name).is_not_null()).then(pl.concat_list(name)).alias(name))


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
