"""Google's discovery document as an API description: the few reading operations, with what is known to be wrong in it.

A discovery document is no OpenAPI: types of parameters stand beside their names, references are bare names, `any` is a
type, and numbers among the limits are text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from tests.contract.api_description import ApiDescription, Defect, description_file, mend

READING: Final = (
    ("users", "list"),
    ("users", "get"),
    ("users.photos", "get"),
    ("groups", "list"),
    ("groups", "get"),
    ("members", "list"),
    ("schemas", "list"),
)

ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "errors"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["message", "domain", "reason"],
                        "properties": {name: {"type": "string"} for name in ("message", "domain", "reason")},
                    },
                },
            },
        }
    },
}
"""A discovery document has no errors; the guide "Resolve errors" shows this one."""

DEFECTS: Final = [
    Defect(
        "/schemas/User/properties/addresses",
        {"type": "array", "items": {"type": "object"}},
        "the type is `any`; the reference says it is a list of entries",
    ),
    Defect(
        "/schemas/User/properties/organizations",
        {"type": "array", "items": {"type": "object"}},
        "the type is `any`; the reference says it is a list of entries",
    ),
    Defect(
        "/schemas/User/properties/emails",
        {"type": "array", "items": {"type": "object"}},
        "the type is `any`; the reference says it is a list of entries",
    ),
    Defect(
        "/schemas/User/properties/externalIds",
        {"type": "array", "items": {"type": "object"}},
        "the type is `any`; the reference says it is a list of entries",
    ),
    Defect(
        "/schemas/Member/properties/type",
        {"type": "string", "enum": ["USER", "GROUP", "CUSTOMER", "EXTERNAL"]},
        "the type is any text; the reference lists the four values",
    ),
    Defect(
        "/resources/groups/methods/list/parameters/maxResults/maximum",
        "200",
        "the limit stands only in the description: Max allowed value is 200",
    ),
    Defect(
        "/resources/members/methods/list/parameters/maxResults/maximum",
        "200",
        "the limit stands only in the description: Max allowed value is 200",
    ),
]


def google_description() -> ApiDescription:
    """Closed: properties that a schema does not name are refused."""
    file = description_file("google-admin.directory_v1.discovery.json")
    discovery = json.loads(file.read_text(encoding="utf-8"))
    mend(discovery, DEFECTS)
    document = {
        "openapi": "3.0.3",
        "info": {"title": discovery["title"], "version": discovery["revision"]},
        "paths": _paths(discovery),
        "components": {"schemas": {name: _schema(schema) for name, schema in discovery["schemas"].items()}},
    }
    return ApiDescription.of(document, base_path="", closed=True)


def _paths(discovery: Mapping[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    error = {"description": "Error", "content": {"application/json": {"schema": deepcopy(ERROR)}}}
    for resource, method in READING:
        outer, _, inner = resource.partition(".")
        found = discovery["resources"][outer]
        described = (found["resources"][inner] if inner else found)["methods"][method]
        answer = {"$ref": f"#/components/schemas/{described['response']['$ref']}"}
        parameters = {**discovery["parameters"], **described["parameters"]}
        paths[f"/{described['path']}"] = {
            described["httpMethod"].lower(): {
                "parameters": [_parameter(name, parameter) for name, parameter in parameters.items()],
                "responses": {
                    "200": {"description": "OK", "content": {"application/json": {"schema": answer}}},
                    **dict.fromkeys(("400", "401", "403", "404", "429", "503"), error),
                },
            }
        }
    return paths


def _parameter(name: str, described: Mapping[str, Any]) -> dict[str, Any]:
    schema = _schema({key: value for key, value in described.items() if key not in {"location", "required"}})
    required = described.get("required", False)
    return {"name": name, "in": described["location"], "required": required, "schema": schema}


def _schema(described: Any) -> Any:
    """JSON Schema of what a discovery document says (developers.google.com/discovery/v1/type-format)."""
    if not isinstance(described, dict):
        return described
    if "$ref" in described:
        return {"$ref": f"#/components/schemas/{described['$ref']}"}
    schema: dict[str, Any] = {name: described[name] for name in ("type", "enum") if name in described}
    schema |= {limit: int(described[limit]) for limit in ("minimum", "maximum") if limit in described}
    schema |= {name: _schema(described[name]) for name in ("items", "additionalProperties") if name in described}
    if schema.get("type") == "any":
        del schema["type"]
    if described.get("format") in {"int64", "uint64"}:
        schema["pattern"] = r"^-?\d+$"
    if "properties" in described:
        schema["properties"] = {name: _schema(value) for name, value in described["properties"].items()}
    return schema
