"""The part of Okta's filter language that the simulator understands.

Comparisons `attribute operator "value"`, `attribute pr`, joined by `and` and `or` (`and` binds tighter), parentheses.
Attribute names are case-sensitive, operators are not; strings compare case-insensitively in `search` and exactly in
`filter` (Okta API reference, "List all users", parameters `search` and `filter`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

Attributes = Callable[[str], object]
Predicate = Callable[[Attributes], bool]

TOKEN = re.compile(r'\s*(?:(?P<bracket>[()])|(?P<string>"(?:[^"\\]|\\.)*")|(?P<word>[^\s()"]+))')
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z")
ORDERINGS = frozenset({"gt", "ge", "lt", "le"})


class FilterError(ValueError):
    """The expression says something that Okta refuses, or that this simulator does not know."""


@dataclass(frozen=True)
class Language:
    """`operators` lists which operators each attribute takes; a key ending in `.` covers all names that begin so."""

    operators: Mapping[str, frozenset[str]]
    case_sensitive: bool

    def permits(self, attribute: str, operator: str) -> None:
        """Raises FilterError for an attribute or an operator that does not belong here."""
        prefix = attribute.partition(".")[0] + "."
        permitted = self.operators.get(attribute, self.operators.get(prefix))
        if permitted is None:
            raise FilterError(f"The attribute {attribute} cannot be used here.")
        if operator not in permitted:
            raise FilterError(f"The operator {operator} cannot be used with {attribute}.")


def parse(expression: str, language: Language) -> Predicate:
    """Raises FilterError."""
    parser = _Parser(_tokens(expression), language)
    predicate = parser.alternatives()
    parser.expect_end()
    return predicate


def _tokens(expression: str) -> list[str]:
    found, position = [], 0
    expression = expression.rstrip()
    while position < len(expression):
        match = TOKEN.match(expression, position)
        if match is None:
            raise FilterError(f"Unreadable from: {expression[position:]}")
        found.append(match.group().strip())
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[str], language: Language) -> None:
        self._tokens = tokens
        self._language = language

    def alternatives(self) -> Predicate:
        options = [self._conjunction()]
        while self._next_is("or"):
            options.append(self._conjunction())
        return options[0] if len(options) == 1 else lambda row: any(option(row) for option in options)

    def expect_end(self) -> None:
        if self._tokens:
            raise FilterError(f"Unexpected: {self._tokens[0]}")

    def _conjunction(self) -> Predicate:
        conditions = [self._condition()]
        while self._next_is("and"):
            conditions.append(self._condition())
        return conditions[0] if len(conditions) == 1 else lambda row: all(condition(row) for condition in conditions)

    def _condition(self) -> Predicate:
        if self._next_is("("):
            inner = self.alternatives()
            if not self._next_is(")"):
                raise FilterError("A closing parenthesis is missing.")
            return inner
        attribute, operator = self._pop(), self._pop().lower()
        self._language.permits(attribute, operator)
        if operator == "pr":
            return lambda row: row(attribute) not in (None, "", [])
        return _comparison(attribute, operator, _literal(self._pop()), self._language)

    def _next_is(self, word: str) -> bool:
        if self._tokens and self._tokens[0].lower() == word:
            self._tokens.pop(0)
            return True
        return False

    def _pop(self) -> str:
        if not self._tokens:
            raise FilterError("The expression ends too early.")
        return self._tokens.pop(0)


def _literal(piece: str) -> object:
    if piece.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", piece[1:-1])
        return datetime.fromisoformat(text).astimezone(UTC) if TIMESTAMP.fullmatch(text) else text
    if piece in ("true", "false"):
        return piece == "true"
    if re.fullmatch(r"-?\d+", piece):
        return int(piece)
    raise FilterError(f"A value must be in quotes: {piece}")


def _comparison(attribute: str, operator: str, wanted: object, language: Language) -> Predicate:
    compare = _COMPARISONS.get(operator)
    if compare is None:
        raise FilterError(f"Unknown operator {operator}.")

    def plain(value: object) -> object:
        return value.casefold() if isinstance(value, str) and not language.case_sensitive else value

    target = plain(wanted)

    def matches(row: Attributes) -> bool:
        held = row(attribute)
        if isinstance(held, datetime) and not isinstance(target, datetime):
            raise FilterError(f"{attribute} needs a timestamp such as 2026-01-31T12:00:00.000Z.")
        values = held if isinstance(held, list) else [held]
        return any(type(value) is type(target) and compare(plain(value), target) for value in values)

    return matches


# `plain` and the check of types before the call leave two values of one type, which a type checker cannot see.
_COMPARISONS: Mapping[str, Callable[..., bool]] = {
    "eq": lambda held, wanted: held == wanted,
    "sw": lambda held, wanted: held.startswith(wanted),
    "co": lambda held, wanted: wanted in held,
    "gt": lambda held, wanted: held > wanted,
    "ge": lambda held, wanted: held >= wanted,
    "lt": lambda held, wanted: held < wanted,
    "le": lambda held, wanted: held <= wanted,
}

_EQ = frozenset({"eq"})
_DATES = _EQ | ORDERINGS
_SEARCH = frozenset({"eq", "sw", "co", "pr"}) | ORDERINGS

USER_FILTER = Language(
    {
        **dict.fromkeys(
            ["status", "id", "profile.login", "profile.email", "profile.firstName", "profile.lastName"], _EQ
        ),
        "lastUpdated": _DATES,
    },
    case_sensitive=True,
)
USER_SEARCH = Language(
    dict.fromkeys(
        ["id", "status", "created", "activated", "statusChanged", "lastUpdated", "type.id", "profile."], _SEARCH
    ),
    case_sensitive=False,
)
GROUP_FILTER = Language(
    {"id": _EQ, "type": _EQ, "lastUpdated": _DATES, "lastMembershipUpdated": _DATES}, case_sensitive=True
)
GROUP_SEARCH = Language(
    dict.fromkeys(["id", "type", "created", "lastUpdated", "lastMembershipUpdated", "source.id", "profile."], _SEARCH),
    case_sensitive=False,
)
LOG_FILTER = Language(
    dict.fromkeys(["eventType", "published", "uuid", "severity", "actor.id", "target.id"], _SEARCH),
    case_sensitive=True,
)
