"""The simulated Graph answers as Microsoft's own description says, and shows no property that Graph does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.graph import CLIENT_ID, CLIENT_SECRET, TENANT, GraphSimulator, RegisteredApp
from sandbox.graph.documents import ALWAYS_KNOWN, EXTENSION, NEVER_SET, USER_DEFAULTS
from sandbox.population import company
from tests.contract.api_description import REMOVED, ApiDescription, Defect, description_file

DELTA = "microsoft.graph.delta()"
ALIASES: Mapping[str, str] = {"/users/delta": f"/users/{DELTA}", "/groups/delta": f"/groups/{DELTA}"}
"""The documents write the function without its namespace; both spellings are served."""


def _parameter(template: str, name: str) -> Defect:
    pointer = template.replace("/", "~1")
    value = {"in": "query", "name": name, "schema": {"type": "string"}}
    return Defect(f"/paths/{pointer}/get/parameters/-", value, "the tokens of Graph's own links are not described")


def _items(schema: str, row: str) -> Defect:
    value = {"type": "array", "items": {"$ref": f"#/components/schemas/microsoft.graph.{row}"}}
    at = f"/components/schemas/microsoft.graph.{schema}/allOf/1/properties/value"
    return Defect(at, value, "the rows of a page are left out of this extract")


def _untyped(schema: str) -> Defect:
    at = f"/components/schemas/microsoft.graph.{schema}/required"
    return Defect(at, REMOVED, "lists of one type come without @odata.type (odata.metadata=minimal)")


def _changed(kind: str) -> Defect:
    where = f"/paths/~1{kind}s~1{DELTA}/get/responses/2XX/content/application~1json/schema/allOf/1/properties/value"
    value = {"$ref": f"#/components/schemas/microsoft.graph.{kind}"}
    return Defect(f"{where}/items", value, "anyOf with an empty object allows everything")


MEMBERS = "/groups/{group-id}/members"

DEFECTS = [
    *(_parameter(path, "$skiptoken") for path in ("/users", "/groups", MEMBERS, "/users/{user-id}/memberOf")),
    *(_parameter(path, "$skiptoken") for path in (f"/users/{DELTA}", f"/groups/{DELTA}")),
    *(_parameter(path, "$deltatoken") for path in (f"/users/{DELTA}", f"/groups/{DELTA}")),
    _parameter("/groups/{group-id}/members/microsoft.graph.user", "$skiptoken"),
    _items("userCollectionResponse", "user"),
    _items("groupCollectionResponse", "group"),
    _items("directoryObjectCollectionResponse", "directoryObject"),
    _untyped("entity"),
    _untyped("directoryObject/allOf/1"),
    _untyped("user/allOf/1"),
    _untyped("group/allOf/1"),
    _changed("user"),
    _changed("group"),
    Defect(
        "/paths/~1users/get/parameters/7/schema/items",
        {"type": "string"},
        "directory extensions (extension_...) can be selected, and a description cannot name them",
    ),
    Defect(
        "/paths/~1users/get/parameters/8/schema/items",
        {"type": "string"},
        "options may follow an expanded property in parentheses",
    ),
    Defect(
        "/paths/~1users~1{user-id}/get/parameters/1/schema/items",
        {"type": "string"},
        "options may follow an expanded property in parentheses",
    ),
    Defect(
        "/paths/~1users~1{user-id}/get/parameters/0/schema/items",
        {"type": "string"},
        "directory extensions (extension_...) can be selected, and a description cannot name them",
    ),
]


@pytest.fixture(scope="module")
def api() -> ApiDescription:
    file = description_file("msgraph-v1.0.users-groups.openapi.json")
    return ApiDescription.load(file, defects=DEFECTS, aliases=ALIASES)


@pytest.fixture(scope="module")
def properties() -> dict[str, set[str]]:
    """Property names of each entity type in the service's metadata, inherited ones included."""
    text = description_file("msgraph-v1.0.users-groups.csdl.xml").read_text(encoding="utf-8")
    blocks = re.findall(r'<EntityType Name="(\w+)"([^>]*)>(.*?)</EntityType>', text, re.DOTALL)
    own = {name: set(re.findall(r'Property Name="(\w+)"', body)) for name, _, body in blocks}
    return {name: names | own["directoryObject"] | own.get("entity", set()) | {"id"} for name, names in own.items()}


@pytest.fixture
def firm() -> Company:
    return company(people=120, groups=24)


@pytest.fixture
def tenant(firm: Company) -> GraphSimulator:
    return GraphSimulator(firm)


@pytest.fixture
def client(tenant: GraphSimulator) -> Iterator[httpx.Client]:
    with tenant.served() as url, httpx.Client(base_url=url) as made:
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": f"{url}/.default",
        }
        token = made.post(f"/{TENANT}/oauth2/v2.0/token", data=form).json()["access_token"]
        made.headers["Authorization"] = f"Bearer {token}"
        yield made


