"""The judge itself: what it lets pass, and what not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contract.api_description import REMOVED, ApiDescription, Defect

JSON = {"content-type": "application/json"}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.1",
    "servers": [{"url": "http://{host}/base"}],
    "paths": {
        "/things": {
            "get": {
                "parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 10}},
                    {"in": "query", "name": "tag", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"$ref": "#/components/parameters/Trace"},
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json;charset=UTF-8": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
                            }
                        }
                    },
                    "4XX": {"description": "refused"},
                },
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                },
                "responses": {"201": {"description": "made"}, "202": {"content": {"application/json": {}}}},
            },
        },
        "/things/special": {"get": {"responses": {"204": {"description": "nothing"}}}},
        "/things/{id}": {
            "parameters": [{"in": "path", "name": "id", "required": True, "schema": {"type": "integer"}}],
            "get": {"responses": {"default": {"description": "anything"}}},
        },
    },
    "components": {
        "parameters": {"Trace": {"in": "header", "name": "X-Trace", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "secret": {"type": "string", "writeOnly": True}},
            }
        },
    },
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "description.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


def test_what_is_as_described_passes(file):
    api = ApiDescription.load(file, aliases={"/v1/": "/"}, closed=True)

    api.check_request("get", "/base/things", "limit=5&tag=a&tag=b", {"x-trace": "1"})
    api.check_request("GET", "/base/v1/things", [("limit", 5), ("tag", ["a", "b"])], {"X-Trace": "1"})
    api.check_request("POST", "/base/things", {}, JSON, b'{"name": "a", "secret": "b"}')
    api.check_request("GET", "/base/things/5")
    api.check_response("GET", "/base/things", 200, b'[{"name": "a"}]', {"Content-Type": "application/json"})
    api.check_response("GET", "/base/things", 404)
    api.check_response("POST", "/base/things", 202)
    api.check_response("GET", "/base/things/special", 204)
    api.check_response("GET", "/base/things/5", 500)
    assert str(api.operation("GET", "/base/things/special")) == "GET /things/special"
    assert len(api.operations()) == 4


@pytest.mark.parametrize(
    ("arguments", "objection"),
    [
        (("GET", "/base/nothing"), "is not described"),
        (("DELETE", "/base/things"), "is not described"),
        (("GET", "/base/things", "limit=5"), "header parameter 'X-Trace' is required"),
        (("GET", "/base/things", "limit=11", {"x-trace": "1"}), "11 is greater than the maximum of 10"),
        (("GET", "/base/things", "limit=x", {"x-trace": "1"}), "'x' is not a number"),
        (("GET", "/base/things", "limit=1&limit=2", {"x-trace": "1"}), "is given 2 times"),
        (("GET", "/base/things", "limi=1", {"x-trace": "1"}), "query parameter 'limi' is not described"),
        (("GET", "/base/things", "", {"x-trace": "1"}, b"{}"), "a body was sent where none is described"),
        (("GET", "/base/things/five"), "'five' is not a number"),
        (("POST", "/base/things"), "the request body is required"),
        (("POST", "/base/things", "", {"content-type": "text/plain"}, b"x"), "content type 'text/plain'"),
        (("POST", "/base/things", "", JSON, b"{"), "not JSON"),
        (("POST", "/base/things", "", JSON, b"{}"), "'name' is a required property"),
        (("POST", "/base/things", "", JSON, b'{"name": "a", "size": 1}'), "'size' was unexpected"),
    ],
)
def test_a_request_that_is_not_as_described_is_refused_with_its_place(file, arguments, objection):
    with pytest.raises(AssertionError, match=objection):
        ApiDescription.load(file, closed=True).check_request(*arguments)


@pytest.mark.parametrize(
    ("arguments", "objection"),
    [
        (("POST", "/base/things", 200), "status 200 is not described"),
        (("GET", "/base/things", 200), "a body is described, none came"),
        (("GET", "/base/things", 404, b"gone"), "a body was sent where none is described"),
        (("GET", "/base/things", 200, b"[{}]"), r"at \$\[0\]: 'name' is a required property"),
        (("GET", "/base/things", 200, b'[{"name": "a", "secret": "b"}]'), r"at \$\[0\].secret"),
        (("GET", "/base/things", 200, b"[]", {"content-type": "text/html"}), "content type 'text/html'"),
    ],
)
def test_an_answer_that_is_not_as_described_is_refused_with_its_place(file, arguments, objection):
    with pytest.raises(AssertionError, match=objection):
        ApiDescription.load(file).check_response(*arguments)


def test_a_known_defect_is_mended(file):
    thing = "/components/schemas/Thing"
    defects = [
        Defect(f"{thing}/properties/secret/writeOnly", REMOVED, "it is read"),
        Defect(f"{thing}/required/-", "secret", "it is always there"),
        Defect(f"{thing}/properties/name/nullable", value=True, because="it may be null"),
    ]
    api = ApiDescription.load(file, defects=defects)

    api.check_response("GET", "/base/things", 200, b'[{"name": null, "secret": "b"}]')
    with pytest.raises(AssertionError, match="'secret' is a required property"):
        api.check_response("GET", "/base/things", 200, b'[{"name": "a"}]')


@pytest.mark.parametrize("at", ["/components/schemas/Thing/properties/name/writeOnly", "/components/schemas/No/x"])
def test_a_defect_that_is_no_longer_there_is_noticed(file, at):
    with pytest.raises(AssertionError, match="is no longer in the description"):
        ApiDescription.load(file, defects=[Defect(at, REMOVED, "once wrong")])


def test_yaml_is_read_too_and_the_base_path_can_be_given(tmp_path):
    path = tmp_path / "description.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))

    ApiDescription.load(path, base_path="/other").check_request("GET", "/other/things/5")
