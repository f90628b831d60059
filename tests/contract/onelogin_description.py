"""OneLogin's API description, with what is known to be wrong in it.

OneLogin publishes none; this one is derived from the models of its own SDK. It is OpenAPI 3.1, where a value that may
be null has two types.
"""

from __future__ import annotations

import json
from typing import Any, Final

from tests.contract.api_description import ApiDescription, Defect, description_file, mend

ERROR: Final = {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
OTHER: Final = {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AltErr"}}}}

DEFECTS: Final = [
    *(
        Defect(
            f"/paths/~1api~12~1{name}/get/responses/{status}",
            shape,
            "the SDK names few statuses; the guide to errors has 400, 403 and 429 for any operation",
        )
        for name, shape in (("users", ERROR), ("roles", OTHER))
        for status in ("400", "403", "429")
    ),
    Defect(
        "/components/schemas/GetGroups200Response/properties/pagination",
        {"type": "object"},
        "the guide to paging shows it on every list of version 1",
    ),
]


def onelogin_description() -> ApiDescription:
    """Closed: properties that a schema does not name are refused."""
    document = json.loads(description_file("onelogin-sdk-4.0.1.read.openapi.json").read_text(encoding="utf-8"))
    mend(document, DEFECTS)
    return ApiDescription.of(_in_30(document), base_path="", closed=True)


def _in_30(node: Any) -> Any:
    """The same in the words of OpenAPI 3.0: `nullable` in place of a second type."""
    if isinstance(node, list):
        return [_in_30(item) for item in node]
    if not isinstance(node, dict):
        return node
    types = node.get("anyOf", [])
    rest = [one for one in types if one != {"type": "null"}]
    plain = {key: _in_30(value) for key, value in node.items() if key not in {"anyOf", "default"}}
    if not types:
        return plain
    if len(rest) != 1 or len(rest) == len(types):
        raise AssertionError(f"this anyOf is no value that may be null: {types}")
    (only,) = map(_in_30, rest)
    return only if "$ref" in only else {**plain, **only, "nullable": True}
