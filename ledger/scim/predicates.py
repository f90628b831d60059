"""Which resources a search is for, and the SQL of it.

A condition is a small tree that knows nothing of SCIM's grammar and nothing of a database; `Rendering` writes it as SQL
for SQLite or PostgreSQL. Values are bound and never written into the text. Each condition is true or false and never
null, so that `Not` is exact. Strings are compared by code points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = [
    "All",
    "Any_",
    "Column",
    "Compared",
    "Condition",
    "Has",
    "HasMember",
    "Indexed",
    "Item",
    "JsonPath",
    "Kind",
    "Never",
    "Not",
    "Operand",
    "Operator",
    "Rendering",
    "Some",
]

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
Kind = Literal["text", "number", "boolean"]

_VALUES: Final = "FROM scim_values v WHERE v.connector_id = :connector_id"
_SIGNS: Final = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass(frozen=True)
class Column:
    """A column of the resource that holds what is compared."""

    name: Literal["id", "kind", "name_key", "external_id", "created_at", "modified_at", "version"]


@dataclass(frozen=True)
class JsonPath:
    """A place in the resource's keys, or in the item that is looked at."""

    steps: tuple[str, ...]
    kind: Kind = "text"


@dataclass(frozen=True)
class Item:
    """The item itself, of a list of plain values."""

    kind: Kind = "text"


Operand = Column | JsonPath | Item


@dataclass(frozen=True)
class Compared:
    """What is there compares so with the value; false where nothing is there."""

    operand: Operand
    operator: Operator
    value: str | int | float | bool


@dataclass(frozen=True)
class Has:
    """Something is there."""

    operand: Operand


@dataclass(frozen=True)
class Some:
    """One of the items of a list fulfils a condition."""

    path: tuple[str, ...]
    condition: Condition


@dataclass(frozen=True)
class HasMember:
    """The group has this member, or anybody where none is named; or, of a user, the other way round."""

    member_id: str | None
    turned: bool = False
    """Whether the resource is the member and `member_id` is a group."""


