"""The attributes of a sync file over all people at once: what each is called, and what becomes of who has no value."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from reconcile.policy import Attributes
from reconcile.rules import Answer, Attribute, AttributeValue, Rule, rule_value
from reconcile.transform import column_of, expression

__all__ = ["MAPPED", "map_attributes"]

MAPPED: Mapping[str, pl.DataType] = {
    "username": pl.String(),
    "email": pl.String(),
    "display_name": pl.String(),
    "keeps_name": pl.Boolean(),
    "clears_email": pl.Boolean(),
    "clears_display_name": pl.Boolean(),
    "dropped": pl.String(),
    "attributes": pl.String(),
}
"""One row a person. `keeps_name`: no username is given, and the account's own is to stay. `clears_…`: there is no value
and the account's own is to go. `dropped`: the attribute whose rules drop the person, null for nobody. `attributes`: a
JSON object of the further ones."""

_TARGETED = ("username", "email", "display_name")


def map_attributes(people: pl.DataFrame, mapping: Attributes) -> pl.DataFrame:
    """Every attribute of everybody, schema `MAPPED`. Raises `ConfigurationError` for what cannot be evaluated."""
    dropped = pl.repeat(None, people.height, dtype=pl.String, eager=True)
    made: dict[str, pl.Series] = {}
    answers: dict[str, Answer] = {}
    for name in _TARGETED:
        value, answers[name] = _values(people, name, getattr(mapping, name), key=f"attributes.{name}")
        made[name] = value
        dropped = _drop(dropped, name, value, answers[name])
    further = []
    for name, given in mapping.extra.items():
        key = f"attributes.extra.{name}"
        if isinstance(given, str):
            further.append(_carried(column_of(people, expression(given, key=key), key=key)).alias(name))
            continue
        value, answer = _values(people, name, given, key=key)
        further.append(value.alias(name))
        dropped = _drop(dropped, f"extra.{name}", value, answer)
    # A username cannot be cleared: who has none is in conflict, unless the account's own is to stay.
    keeps = answers["username"] == "ignore" and isinstance(mapping.username, Attribute)
    empty = pl.repeat(value=False, n=people.height, dtype=pl.Boolean, eager=True)
    return pl.DataFrame(
        [
            *(made[name].alias(name) for name in _TARGETED),
            (made["username"].is_null() if keeps else empty).alias("keeps_name"),
            *(
                (made[name].is_null() if answers[name] in {"untransformed", "clear"} else empty).alias(f"clears_{name}")
                for name in ("email", "display_name")
            ),
            dropped.alias("dropped"),
            _object(further, people.height).alias("attributes"),
        ]
    )


def _values(people: pl.DataFrame, name: str, given: AttributeValue, *, key: str) -> tuple[pl.Series, Answer]:
    """The values of one attribute, blank ones as null, and the answer for those who have none."""
    if isinstance(given, str):
        # The short form: what the source does not say is left as it is.
        return column_of(people, rule_value(Rule(sql=given), key=key), key=key), "ignore"
    untransformed = Rule(first_of=(given.column or name,))
    value: pl.Series | None = None
    for number, rule in enumerate(given.rules):
        place = f"{key}.rules.{number}"
        made = column_of(people, rule_value(rule, key=place), key=place)
        value = made if value is None else value.zip_with(value.is_not_null(), made)
    if value is None or given.otherwise == "untransformed":
        made = column_of(people, rule_value(untransformed, key=f"{key}.column"), key=f"{key}.column")
        value = made if value is None else value.zip_with(value.is_not_null(), made)
    return value, given.otherwise


def _drop(dropped: pl.Series, name: str, value: pl.Series, answer: Answer) -> pl.Series:
    """Who is dropped by the answer of one attribute, added to who was before."""
    if answer != "drop":
        return dropped
    names = pl.repeat(name, len(value), dtype=pl.String, eager=True)
    return dropped.zip_with(dropped.is_not_null() | value.is_not_null(), names)


def _carried(column: pl.Series) -> pl.Series:
    """What results have a word for, as it is; anything else as text."""
    as_it_is = column.dtype.is_integer() or column.dtype in (pl.String, pl.Boolean, pl.List(pl.String))
    return column if as_it_is else column.cast(pl.String)


def _object(columns: list[pl.Series], height: int) -> pl.Series:
    if not columns:
        return pl.repeat("{}", height, dtype=pl.String, eager=True)
    return pl.DataFrame(columns).select(pl.struct(pl.all()).struct.json_encode()).to_series()
