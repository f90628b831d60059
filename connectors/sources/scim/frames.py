"""SCIM users as rows of a snapshot (RFC 7643, sections 4.1 and 4.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from directory.snapshot import PEOPLE

__all__ = ["COLUMNS", "people_table"]

_MAPPED: Final = frozenset({"schemas", "id", "meta", "userName", "displayName", "active", "groups", "externalId"})
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LIST: Final = pl.List(pl.String())

_TEXTS: Final = (
    "scim_id",
    "scim_external_id",
    "given_name",
    "family_name",
    "title",
    "user_type",
    "nick_name",
    "preferred_language",
    "locale",
    "timezone",
    "employee_number",
    "cost_center",
    "organization",
    "division",
    "department",
    "manager",
)
_LISTS: Final = ("emails", "phone_numbers", "roles", "entitlements")
COLUMNS: Final = (*_TEXTS, *_LISTS)
"""Attributes that are there whether anybody has them or not."""


def people_table(people: Sequence[tuple[str, str]], *, by_external_id: bool) -> pl.DataFrame:
    """From ids and documents: `PEOPLE`, the attributes of `COLUMNS`, and every further attribute that anybody has.

    Attributes of extensions are named like those of the core, `employeeNumber` as `employee_number`; of one with many
    values there is the list of its values. `active` is true where it was not sent: whoever provisions leaves it out
    for people who work here.
    """
    rows = [_row(each, json.loads(document), by_external_id=by_external_id) for each, document in people]
    further = sorted({name for row in rows for name in row} - {*PEOPLE, *COLUMNS})
    columns: dict[str, pl.Series] = {}
    for name, dtype in PEOPLE.items():
        columns[name] = pl.Series([row.get(name) for row in rows], dtype=dtype)
    for name in (*COLUMNS, *further):
        values = [row.get(name) for row in rows]
        many = name in _LISTS or any(isinstance(value, list) for value in values)
        columns[name] = pl.Series([_as(value, many=many) for value in values], dtype=_LIST if many else pl.String())
    return pl.DataFrame(columns)


def _row(scim_id: str, user: Mapping[str, Any], *, by_external_id: bool) -> dict[str, Any]:
    name = user.get("name") or {}
    found: dict[str, Any] = {
        "external_id": user.get("externalId") if by_external_id else scim_id,
        "username": user.get("userName"),
        "email": _email(user.get("emails") or ()),
        "display_name": _display_name(user, name),
        "active": user.get("active", True),
        "scim_id": scim_id,
        "scim_external_id": user.get("externalId"),
        "given_name": name.get("givenName"),
        "family_name": name.get("familyName"),
    }
    for key, value in user.items():
        if key in _MAPPED or key == "name":
            continue
        if isinstance(value, Mapping) and ":" in key:
            for part, inner in value.items():
                found.setdefault(_column(part), _value(inner))
        else:
            found.setdefault(_column(key), _value(value))
    return {column: value for column, value in found.items() if value is not None}


def _email(emails: Iterable[Mapping[str, Any]]) -> str | None:
    """The primary one, else the one for work, else the first."""
    usable = [each for each in emails if each.get("value")]
    primary = [each for each in usable if each.get("primary") is True]
    at_work = [each for each in usable if str(each.get("type")).lower() == "work"]
    return next((str(each["value"]) for each in (*primary, *at_work, *usable)), None)


def _display_name(user: Mapping[str, Any], name: Mapping[str, Any]) -> str | None:
    for shown in (user.get("displayName"), name.get("formatted")):
        if isinstance(shown, str) and shown.strip():
            return shown
    parts = [name.get("givenName"), name.get("familyName")]
    return " ".join(part for part in parts if isinstance(part, str) and part.strip()) or None


def _column(name: str) -> str:
    """`employeeNumber` as `employee_number`; what is the name of a column of ours gets a prefix."""
    column = _HUMP.sub("_", name).lower().replace("$", "")
    return f"scim_{column}" if column in PEOPLE else column


def _value(value: Any) -> str | list[str] | None:
    """Text, or texts; of an object its value. None for what is neither, such as an address."""
    if isinstance(value, Mapping):
        value = value.get("value")
        return None if value is None or isinstance(value, Mapping | list) else _text(value)
    if isinstance(value, list):
        listed = [each.get("value") if isinstance(each, Mapping) else each for each in value]
        return [_text(each) for each in listed if each is not None] or None
    return None if value is None else _text(value)


def _as(value: Any, *, many: bool) -> Any:
    return [value] if many and isinstance(value, str) else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