@dataclass(frozen=True)
class Indexed:
    """`scim_values` has this value of this path for the resource."""

    path: str
    key: str


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class All:
    """Every one; true where there is none."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Any_:  # noqa: N801 -- `Any` is taken
    """At least one; false where there is none."""

    conditions: tuple[Condition, ...]


def Never() -> Any_:  # noqa: N802 -- reads as the conditions do
    """What no resource fulfils."""
    return Any_(())


Condition = Compared | Has | Some | HasMember | Indexed | Not | All | Any_


class Rendering:
    """The text of a condition on rows of `scim_resources r`, and in `values` what is bound to it beside
    `:connector_id`."""

    def __init__(self, condition: Condition, *, sqlite: bool) -> None:
        self._sqlite = sqlite
        self.values: dict[str, Any] = {}
        self._depth = 0
        self._prefix = "v"
        self.sql = self._of(condition)

    @classmethod
    def of_operand(cls, operand: Operand, *, sqlite: bool) -> tuple[str, dict[str, Any]]:
        """The scalar of an operand alone, such as one that is sorted by, and what is bound to it."""
        rendering = cls(All(()), sqlite=sqlite)
        rendering._prefix = "s"
        return rendering._scalar(operand, orders=True), rendering.values

    def _bind(self, value: object) -> str:
        name = f"{self._prefix}{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def _of(self, condition: Condition) -> str:  # noqa: PLR0911 -- one line a kind
        match condition:
            case Compared():
                return self._compared(condition)
            case Has(operand):
                return f"({self._scalar(operand)} IS NOT NULL)"
            case Some():
                return self._some(condition)
            case HasMember():
                return self._member(condition)
            case Indexed(path, key):
                value = f'v.path = {self._bind(path)} AND v."key" = {self._bind(key)}'
                return f"(r.id IN (SELECT v.resource_id {_VALUES} AND {value}))"
            case Not(inner):
                return f"(NOT {self._of(inner)})"
            case All(conditions):
                return self._joined(conditions, " AND ", "1 = 1")
            case Any_(conditions):
                return self._joined(conditions, " OR ", "1 = 0")

    def _joined(self, conditions: Sequence[Condition], joint: str, empty: str) -> str:
        return f"({joint.join(self._of(each) for each in conditions) or empty})"

    def _compared(self, condition: Compared) -> str:
        orders = condition.operator in {"gt", "ge", "lt", "le"}
        scalar = self._scalar(condition.operand, orders=orders)
        value = condition.value
        if condition.operator in _SIGNS:
            bound = self._bind(int(value) if self._sqlite and isinstance(value, bool) else value)
            if not self._sqlite and isinstance(value, str):
                bound = f"CAST({bound} AS TEXT)"
            found = f"{scalar} {_SIGNS[condition.operator]} {bound}"
        else:
            found = self._substring(scalar, condition.operator, str(value))
        # Columns of the key are never null; saying so would keep an index from being used for nothing.
        if isinstance(condition.operand, Column) and condition.operand.name != "external_id":
            return f"({found})"
        return f"({scalar} IS NOT NULL AND {found})"

    def _substring(self, scalar: str, operator: Operator, value: str) -> str:
        """Not LIKE: a % of the client would match anything."""
        bound = self._bind(value)
        if not self._sqlite:
            bound = f"CAST({bound} AS TEXT)"
        if operator == "co":
            return f"instr({scalar}, {bound}) > 0" if self._sqlite else f"strpos({scalar}, {bound}) > 0"
        length = self._bind(len(value))
        if operator == "sw":
            return f"substr({scalar}, 1, {length}) = {bound}"
        if not value:
            return "1 = 1"
        begin = f"length({scalar}) - {length} + 1"
        return f"(length({scalar}) >= {length} AND substr({scalar}, {begin}) = {bound})"

    def _scalar(self, operand: Operand, *, orders: bool = False) -> str:
        match operand:
            case Column(name):
                text = name in {"id", "name_key", "external_id"}
                # A comparison for equality does without, so that it can use the index.
                return f'(r.{name} COLLATE "C")' if orders and text and not self._sqlite else f"r.{name}"
            case Item(kind):
                return self._item(kind)
            case JsonPath(steps, kind):
                return self._json(steps, kind)

    def _item(self, kind: Kind) -> str:
        if self._sqlite:
            return f"e{self._depth}.value"
        return self._typed(f"e{self._depth}.value #>> '{{}}'", kind)

    def _json(self, steps: tuple[str, ...], kind: Kind) -> str:
        if self._sqlite:
            document = f"e{self._depth}.value" if self._depth else "r.keys"
            return f"json_extract({document}, {self._bind(_sqlite_path(steps))})"
        document = f"e{self._depth}.value" if self._depth else "CAST(r.keys AS jsonb)"
        return self._typed(f"{document} #>> {self._pointer(steps)}", kind)

    def _typed(self, found: str, kind: Kind) -> str:
        if kind == "text":
            return f'(({found}) COLLATE "C")'
        return f"CAST({found} AS {'NUMERIC' if kind == 'number' else 'BOOLEAN'})"

    def _pointer(self, steps: tuple[str, ...]) -> str:
        return f"CAST({self._bind(list(steps))} AS TEXT[])"

    def _some(self, condition: Some) -> str:
        if self._sqlite:
            items = f"json_each(r.keys, {self._bind(_sqlite_path(condition.path))})"
        else:
            items = f"jsonb_array_elements(CAST(r.keys AS jsonb) #> {self._pointer(condition.path)})"
        self._depth += 1
        alias = f"e{self._depth}" if self._sqlite else f"e{self._depth}(value)"
        inner = self._of(condition.condition)
        self._depth -= 1
        return f"(EXISTS (SELECT 1 FROM {items} AS {alias} WHERE {inner}))"  # noqa: S608 -- values are bound

    def _member(self, condition: HasMember) -> str:
        mine, others = ("member_id", "group_id") if condition.turned else ("group_id", "member_id")
        found = f"SELECT m.{mine} FROM scim_members m WHERE m.connector_id = :connector_id"  # noqa: S608 -- constants
        if condition.member_id is not None:
            found += f" AND m.{others} = {self._bind(condition.member_id)}"
        return f"(r.id IN ({found}))"


def _sqlite_path(steps: tuple[str, ...]) -> str:
    """Steps are names of attributes and URNs of schemas, which hold no quotation mark."""
    return "$" + "".join(f'."{step}"' for step in steps)
