"""From the JSON of a body, or the parameters of a query, to what the protocol is asked: within limits, and SCIM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.scim.answers import Refused
from service.scim.limits import bounded, checked_filter, checked_query
from service.scim.members import wanted_members
from service.scim.normalizer import Mending, without_ours
from service.scim.protocol import ENDPOINTS, Desk
from service.scim.settings import Limits
from service.scim.shape import ResourceKind

__all__ = ["mended_body", "mended_query"]


def mended_query(desk: Desk, query: Mapping[str, str]) -> dict[str, str]:
    """Raises Refused."""
    found = checked_query(query, desk.limits)
    if "filter" in found and not desk.connector.strict:
        found["filter"] = _mending(desk).filter(found["filter"])
    return found


def mended_body(desk: Desk, method: str, segments: tuple[str, ...], content: Any) -> tuple[Any, tuple[str, ...]]:
    """The body as the protocol is to see it, and the rules that applied. Raises Refused."""
    mending = _mending(desk)
    name = segments[0].lower() if segments else ""
    if method == "POST" and segments and segments[-1] == ".search":
        found = _search(desk, mending, content)
    elif method == "POST" and name == "bulk":
        found = _bulk(desk, mending, content)
    elif name in ENDPOINTS:
        found = _of(desk, mending, method, ENDPOINTS[name], content)
    else:
        found = content
    return found, tuple(mending.rules)


def _mending(desk: Desk) -> Mending:
    return Mending(str(schema.id) for schema in desk.shape.provider.schemas)


def _of(desk: Desk, mending: Mending, method: str, kind: ResourceKind, content: Any) -> Any:
    if not isinstance(content, Mapping):
        return content
    if method == "PATCH":
        patch = dict(content) if desk.connector.strict else mending.operations(kind, content)
        _check_operations(kind, patch.get("Operations"), desk.limits)
        return patch
    found = without_ours(content) if desk.connector.strict else mending.resource(kind, content)
    _check_lists(found, desk.limits)
    return found


def _search(desk: Desk, mending: Mending, content: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(content)
    if isinstance(found.get("filter"), str):
        checked_filter(found["filter"], desk.limits)
        found["filter"] = found["filter"] if desk.connector.strict else mending.filter(found["filter"])
    for name in ("startIndex", "count"):
        if name in found:
            found[name] = bounded(found[name])
    return found


def _bulk(desk: Desk, mending: Mending, content: Mapping[str, Any]) -> dict[str, Any]:
    operations = content.get("Operations")
    if not isinstance(operations, list):
        return dict(content)
    found = []
    for each in operations:
        operation = dict(each) if isinstance(each, Mapping) else each
        if isinstance(operation, dict) and isinstance(operation.get("data"), Mapping):
            method = str(operation.get("method", "")).upper()
            name = str(operation.get("path", "")).strip("/").split("/")[0].lower()
            if name in ENDPOINTS:
                kind = ENDPOINTS[name]
                operation["data"] = _spelled_out(_of(desk, mending, method, kind, operation["data"]))
        found.append(operation)
    return {**content, "Operations": found}


def _spelled_out(data: dict[str, Any]) -> dict[str, Any]:
    """Within Bulk, scim2-server itself takes members away, and it understands a path alone."""
    operations = data.get("Operations")
    if not isinstance(operations, list):
        return data
    return {**data, "Operations": [_with_path(each) for each in operations]}


def _with_path(operation: Any) -> Any:
    if not isinstance(operation, Mapping) or operation.get("op") != "remove" or operation.get("value") is None:
        return operation
    if str(operation.get("path", "")).lower() != "members":
        return operation
    ids = [each.replace("\\", "\\\\").replace('"', '\\"') for each in wanted_members(operation["value"])]
    terms = " or ".join(f'value eq "{each}"' for each in ids)
    return {"op": "remove", "path": f"members[{terms}]"} if ids else {"op": "add", "path": "members", "value": []}


def _check_operations(kind: ResourceKind, operations: Any, limits: Limits) -> None:
    for each in operations if isinstance(operations, list) else []:
        if not isinstance(each, Mapping):
            continue
        path = each.get("path")
        if isinstance(path, str):
            checked_filter(path, limits, scim_type="invalidPath")
        of_members = kind == "Group" and isinstance(path, str) and path.lower() == "members"
        if not of_members:
            _check_lists({str(path): each.get("value")}, limits)


def _check_lists(content: Mapping[str, Any], limits: Limits) -> None:
    """`value` may be as long as a list of members is, until it is known what it is of."""
    for name, value in content.items():
        if isinstance(value, list) and name.lower() != "members" and len(value) > limits.values:
            raise Refused(413, f"{name} has {len(value)} values, and {limits.values} are taken")
