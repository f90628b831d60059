"""Judge requests and answers by a vendor's own OpenAPI 3.0 description.

The descriptions are the vendors' texts and no part of this project: `description_file` finds one beside the checkout
(`../shared/specs`, or the folder that `USERSYNC_SPECS` names) and skips the test with a reason where it is absent.

    api = ApiDescription.load(description_file("bitbucket-dc-9.4-openapi.json"), defects=BITBUCKET_DEFECTS)
    api.check_request("GET", "/rest/api/latest/admin/users", query="start=0&limit=1000")
    api.check_response("GET", "/rest/api/latest/admin/users", 200, b'{"values": []}')

Every check raises AssertionError with the operation and the place in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import yaml
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from referencing import Registry, Resource, Specification

Query = str | Mapping[str, object] | Sequence[tuple[str, object]]

METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
DOCUMENT: Final = "urn:api-description"
REMOVED: Final = object()


@dataclass(frozen=True)
class Defect:
    """One place where a vendor's description is known to be wrong, and what to read there instead.

    `at` is a JSON pointer into the description; a last segment `-` appends to a list. `value` replaces what stands
    there or is added; `REMOVED` deletes it. Loading fails when the place does not exist, so an override that a newer
    description no longer needs is noticed.
    """

    at: str
    value: object
    because: str


@dataclass(frozen=True)
class Operation:
    """One method of one path template; `pointer` is its place in the description."""

    method: str
    template: str
    pointer: str
    parameters: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any] | None
    responses: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.template}"


def mend(document: dict[str, Any], defects: Iterable[Defect]) -> None:
    """Replace in place what a description has wrong. Raises AssertionError for a place that does not exist."""
    for defect in defects:
        _mend(document, defect)


def description_file(name: str) -> Path:
    """The path of a vendor's description, or a skipped test."""
    beside_the_checkout = Path(__file__).resolve().parents[2].parent / "shared" / "specs"
    path = Path(os.environ.get("USERSYNC_SPECS", beside_the_checkout)) / name
    if not path.is_file():
        pytest.skip(f"the vendor's description {name} is not here; set USERSYNC_SPECS to its folder")
    return path


