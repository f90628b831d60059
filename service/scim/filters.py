"""From a filter of SCIM to a condition of the ledger, for one kind of resource (RFC 7644, section 3.4.2.2).

Means what `ScimFilter.match` of scim2-models means, attribute by attribute; the tests compare the two. An attribute
that nobody declares is refused when the filter is bound, before this is reached; one that only the other kind declares
is found nowhere. What cannot be asked of the ledger is refused too. No part of a filter is ever left out.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime
from functools import lru_cache
from inspect import isclass
from typing import Any, Final, Literal, cast

from scim2_models import InvalidFilterException, Resource, ScimFilter, SearchRequest
from scim2_models.base import BaseModel
from scim2_models.path import (
    AttributeBinding,
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
    coerce_value,
)

from ledger.scim import predicates as sql
from ledger.scim.reading import Order, ResourceKind
from service.scim.drafts import INDEXED, SORT, key_of, scim_name
from service.scim.shape import Shape

__all__ = ["condition_of", "order_of"]

Constant = Literal["the kind", "nothing"]
"""What is the same for all resources of a kind."""

_SUBSTRING: Final = frozenset({CompareOperator.co, CompareOperator.sw, CompareOperator.ew})
_VERSION: Final = re.compile(r'W/"(\d{1,18})"')
_LARGEST: Final = int(sys.float_info.max)
_ALWAYS: Final = sql.All(())
_MEMBERSHIPS: Final = {("User", "groups"): True, ("Group", "members"): False}


def condition_of(shape: Shape, kind: ResourceKind, scim_filter: ScimFilter[Any]) -> sql.Condition:
    """Raises InvalidFilterException for what cannot be asked."""
    with shape.provider:
        return _Translation(kind, shape.models[kind]).visit(scim_filter.ast)


def order_of(shape: Shape, kind: ResourceKind, request: SearchRequest[Any]) -> Order | None:
    """By what a search of one kind is sorted. None where it names nothing that this kind has."""
    descending = request.sort_order == SearchRequest.SortOrder.descending
    binding = request.sort_binding(shape.models[kind])
    if binding is None:
        return None
    operand: sql.Operand | Constant | None = _operand(kind, binding)
    if operand is None:
        path = _path(binding)
        operand = sql.JsonPath(path, _kind_of(binding))
        if binding.is_multivalued:
            operand = sql.JsonPath((*path[:-2], SORT, ".".join(path[-2:])), _kind_of(binding))
            if binding.sub_field_name is None:
                operand = sql.JsonPath((*path[:-1], SORT, path[-1]), _kind_of(binding))
    if isinstance(operand, str):
        return None
    return Order(operand, descending=descending)


class _Translation(FilterVisitor[sql.Condition]):
    def __init__(self, kind: ResourceKind, model: type[Resource[Any]], outer: AttrPath | None = None) -> None:
        """`outer` is the attribute whose items are looked at."""
        self.kind = kind
        self.model = model
        self.outer = outer

    def visit_not(self, node: Not) -> sql.Condition:
        return sql.Not(self.visit(node.expr))

    def visit_logical_expr(self, node: LogicalExpr) -> sql.Condition:
        terms = tuple(self.visit(term) for term in node.terms)
        return sql.All(terms) if node.op == LogicalOperator.and_ else sql.Any_(terms)

    def visit_comparison(self, node: Comparison) -> sql.Condition:
        binding = self._binding(node.attr_path, comparison=True)
        if binding is None:
            return sql.Never()
        if node.op == CompareOperator.ne:
            return sql.Not(self._compared(node, binding, CompareOperator.eq))
        return self._compared(node, binding, node.op)

    def visit_present(self, node: Present) -> sql.Condition:  # noqa: PLR0911 -- one line a kind of attribute
        binding = self._binding(node.attr_path, comparison=False)
        if binding is None:
            return sql.Never()
        turned = _MEMBERSHIPS.get((self.kind, _path(binding)[0])) if self.outer is None else None
        if turned is not None:
            return sql.HasMember(None, turned=turned)
        if self.outer is not None:
            return _present(self._item_operand(binding))
        operand = _operand(self.kind, binding)
        if isinstance(operand, str):
            return _ALWAYS if operand == "the kind" else sql.Never()
        if operand is not None:
            return _present(operand)
        if binding.is_multivalued:
            return sql.Some(_head(binding), _parts_present(binding, _within(binding)))
        return _parts_present(binding, _path(binding))

    def visit_value_path(self, node: ValuePath) -> sql.Condition:
        binding = self._binding(node.attr_path, comparison=False)
        if binding is None:
            return sql.Never()
        turned = _MEMBERSHIPS.get((self.kind, _path(binding)[0]))
        if turned is not None:
            return _of_members(node.val_filter, turned=turned)
        inner = _Translation(self.kind, self.model, node.attr_path)
        some = sql.Some(_head(binding), inner.visit(node.val_filter))
        key = _looked_up(self.kind, binding, node.val_filter)
        return some if key is None else sql.All((key, some))

    def _binding(self, path: AttrPath, *, comparison: bool) -> AttributeBinding | None:
        if self.outer is not None:
            path = AttrPath(self.outer.attr, path.attr, self.outer.uri)
        any_filter = _any_filter(self.model)
        resolve = any_filter.resolve_comparison if comparison else any_filter.resolve
        return resolve(path, strict=False)

    def _compared(self, node: Comparison, binding: AttributeBinding, op: CompareOperator) -> sql.Condition:
        expected = coerce_value(binding, node.value, op)
        if self.outer is None:
            turned = _MEMBERSHIPS.get((self.kind, _path(binding)[0]))
            if turned is not None:
                return _member(binding.sub_field_name, op, expected, turned=turned)
            operand: sql.Operand | Constant | None = _operand(self.kind, binding)
            if operand is None and binding.is_multivalued:
                return self._some(binding, op, expected)
            operand = sql.JsonPath(_path(binding), _kind_of(binding)) if operand is None else operand
        else:
            operand = self._item_operand(binding)
        return _comparison(operand, op, expected, binding, kind=self.kind)

    def _some(self, binding: AttributeBinding, op: CompareOperator, expected: Any) -> sql.Condition:
        head, item = _head(binding), self._item_operand(binding)
        if expected is None:
            if op != CompareOperator.eq:
                return sql.Never()
            return sql.Any_((sql.Not(sql.Some(head, _ALWAYS)), sql.Some(head, sql.Not(sql.Has(item)))))
        names = _path(binding)
        if op == CompareOperator.eq and names in INDEXED[self.kind]:
            return sql.Indexed(".".join(names), str(_literal(binding, expected)))
        return sql.Some(head, _comparison(item, op, expected, binding, kind=self.kind))

    def _item_operand(self, binding: AttributeBinding) -> sql.JsonPath | sql.Item:
        if binding.sub_field_name is None:
            return sql.Item(_kind_of(binding))
        return sql.JsonPath(_within(binding), _kind_of(binding))


@lru_cache(maxsize=256)
def _any_filter(model: type[Resource[Any]]) -> ScimFilter[Any]:
    """Some filter bound to the model: what it is asked is how scim2-models finds what a path names."""
    return cast("ScimFilter[Any]", cast("Any", ScimFilter)[model]("id pr"))


def _comparison(
    operand: sql.Operand | Constant,
    op: CompareOperator,
    expected: Any,
    binding: AttributeBinding,
    *,
    kind: ResourceKind,
) -> sql.Condition:
    if isinstance(operand, str):
        return _constant(op, expected, binding, kind=kind, there=operand == "the kind")
    if expected is None:
        return sql.Not(sql.Has(operand)) if op == CompareOperator.eq else sql.Never()
    if operand == sql.Column("version"):
        return _version(op, expected)
    of_text = _kind_of(binding) == "text" and binding.target_type is not bytes
    if op in _SUBSTRING and not (of_text and isinstance(expected, str)):
        return sql.Never()
    value = _literal(binding, expected)
    if _kind(type(value)) != _kind_of(binding):
        return sql.Never()
    return sql.Compared(operand, op.value, _comparable(value))


def _constant(
    op: CompareOperator, expected: Any, binding: AttributeBinding, *, kind: ResourceKind, there: bool
) -> sql.Condition:
    if expected is None or not there:
        return _ALWAYS if op == CompareOperator.eq and expected is None and not there else sql.Never()
    mine = key_of(kind, case_exact=binding.case_exact)
    value = str(_literal(binding, expected))
    holds = {
        "eq": mine == value,
        "co": value in mine,
        "sw": mine.startswith(value),
        "ew": mine.endswith(value),
        "gt": mine > value,
        "ge": mine >= value,
        "lt": mine < value,
        "le": mine <= value,
    }[op.value]
    return _ALWAYS if holds else sql.Never()


def _version(op: CompareOperator, expected: Any) -> sql.Condition:
    if op != CompareOperator.eq:
        raise InvalidFilterException(detail="meta.version can be compared for equality alone")
    shape = _VERSION.fullmatch(str(expected))
    return sql.Compared(sql.Column("version"), "eq", int(shape.group(1))) if shape else sql.Never()


def _member(part: str | None, op: CompareOperator, expected: Any, *, turned: bool) -> sql.Condition:
    if part not in {None, "value"} or op != CompareOperator.eq:
        raise InvalidFilterException(detail="memberships can be searched by `value eq` and `pr` alone")
    if expected is None:
        return sql.Not(sql.HasMember(None, turned=turned))
    return sql.HasMember(str(expected), turned=turned)


def _of_members(node: FilterNode, *, turned: bool) -> sql.Condition:
    if isinstance(node, LogicalExpr) and node.op == LogicalOperator.or_:
        return sql.Any_(tuple(_of_members(term, turned=turned) for term in node.terms))
    if isinstance(node, Comparison) and node.value is not None:
        return _member(node.attr_path.attr.lower(), node.op, node.value, turned=turned)
    raise InvalidFilterException(detail="memberships can be searched by `value eq` and `pr` alone")


def _looked_up(kind: ResourceKind, binding: AttributeBinding, node: FilterNode) -> sql.Condition | None:
    """What an index says beforehand of `emails[type eq "work" and value eq "x"]`."""
    head = _path(binding)
    terms = node.terms if isinstance(node, LogicalExpr) and node.op == LogicalOperator.and_ else (node,)
    for path in INDEXED[kind]:
        for term in terms:
            if (
                path[:1] == head
                and isinstance(term, Comparison)
                and term.attr_path.attr.lower() == path[1]
                and term.op == CompareOperator.eq
                and isinstance(term.value, str)
            ):
                return sql.Indexed(".".join(path), key_of(term.value, case_exact=False))
    return None


def _operand(kind: ResourceKind, binding: AttributeBinding) -> sql.Column | Constant | None:
    """The column of an attribute, or what is the same for all of a kind; None for what stands among the keys."""
    path = ".".join(_path(binding))
    columns: dict[str, sql.Column | Constant] = {
        "id": sql.Column("id"),
        {"User": "userName", "Group": "displayName"}[kind]: sql.Column("name_key"),
        "meta.created": sql.Column("created_at"),
        "meta.lastModified": sql.Column("modified_at"),
        "meta.version": sql.Column("version"),
        "meta.resourceType": "the kind",
        "meta.location": "nothing",
        "meta": "the kind",
    }
    if binding.case_exact:
        columns["externalId"] = sql.Column("external_id")
    return columns.get(path)


def _present(operand: sql.Operand) -> sql.Condition:
    of_text = operand == sql.Column("external_id") if isinstance(operand, sql.Column) else operand.kind == "text"
    if not of_text:
        return sql.Has(operand)
    return sql.All((sql.Has(operand), sql.Not(sql.Compared(operand, "eq", ""))))


def _parts_present(binding: AttributeBinding, path: tuple[str, ...]) -> sql.Condition:
    """`pr` of a complex attribute: one of its parts has something."""
    target = binding.target_type
    if not (isclass(target) and issubclass(target, BaseModel)):
        kind = _kind_of(binding)
        return _present(sql.JsonPath(path, kind) if path else sql.Item(kind))
    parts = []
    for field in target.model_fields:
        part = target.get_field_root_type(field)
        parts.append(_present(sql.JsonPath((*path, scim_name(target, field)), _kind(part))))
    return sql.Any_(tuple(parts))


def _path(binding: AttributeBinding) -> tuple[str, ...]:
    """Names from the resource down, with the URN of an extension first."""
    names = [scim_name(binding.model, binding.field_name)]
    if binding.sub_field_name is not None:
        names.append(scim_name(cast("type[BaseModel]", binding.field_type), binding.sub_field_name))
    if not issubclass(binding.model, Resource):
        names.insert(0, str(cast("Any", binding.model).__schema__))
    return tuple(names)


def _head(binding: AttributeBinding) -> tuple[str, ...]:
    path = _path(binding)
    return path if binding.sub_field_name is None else path[:-1]


def _within(binding: AttributeBinding) -> tuple[str, ...]:
    return () if binding.sub_field_name is None else _path(binding)[-1:]


def _kind_of(binding: AttributeBinding) -> sql.Kind:
    return _kind(binding.target_type)


def _kind(target: Any) -> sql.Kind:

    if not isclass(target):
        return "text"
    if issubclass(target, bool):
        return "boolean"
    return "number" if issubclass(target, int | float | datetime) else "text"


def _comparable(value: Any) -> Any:
    """A whole number that no database takes as one, as a broken one: nothing that is kept is as large."""
    if not isinstance(value, int) or abs(value) < 2**63:
        return value
    return float(max(-_LARGEST, min(value, _LARGEST)))


def _literal(binding: AttributeBinding, expected: Any) -> Any:
    return key_of(expected, case_exact=binding.case_exact)
