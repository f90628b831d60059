"""How an attribute of the target is made from a person's columns: rules in order, and an answer where none applies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Annotated, Any, Literal, TypeAlias

import polars as pl
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from reconcile.pattern import Regex, captures
from reconcile.section import Section
from reconcile.transform import Sql, condition, expression

__all__ = [
    "Answer",
    "Attribute",
    "AttributeValue",
    "Column",
    "Lookup",
    "Match",
    "Rule",
    "columns_used",
    "rule_value",
    "text_or_section",
]

Answer: TypeAlias = Literal["untransformed", "ignore", "clear", "drop"]


def _plain(name: str) -> str:
    # Polars would take these for several columns at once.
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        raise ValueError("this must be the name of one column; for a pattern use `match`")
    return name


Column = Annotated[str, Field(min_length=1), AfterValidator(_plain)]
"""The name of a column of the source."""

_PART = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_REFERENCE = re.compile(r"\$\$|\$(\d+)|\$\{(\w+)\}|\$")


def _template(text: str) -> str:
    parts = list(_parts(text))
    if not any(is_column for is_column, _ in parts):
        raise ValueError("this must name at least one column, such as '{given_name}.{family_name}'")
    return text


class Match(Section):
    """A regular expression, and what becomes of a value that it matches."""

    column: Column
    pattern: Regex
    """Has case unless it begins with `(?i)`, matches anywhere unless anchored."""
    to: str
    """The new value. `$1` is the first group, `${name}` a named one, `$0` all that matched, `$$` a dollar sign."""

    @model_validator(mode="after")
    def _captures(self) -> Match:
        captures(self.pattern, self.to)
        return self


class Lookup(Section):
    """A table: a value that stands in it becomes what stands beside it. Compared with case."""

    column: Column
    table: Annotated[dict[str, str], Field(min_length=1)]


class Rule(Section):
    """One way to make a value. It applies where it makes one that is not blank."""

    when: Sql | None = None
    """The rule applies only to people for whom this SQL condition is true."""
    sql: Sql | None = None
    """An SQL expression."""
    strip_domain: Column | None = None
    """What stands before the last @ of an address."""
    guest_address: Column | None = None
    """The address of a guest of Entra ID: `jane_corp.com#EXT#@tenant.onmicrosoft.com` becomes `jane@corp.com`."""
    first_of: Annotated[tuple[Column, ...], Field(min_length=1)] | None = None
    """The first of these columns that is not blank."""
    combine: Annotated[str, AfterValidator(_template)] | None = None
    """Text with column names in braces, such as `{given_name}.{family_name}`; applies where none of them is blank."""
    match: Match | None = None
    """A regular expression with groups."""
    lookup: Lookup | None = None
    """A table."""

    @model_validator(mode="after")
    def _is_one(self) -> Rule:
        given = [name for name in _WAYS if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"this one has {' and '.join(given)}" if given else "this one has none"
            raise ValueError(f"a rule has exactly one of {', '.join(_WAYS)}; {found}")
        return self


class Attribute(Section):
    """Rules for one attribute. The first that applies to a person makes their value."""

    column: Column | None = None
    """The column that holds the untransformed value; none for the one of the attribute's own name."""
    rules: tuple[Rule, ...] = ()
    """Without rules the column is taken as it is."""
    otherwise: Answer = "untransformed"
    """What happens to people to whom no rule applies."""


def text_or_section(given: object) -> str:
    """Which of the two forms a value has, so that mistakes are told of that form alone."""
    return "text" if isinstance(given, str) else "section"


AttributeValue: TypeAlias = Annotated[
    Annotated[Sql, Tag("text")] | Annotated[Attribute, Tag("section")], Discriminator(text_or_section)
]
"""An SQL expression, or a section with rules."""


def columns_used(given: AttributeValue) -> set[str]:
    """The columns that an attribute is made from, as far as it names them itself."""
    if isinstance(given, str):
        return set(pl.sql_expr(given).meta.root_names())
    used = {given.column} if given.column else set()
    for rule in given.rules:
        used |= set(rule_value(rule, key="").meta.root_names())
    return used