class ApiDescription:
    """The operations of one OpenAPI 3.0 document, its known defects mended."""

    def __init__(self, document: dict[str, Any], *, base_path: str, aliases: Mapping[str, str]) -> None:
        self._document = document
        self._base_path = base_path.rstrip("/")
        self._aliases = aliases
        opaque: Resource[Any] = Specification.OPAQUE.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource(DOCUMENT, opaque)
        self._validators: dict[tuple[str, bool], Validator] = {}
        self._operations = sorted(
            (
                (re.compile(_pattern(template)), template, methods)
                for template, methods in document["paths"].items()
                if isinstance(methods, dict)
            ),
            key=lambda entry: entry[1].count("{"),
        )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        defects: Iterable[Defect] = (),
        base_path: str | None = None,
        aliases: Mapping[str, str] | None = None,
        closed: bool = False,
    ) -> ApiDescription:
        """Read a JSON or YAML description.

        `base_path` precedes every path of the document; without it the path of the first server entry is taken.
        `aliases` maps a path prefix that servers also accept to the documented one. `closed` refuses properties that
        a schema with a property list does not name (schemas joined by allOf, anyOf or oneOf stay open).
        """
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else yaml.load(text, _fastest_loader())
        mend(document, defects)
        return cls.of(document, base_path=base_path, aliases=aliases, closed=closed)

    @classmethod
    def of(
        cls,
        document: dict[str, Any],
        *,
        base_path: str | None = None,
        aliases: Mapping[str, str] | None = None,
        closed: bool = False,
    ) -> ApiDescription:
        """As `load`, for a document in memory, such as one that was translated from another kind of description."""
        if closed:
            document = _closed(document, joined=False)
        if base_path is None:
            servers = document.get("servers") or [{"url": ""}]
            base_path = urlsplit(servers[0]["url"].replace("{", "").replace("}", "")).path
        return cls(document, base_path=base_path, aliases=aliases or {})

    def operations(self) -> list[str]:
        """Every operation as `GET /path/{template}`."""
        return [
            f"{method.upper()} {template}"
            for _, template, methods in self._operations
            for method in methods
            if method in METHODS
        ]

    def operation(self, method: str, path: str) -> Operation:
        """The operation that a concrete path belongs to; literal segments outrank templates."""
        return self._match(method, path)[0]

    def check_request(
        self,
        method: str,
        path: str,
        query: Query = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> None:
        operation, in_path = self._match(method, path)
        given = {name.lower(): value for name, value in (headers or {}).items()}
        pairs = _pairs(query)
        declared = {(parameter["in"], parameter["name"]) for parameter in operation.parameters}
        for name, _ in pairs:
            assert ("query", name) in declared, f"{operation}: query parameter {name!r} is not described"
        for parameter in operation.parameters:
            name = parameter["name"]
            sent = {
                "query": [value for key, value in pairs if key == name],
                "path": [in_path[name]] if name in in_path else [],
                "header": [given[name.lower()]] if name.lower() in given else [],
                "cookie": [],
            }
            self._check_parameter(operation, parameter, sent[parameter["in"]])
        self._check_request_body(operation, given.get("content-type", ""), _as_bytes(body))

    def check_response(
        self,
        method: str,
        path: str,
        status: int,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        operation, _ = self._match(method, path)
        key = next((k for k in (str(status), f"{status // 100}XX", "default") if k in operation.responses), None)
        documented = ", ".join(operation.responses)
        assert key is not None, f"{operation}: status {status} is not described (described: {documented})"
        response = self._resolved(operation.responses[key])
        content = response.get("content") or {}
        data = _as_bytes(body)
        where = f"{operation} -> {status}"
        if not content:
            assert not data, f"{where}: a body was sent where none is described: {data[:200]!r}"
            return
        if not data:
            assert not any("schema" in media for media in content.values()), f"{where}: a body is described, none came"
            return
        given = {name.lower(): value for name, value in (headers or {}).items()}.get("content-type", "")
        described = _media(content, given) if given else next(iter(content))
        assert described is not None, f"{where}: content type {given!r} is not described ({', '.join(content)})"
        if "json" in described and "schema" in content[described]:
            pointer = f"{self._pointer_of(operation, 'responses', key)}/content/{_escaped(described)}/schema"
            self._check_json(where, pointer, data, reading=True)

    def _match(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        plain = path.removeprefix(self._base_path)
        for alias, documented in self._aliases.items():
            if plain.startswith(alias):
                plain = documented + plain.removeprefix(alias)
        for pattern, template, methods in self._operations:
            found = pattern.fullmatch(plain)
            if found and method.lower() in methods:
                names = re.findall(r"{([^}]+)}", template)
                values = dict(zip(names, map(unquote, found.groups()), strict=True))
                return self._operation(method.lower(), template, methods), values
        raise AssertionError(f"{method.upper()} {path} is not described")

    def _operation(self, method: str, template: str, methods: Mapping[str, Any]) -> Operation:
        described = methods[method]
        parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
        for raw in [*methods.get("parameters", []), *described.get("parameters", [])]:
            parameter = self._resolved(raw)
            parameters[parameter["in"], parameter["name"]] = parameter
        body = described.get("requestBody")
        return Operation(
            method=method,
            template=template,
            pointer=f"/paths/{_escaped(template)}/{method}",
            parameters=tuple(parameters.values()),
            body=None if body is None else self._resolved(body),
            responses=described["responses"],
        )

    def _check_parameter(self, operation: Operation, parameter: Mapping[str, Any], values: list[str]) -> None:
        where = f"{operation}: {parameter['in']} parameter {parameter['name']!r}"
        if not values:
            assert not parameter.get("required"), f"{where} is required"
            return
        schema = self._resolved(parameter.get("schema", {}))
        if schema.get("type") == "array":
            explode = parameter.get("explode", parameter.get("style", "form") == "form")
            items = values if explode else values[0].split(",")
            value: object = [_typed(item, self._resolved(schema.get("items", {})), where) for item in items]
        else:
            assert len(values) == 1, f"{where} is given {len(values)} times"
            value = _typed(values[0], schema, where)
        validator = OAS30WriteValidator(schema, registry=self._registry)
        for error in validator.iter_errors(value):
            raise AssertionError(f"{where}: {error.message}")

    def _check_request_body(self, operation: Operation, content_type: str, data: bytes) -> None:
        if operation.body is None:
            assert not data, f"{operation}: a body was sent where none is described"
            return
        if not data:
            assert not operation.body.get("required"), f"{operation}: the request body is required"
            return
        content = operation.body["content"]
        described = _media(content, content_type)
        assert described is not None, f"{operation}: content type {content_type!r}, described: {', '.join(content)}"
        if "json" in described and "schema" in content[described]:
            pointer = f"{self._pointer_of(operation, 'requestBody')}/content/{_escaped(described)}/schema"
            self._check_json(f"{operation}: request body", pointer, data, reading=False)

    def _check_json(self, where: str, pointer: str, data: bytes, *, reading: bool) -> None:
        try:
            value = json.loads(data)
        except ValueError as error:
            raise AssertionError(f"{where}: not JSON ({error}): {data[:200]!r}") from error
        validator = self._validators.get((pointer, reading))
        if validator is None:
            kind = OAS30ReadValidator if reading else OAS30WriteValidator
            validator = kind({"$ref": f"{DOCUMENT}#{pointer}"}, registry=self._registry)
            self._validators[pointer, reading] = validator
        for fault in validator.iter_errors(value):
            raise AssertionError(f"{where}: at {fault.json_path}: {fault.message}")

    def _pointer_of(self, operation: Operation, *rest: str) -> str:
        """The pointer of a part of the operation, through the reference that may stand there."""
        pointer = "/".join([operation.pointer, *map(_escaped, rest)])
        node = _at(self._document, pointer)
        return node["$ref"].removeprefix("#") if isinstance(node, dict) and "$ref" in node else pointer

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            node = _at(self._document, node["$ref"].removeprefix("#"))
        return node


def _fastest_loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _escaped(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1").replace("%", "%25").replace("{", "%7B").replace("}", "%7D")


def _segments(pointer: str) -> list[str]:
    return [unquote(part).replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at(document: Any, pointer: str) -> Any:
    node = document
    for segment in _segments(pointer):
        node = node[int(segment)] if isinstance(node, list) else node[segment]
    return node


def _mend(document: dict[str, Any], defect: Defect) -> None:
    parent_pointer, _, raw = defect.at.rpartition("/")
    (last,) = _segments(f"/{raw}")
    try:
        parent = _at(document, parent_pointer)
        if defect.value is REMOVED:
            del parent[int(last) if isinstance(parent, list) else last]
        elif isinstance(parent, list) and last == "-":
            parent.append(deepcopy(defect.value))
        else:
            parent[int(last) if isinstance(parent, list) else last] = deepcopy(defect.value)
    except (KeyError, IndexError) as error:
        raise AssertionError(f"the defect at {defect.at} ({defect.because}) is no longer in the description") from error


def _closed(node: Any, *, joined: bool) -> Any:
    if isinstance(node, list):
        return [_closed(item, joined=joined) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _closed(value, joined=key in {"allOf", "anyOf", "oneOf"}) for key, value in node.items()}
    is_schema = isinstance(node.get("properties"), dict) and node["properties"] and "enum" not in node
    composed = joined or any(key in node for key in ("allOf", "anyOf", "oneOf"))
    if is_schema and not composed and "additionalProperties" not in node:
        result["additionalProperties"] = False
    return result


def _pattern(template: str) -> str:
    return re.sub(r"\\{[^}]+\\}", "([^/]+)", re.escape(template))


def _pairs(query: Query) -> list[tuple[str, str]]:
    if isinstance(query, str):
        return parse_qsl(query.removeprefix("?"), keep_blank_values=True)
    items = query.items() if isinstance(query, Mapping) else query
    return [
        (name, _plain(value))
        for name, given in items
        for value in (given if isinstance(given, list | tuple) else [given])
    ]


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(text: str, schema: Mapping[str, Any], where: str) -> object:
    kind = schema.get("type")
    if kind == "boolean":
        assert text in {"true", "false"}, f"{where}: {text!r} is not a boolean"
        return text == "true"
    if kind in {"integer", "number"}:
        assert re.fullmatch(r"-?\d+(\.\d+)?", text), f"{where}: {text!r} is not a number"
        return float(text) if "." in text else int(text)
    return text


def _media(content: Mapping[str, Any], given: str) -> str | None:
    """The described media type that a Content-Type header means; parameters such as charset do not count."""
    wanted = given.partition(";")[0].strip().lower()
    return next((key for key in content if key.partition(";")[0].strip().lower() in {wanted, "*/*"}), None)


def _as_bytes(body: bytes | str | None) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""
