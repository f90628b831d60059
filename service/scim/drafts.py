"""From models of scim2-models to what the ledger keeps, and back.

Beside the document as it is answered stand its *keys*: the same tree with what comparisons use in place of each value
(text in normal form C and in lower case unless its case counts, instants as microseconds), and under `$sort` the value
that stands for an attribute with many. Filters and sorting read keys alone.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from scim2_models import CaseExact, Context, Extension, InvalidValueException, Meta, Resource
from scim2_models.base import BaseModel

from ledger.instant import micros, moment
from ledger.scim.folding import exact, folded
from ledger.scim.reading import Membership, ResourceKind, Stored
from ledger.scim.writing import Draft
from service.scim.shape import Shape

__all__ = ["INDEXED", "SORT", "draft_of", "key_of", "model_of", "scim_name", "version_tag"]

SORT: Final = "$sort"
INDEXED: Final = {"User": (("emails", "value"),), "Group": ()}
"""Values of attributes with many that clients look people up by: Entra matches on `emails[type eq "work"].value`."""

_KEPT_ELSEWHERE: Final = frozenset({"id", "meta", "members", "groups"})
_NAMES: Final[Mapping[str, str]] = {"User": "userName", "Group": "displayName"}


def version_tag(version: int) -> str:
    return f'W/"{version}"'


def draft_of(shape: Shape, kind: ResourceKind, resource: Resource[Any]) -> Draft:
    """What is kept of a resource. Raises InvalidValueException for no name and for a number that cannot be kept."""
    with shape.provider:
        dumped = resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
        keys = _keys(resource)
    document = {name: value for name, value in dumped.items() if name not in _KEPT_ELSEWHERE and value not in ([], {})}
    _refuse_unkept(keys)
    name = keys.get(_NAMES[kind])
    if not isinstance(name, str) or not name:
        raise InvalidValueException(detail=f"{_NAMES[kind]} is required and must not be empty")
    external_id = keys.get("externalId")
    return Draft(
        kind=kind,
        name_key=name,
        external_id=None if external_id is None else str(external_id),
        document=_text(document),
        keys=_text({each: value for each, value in keys.items() if each not in _KEPT_ELSEWHERE}),
        indexed={".".join(path): _indexed(keys, path) for path in INDEXED[kind]},
    )


def model_of(shape: Shape, stored: Stored, memberships: Sequence[Membership] | None = None) -> Resource[Any]:
    """The resource, with its members, or the groups it is in, where they were read."""
    raw = json.loads(stored.document)
    if memberships is not None:
        raw["members" if stored.kind == "Group" else "groups"] = [
            _membership(each, direct=stored.kind == "User") for each in memberships
        ]
    with shape.provider:
        resource = shape.models[stored.kind].model_validate(raw)
    resource.id = stored.id
    resource.meta = Meta(
        resource_type=stored.kind,
        created=moment(stored.created_at),
        last_modified=moment(stored.modified_at),
        version=version_tag(stored.version),
    )
    return resource


def scim_name(model: type[BaseModel], field: str) -> str:
    """What an attribute is called in SCIM."""
    return str(model._scim_name(field))  # noqa: SLF001 -- its public ways to the name serialize a whole model


def key_of(value: Any, *, case_exact: bool) -> Any:
    """What comparisons use in place of one value that is no object and no list."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return micros(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return exact(str(value)) if case_exact else folded(str(value))


def _membership(each: Membership, *, direct: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"value": each.id, "$ref": f"{each.kind}s/{each.id}", "type": each.kind}
    if direct:
        found["type"] = "direct"
    if each.display is not None:
        found["display"] = each.display
    return found


def _keys(model: BaseModel) -> dict[str, Any]:
    found: dict[str, Any] = {}
    sort: dict[str, Any] = {}
    for field in type(model).model_fields:
        value = getattr(model, field)
        if value is None:
            continue
        name = str(type(value).__schema__) if isinstance(value, Extension) else scim_name(type(model), field)
        if name in _KEPT_ELSEWHERE:
            continue
        if isinstance(value, list):
            # An entry without anything in it is not kept in the document either.
            items = [key for each in value if each is not None and (key := _key(model, field, each)) != {}]
            if items:
                found[name] = items
                _note_sort(sort, name, items)
            continue
        key = _key(model, field, value)
        if key != {}:
            found[name] = key
    if sort:
        found[SORT] = sort
    return found


def _key(model: BaseModel, field: str, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _keys(value)
    exact = type(model).get_field_annotation(field, CaseExact) == CaseExact.true
    return key_of(value, case_exact=exact)


def _refuse_unkept(value: Any) -> None:
    """A number that was sent as text is one only now. One that is infinite would be read by nothing again."""
    if isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            _refuse_unkept(each)
    elif (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) >= 2**63):
        raise InvalidValueException(detail="a number is out of range")


def _note_sort(sort: dict[str, Any], name: str, items: Sequence[Any]) -> None:
    """RFC 7644, section 3.4.2.3: the primary one, else the first."""
    first = next((each for each in items if isinstance(each, dict) and each.get("primary") is True), items[0])
    if not isinstance(first, dict):
        sort[name] = first
        return
    for part, value in first.items():
        if not isinstance(value, dict | list):
            sort[f"{name}.{part}"] = value


def _indexed(keys: Mapping[str, Any], path: Sequence[str]) -> frozenset[str]:
    return frozenset(str(each[path[1]]) for each in keys.get(path[0], ()) if each.get(path[1]) is not None)


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