def rule_value(rule: Rule, *, key: str) -> pl.Expr:
    """The values that a rule makes, null where it does not apply. Raises `ConfigurationError`, see `expression`."""
    way = next(name for name in _WAYS if getattr(rule, name) is not None)
    made = _tidy(_WAYS[way](getattr(rule, way), key))
    if rule.when is None:
        return made
    return pl.when(condition(rule.when, key=f"{key}.when")).then(made)


def _tidy(value: pl.Expr) -> pl.Expr:
    return value.cast(pl.String).str.strip_chars().replace("", None)


def _text(column: str) -> pl.Expr:
    return _tidy(pl.col(column))


def _guest(address: pl.Expr) -> pl.Expr:
    # Entra writes the @ of a guest's own address as _; a domain has none, so the last one is meant.
    pattern = r"(?i)^(.+)_([^_@]+)#EXT#@[^@]+$"
    return pl.when(address.str.contains(pattern)).then(address.str.replace(pattern, "${1}@${2}"))


def _matched(match: Match) -> pl.Expr:
    value = _text(match.column)
    parts = [
        pl.lit(text)
        if group is None
        else value.str.extract(match.pattern, _group_number(match.pattern, group) or 0).fill_null("")
        for group, text in _references(match.to)
    ]
    joined = reduce(lambda left, right: left + right, parts, pl.lit(""))
    return pl.when(value.str.contains(match.pattern)).then(joined)


def _combined(template: str) -> pl.Expr:
    parts = [_text(part) if is_column else pl.lit(part) for is_column, part in _parts(template)]
    return pl.concat_str(parts, ignore_nulls=False)


def _looked_up(lookup: Lookup) -> pl.Expr:
    return _text(lookup.column).replace_strict(lookup.table, default=None, return_dtype=pl.String)


def _group_number(pattern: str, group: str) -> int | None:
    """The number of a group by its number or name, None where the pattern has no such group; 0 is the whole match."""
    dtype = pl.Series([""]).str.extract_groups(pattern).dtype
    names = [field.name for field in dtype.fields] if isinstance(dtype, pl.Struct) else []
    if group.isdigit():
        return int(group) if int(group) <= len(names) else None
    return names.index(group) + 1 if group in names else None


def _references(text: str) -> Iterator[tuple[str | None, str]]:
    """The pieces of a replacement: (group, ``) or (None, literal text)."""
    end = 0
    for found in _REFERENCE.finditer(text):
        if found.start() > end:
            yield None, text[end : found.start()]
        group = found[1] or found[2]
        if group is not None:
            yield group, ""
        else:
            yield None, "$"
        end = found.end()
    if end < len(text):
        yield None, text[end:]


def _parts(template: str) -> Iterator[tuple[bool, str]]:
    """The pieces of a template: (whether it is a column, text). Raises `ValueError` for a brace without its other."""
    end = 0
    for found in _PART.finditer(template):
        if found.start() > end:
            yield False, template[end : found.start()]
        if found[1] is not None:
            yield True, _plain(found[1].strip())
        elif found[0] in {"{", "}"}:
            raise ValueError("a brace has no other; write {{ or }} for a brace that is meant")
        else:
            yield False, found[0][0]
        end = found.end()
    if end < len(template):
        yield False, template[end:]


_WAYS: Mapping[str, Callable[[Any, str], pl.Expr]] = {
    "sql": lambda text, key: expression(text, key=key),
    "strip_domain": lambda column, _: _text(column).str.extract(r"^(.+)@[^@]*$", 1),
    "guest_address": lambda column, _: _guest(_text(column)),
    "first_of": lambda columns, _: pl.coalesce(map(_text, columns)),
    "combine": lambda template, _: _combined(template),
    "match": lambda match, _: _matched(match),
    "lookup": lambda lookup, _: _looked_up(lookup),
}
"""What each key of a rule makes, by what stands behind it and the key's place."""