def checked(api: ApiDescription, client: httpx.Client, path: str, eventual: bool = False, **query: str) -> Any:
    """Ask, and have both the question and the answer judged. Names of parameters come without their dollar."""
    headers = {"ConsistencyLevel": "eventual"} if eventual else {}
    answer = client.get(f"/v1.0{path}", params={f"${name}": value for name, value in query.items()}, headers=headers)
    judge(api, answer, headers)
    return answer


def judge(api: ApiDescription, answer: httpx.Response, headers: Mapping[str, str]) -> None:
    url = answer.request.url
    api.check_request("GET", url.path, url.query.decode(), headers)
    api.check_response("GET", url.path, answer.status_code, answer.content, answer.headers)


def test_lists_of_users_and_one_user(api: ApiDescription, client: httpx.Client, properties: dict[str, set[str]]):
    plain = checked(api, client, "/users").json()["value"]
    assert len(plain[0]) == 11
    every = ",".join(sorted(properties["user"] & {*USER_DEFAULTS, *NEVER_SET, *ALWAYS_KNOWN}))
    shown = checked(api, client, "/users", select=every, top="999").json()["value"]
    assert set(shown[0]) <= properties["user"]
    assert checked(api, client, "/users", True, select=f"id,{EXTENSION}", count="true").json()["@odata.count"] == 120
    assert "manager" in str(checked(api, client, "/users", select="id", expand="manager($select=id)").json())
    assert checked(api, client, f"/users/{shown[0]['id']}").json()["id"] == shown[0]["id"]
    assert checked(api, client, f"/users/{shown[0]['id']}/memberOf", select="id").json()["value"]
    assert checked(api, client, "/users/$count", True).text == "120"


def test_groups_and_their_members(
    api: ApiDescription, tenant: GraphSimulator, client: httpx.Client, properties: dict[str, set[str]]
):
    groups = checked(api, client, "/groups", True, count="true").json()["value"]
    assert {name for group in groups for name in group} <= properties["group"]
    assert checked(api, client, "/groups", filter="startswith(displayName,'bb-project')").json()["value"]
    assert checked(api, client, "/groups/$count", True).text == str(len(tenant.company.groups))
    for group in groups:
        checked(api, client, f"/groups/{group['id']}", select="id,displayName")
        page = checked(api, client, f"/groups/{group['id']}/members", select="id", top="5").json()
        if "@odata.nextLink" in page:
            judge(api, client.get(page["@odata.nextLink"]), {})
        checked(api, client, f"/groups/{group['id']}/members/microsoft.graph.user", True, select="id", count="true")
        checked(api, client, f"/groups/{group['id']}/transitiveMembers", select="id")


def test_deltas(api: ApiDescription, tenant: GraphSimulator, client: httpx.Client):
    tenant.switches.delta_page = 7
    for path, select in (("/users/delta", "displayName"), ("/groups/delta", "displayName,members")):
        answer = checked(api, client, path, select=select)
        while "@odata.nextLink" in answer.json():
            answer = client.get(answer.json()["@odata.nextLink"])
            judge(api, answer, {})
        tenant.company.erase(tenant.company.pick(1)[0].id)
        answer = client.get(answer.json()["@odata.deltaLink"])
        judge(api, answer, {})
        assert "@removed" in answer.text


def test_what_a_batch_holds(api: ApiDescription, tenant: GraphSimulator, client: httpx.Client):
    group = tenant.state.group_id(next(iter(tenant.company.groups)))
    urls = {"a": f"/groups/{group}/members?$select=id&$top=999", "b": "/groups/none/members", "c": "/users?$top=1000"}
    inner = [{"id": key, "method": "GET", "url": url} for key, url in urls.items()]
    answers = client.post("/v1.0/$batch", json={"requests": inner}).json()["responses"]
    assert {one["id"]: one["status"] for one in answers} == {"a": 200, "b": 404, "c": 400}
    for one in answers:
        path, _, query = urls[one["id"]].partition("?")
        api.check_request("GET", path, parse_qsl(query))
        api.check_response("GET", path, one["status"], httpx.Response(200, json=one["body"]).content, one["headers"])


def test_refusals(api: ApiDescription, tenant: GraphSimulator, client: httpx.Client):
    assert checked(api, client, "/users", top="1000").status_code == 400
    assert checked(api, client, "/users", select="aboutMe").status_code == 501
    assert checked(api, client, "/users/$count").status_code == 400
    assert checked(api, client, "/groups", filter="not(displayName eq 'x')").status_code == 400
    assert checked(api, client, "/groups/none").status_code == 404
    tenant.faults.add(Fault(FaultKind.STATUS, "/groups$", status=429))
    assert checked(api, client, "/groups").status_code == 429
    tenant.expire_tokens()
    assert checked(api, client, "/groups").status_code == 401
    tenant.register(RegisteredApp(CLIENT_ID, {CLIENT_SECRET}, roles=frozenset()))
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    scope = {"scope": f"{str(client.base_url).rstrip('/')}/.default"}
    token = client.post(f"/{TENANT}/oauth2/v2.0/token", data={**form, **scope}).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    assert checked(api, client, "/groups").status_code == 403
