"""What the string below a field of a model says of it, read when a schema or a form is made.

Pydantic can read these strings for every model when it is made (`use_attribute_docstrings`). That parses our sources at
each start: 0.7 of a run's processor seconds, for words that no run shows.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

__all__ = ["described_schema", "field_help"]


def field_help(model: type[BaseModel]) -> dict[str, str]:
    """By the field's name, that of a subclass before that of what it extends."""
    found: dict[str, str] = {}
    for made in reversed(model.__mro__):
        if issubclass(made, BaseModel) and made is not BaseModel:
            found |= _said_below_fields(made)
    return found


def described_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a model, whose properties have what `field_help` says as their description."""
    return model.model_json_schema(schema_generator=_Described)


class _Described(GenerateJsonSchema):
    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        properties: dict[str, dict[str, Any]] = made.get("properties", {})
        for name, told in field_help(schema["cls"]).items():
            if name in properties:
                properties[name].setdefault("description", told)
        return made


def _said_below_fields(model: type[BaseModel]) -> dict[str, str]:
    try:
        source = inspect.getsource(model)
    except (OSError, TypeError):  # made by a function, or in a session
        return {}
    found = {}
    for made in ast.parse(textwrap.dedent(source)).body:
        lines = made.body if isinstance(made, ast.ClassDef) else []
        for field, below in itertools.pairwise(lines):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = inspect.cleandoc(text)
    return found
