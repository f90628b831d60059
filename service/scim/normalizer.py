"""Making SCIM of what identity providers send instead of it.

Each rule is named after what it mends; the names of those that applied go into the audit. The facts are Microsoft's
documents on provisioning and on the compatibility of its SCIM client, Okta's reference of its SCIM client, and bodies
that OneLogin sends. A strict connector does without.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.scim.shape import CORE_GROUP, CORE_USER, ENTERPRISE, ResourceKind

__all__ = ["Mending", "without_ours"]

_SCHEMA: Final = {"User": CORE_USER, "Group": CORE_GROUP}
_PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_OURS: Final = frozenset({"id", "meta", "groups", "password"})
"""Not for a client to say: ids, versions and memberships of a person are ours, and a password is kept by nobody."""
_ENTERPRISE: Final = {
    name.lower(): name for name in ("employeeNumber", "costCenter", "organization", "division", "department", "manager")
}
_OPERAND: Final = re.compile(
    r'("(?:[^"\\]|\\.)*")|\b(eq|ne|co|sw|ew|gt|ge|lt|le)(\s+)([^\s"()\[\]][^\s()\[\]]*)', re.IGNORECASE
)
_LITERAL: Final = re.compile(r"true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_MANAGER: Final = re.compile(
    r'("(?:[^"\\]|\\.)*")|(?<![\w.:$-])((?:urn:[\w.:-]+:)?manager)(?=\s+(?:eq|ne|pr)\b)', re.IGNORECASE
)


class Mending:
    """Of one request. `rules` are those that applied."""

    def __init__(self, known: Iterable[str]) -> None:
        """`known`: the URNs of the schemas that the connector serves."""
        self.rules: dict[str, None] = {}
        self._known = {each.lower(): each for each in known}

    def filter(self, text: str) -> str:
        """`externalId eq jyoung` and `manager eq "x"`, as Microsoft documents them."""
        quoted = _OPERAND.sub(self._quoted, text)
        return _MANAGER.sub(self._manager_value, quoted)

    def resource(self, kind: ResourceKind, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a POST or PUT."""
        found = without_ours(raw)
        found["schemas"] = self._schemas(kind, raw.get("schemas"))
        if kind == "Group":
            if "members" in found:
                found["members"] = self.members(found["members"])
            return found
        return self._with_enterprise(found)

    def operations(self, kind: ResourceKind, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a PATCH."""
        found = dict(raw)
        schemas = raw.get("schemas")
        if not isinstance(schemas, list) or _PATCH_OP not in schemas:
            self._apply("schemas")
            found["schemas"] = [_PATCH_OP]
        name = next((each for each in found if each.lower() == "operations"), "Operations")
        given = found.pop(name, None)
        if isinstance(given, Mapping):
            self._apply("one operation for a list")
            given = [given]
        if not isinstance(given, list):
            found["Operations"] = given
            return found
        operations: list[Any] = []
        for each in given:
            operations.extend([each] if not isinstance(each, Mapping) else self._operation(kind, each))
        found["Operations"] = operations
        return found

    def members(self, value: Any) -> Any:
        """A list of objects, each with its id alone and what it is called."""
        if value is None:
            return []
        listed = value if isinstance(value, list) else [value]
        found: list[Any] = []
        for each in listed:
            if isinstance(each, str):
                self._apply("member without an object")
                found.append({"value": each})
            elif isinstance(each, Mapping):
                member = {key: part for key, part in each.items() if part is not None and key != "$ref"}
                if "displayName" in member:
                    self._apply("displayName of a member")
                    member.setdefault("display", member.pop("displayName"))
                found.append(member)
            elif each is not None:
                found.append(each)
        if not isinstance(value, list):
            self._apply("one member for a list")
        return found

    def _apply(self, rule: str) -> None:
        self.rules[rule] = None

    def _quoted(self, found: re.Match[str]) -> str:
        literal = found.group(4)
        if literal is None or _LITERAL.fullmatch(literal):
            return found.group(0)
        self._apply("filter without quotation marks")
        return f'{found.group(2)}{found.group(3)}"{literal}"'.replace("\\", "\\\\")

    def _manager_value(self, found: re.Match[str]) -> str:
        if found.group(1) is not None:
            return found.group(0)
        self._apply("manager in a filter")
        return f"{ENTERPRISE}:manager.value"

    def _schemas(self, kind: ResourceKind, given: Any) -> list[str]:
        named = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
        known = [self._known[each.lower()] for each in named if each.lower() in self._known]
        if _SCHEMA[kind] not in known:
            known.insert(0, _SCHEMA[kind])
        if known != named:
            self._apply("schemas")
        return list(dict.fromkeys(known))

    def _with_enterprise(self, found: dict[str, Any]) -> dict[str, Any]:
        """Attributes of the enterprise extension that stand beside those of the core."""
        flat = {name: found.pop(name) for name in list(found) if name.lower() in _ENTERPRISE}
        key = next((name for name in found if name.lower() == ENTERPRISE.lower()), ENTERPRISE)
        extension = found.get(key)
        extension = dict(extension) if isinstance(extension, Mapping) else {}
        for name, value in flat.items():
            if value is not None:
                extension.setdefault(_ENTERPRISE[name.lower()], value)
        if flat:
            self._apply("enterprise attributes among those of the core")
        if "manager" in extension:
            extension["manager"] = self._manager(extension["manager"])
        if extension:
            found.pop(key, None)
            found[ENTERPRISE] = extension
            if ENTERPRISE not in found["schemas"]:
                found["schemas"].append(ENTERPRISE)
        return found

    def _manager(self, value: Any) -> Any:
        """An object with a value; None where there is no manager."""
        if isinstance(value, list):
            self._apply("manager")
            value = value[0] if value else None
        if isinstance(value, str):
            self._apply("manager")
            value = {"value": value}
        if not isinstance(value, Mapping):
            return value
        kept = {key: part for key, part in value.items() if part is not None}
        return kept if kept.get("value") else None

    def _operation(self, kind: ResourceKind, raw: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = {("value" if key.lower() == "value" else key.lower()): part for key, part in raw.items()}
        if isinstance(found.get("op"), str):
            found["op"] = found["op"].lower()
        if not found.get("path"):
            found.pop("path", None)
            return self._whole(kind, found)
        if not isinstance(found["path"], str):
            return [found]
        return self._at(kind, found)

    def _whole(self, kind: ResourceKind, found: dict[str, Any]) -> list[dict[str, Any]]:
        """An operation without a path: its value names attributes."""
        value = found.get("value")
        if not isinstance(value, Mapping):
            return [found]
        rest: dict[str, Any] = {}
        apart: list[dict[str, Any]] = []
        for name, part in without_ours(value).items():
            if name.lower() == "schemas":
                continue
            flat = kind == "User" and (name.lower() in _ENTERPRISE or _is_manager(name))
            if name.lower() == "members" and kind == "Group":
                apart.append({"op": found.get("op"), "path": "members", "value": self.members(part)})
            elif flat:
                apart.extend(self._at(kind, {"op": found.get("op"), "path": name, "value": part}))
            else:
                rest[name] = part
        return ([{**found, "value": rest}] if rest else []) + apart

    def _at(self, kind: ResourceKind, found: dict[str, Any]) -> list[dict[str, Any]]:
        path = found["path"].strip()
        head = re.split(r"[.\[]", path, maxsplit=1)[0].lower()
        if head in _OURS and kind == "User":
            return []
        if kind == "User" and head in _ENTERPRISE:
            self._apply("enterprise attributes among those of the core")
            path = f"{ENTERPRISE}:{_ENTERPRISE[head]}{path[len(head) :]}"
        found["path"] = path
        if kind == "Group" and head == "members":
            return self._at_members(found)
        if kind == "User" and _is_manager(path) and found.get("op") in ("add", "replace"):
            manager = self._manager(found.get("value"))
            # The address of the one before must not stay beside the id of the next one.
            new = [] if manager is None else [{"op": "add", "path": path, "value": manager}]
            return [{"op": "remove", "path": path}, *new]
        if found.get("op") in ("add", "replace") and "value" in found and found["value"] in ("", None):
            self._apply("nothing for a value")
            return [{"op": "remove", "path": path}]
        return [found]

    def _at_members(self, found: dict[str, Any]) -> list[dict[str, Any]]:
        if "value" in found and found["path"].lower() == "members":
            found["value"] = self.members(found["value"])
        return [found]


def without_ours(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a client may say."""
    return {key: value for key, value in raw.items() if key.lower() not in _OURS}


def _is_manager(path: str) -> bool:
    return path.lower() in {f"{ENTERPRISE}:manager".lower(), "manager"}
