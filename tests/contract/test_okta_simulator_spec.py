"""The simulated Okta answers as Okta's own API description says. Properties that it does not name are refused."""

from collections.abc import Iterator

import httpx
import pytest

from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.okta import SSWS_TOKEN, OktaSimulator
from sandbox.population import company
from tests.contract.api_description import ApiDescription, Defect, description_file

ERROR = {"description": "Error", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}

DEFECTS = [
    Defect(
        "/paths/~1api~1v1~1users/get/responses/401",
        ERROR,
        "no operation describes 401, though the guide to API tokens shows it with error E0000011",
    ),
    Defect(
        "/paths/~1api~1v1~1users/get/responses/400",
        ERROR,
        "the list of error codes has E0000031 for a search that cannot be read; the operation does not describe it",
    ),
    Defect(
        "/components/schemas/UserSchemaAttribute/properties/items",
        {"$ref": "#/components/schemas/UserSchemaAttributeItems"},
        "the schema of an array's items is defined but not used; the Schemas guide shows it on attributes of that type",
    ),
    Defect(
        "/components/schemas/LinksSelf/additionalProperties",
        True,
        "groups extend these links through allOf, which a list of allowed properties would forbid",
    ),
]


@pytest.fixture(scope="module")
def api() -> ApiDescription:
    file = description_file("okta-management-2026.06.3.users-groups.yaml")
    return ApiDescription.load(file, defects=DEFECTS, base_path="", closed=True)


@pytest.fixture(scope="module")
def firm() -> Company:
    firm = company(people=120, groups=24)
    person = firm.pick(1)[0]
    firm.leave(person.id)
    firm.rename_group(firm.group("bb-project-aurora").id, "bb-project-dawn")
    return firm


@pytest.fixture
def org(firm: Company) -> OktaSimulator:
    return OktaSimulator(firm)


@pytest.fixture
def client(org: OktaSimulator) -> Iterator[httpx.Client]:
    with org.served() as url, httpx.Client(base_url=url, headers={"Authorization": f"SSWS {SSWS_TOKEN}"}) as made:
        yield made


def checked(api: ApiDescription, client: httpx.Client, path: str, **query: str) -> httpx.Response:
    """Ask, and have both the question and the answer judged."""
    answer = client.get(path, params=query)
    api.check_request("GET", path, query)
    api.check_response("GET", path, answer.status_code, answer.content, answer.headers)
    return answer


def test_lists_of_users(api: ApiDescription, client: httpx.Client):
    assert checked(api, client, "/api/v1/users", search="status pr", limit="200").json()
    assert checked(api, client, "/api/v1/users", filter='status eq "DEPROVISIONED"').json()
    assert checked(api, client, "/api/v1/users", q="a").json()
    assert checked(api, client, "/api/v1/users", fields="id,status,profile:(firstName,city)").json()


def test_one_user_and_their_groups(api: ApiDescription, org: OktaSimulator, client: httpx.Client):
    user_id = org.state.user_id(org.company.pick(1)[0].id)
    assert checked(api, client, f"/api/v1/users/{user_id}").json()["id"] == user_id
    assert checked(api, client, f"/api/v1/users/{user_id}/groups").json()


def test_groups_of_all_three_types_and_their_members(api: ApiDescription, client: httpx.Client):
    groups = checked(api, client, "/api/v1/groups", expand="stats").json()
    assert {group["type"] for group in groups} == {"OKTA_GROUP", "APP_GROUP", "BUILT_IN"}
    assert checked(api, client, "/api/v1/groups", search='type eq "APP_GROUP"').json()
    checked(api, client, "/api/v1/groups", filter='lastMembershipUpdated gt "2020-01-01T00:00:00.000Z"')
    for group in groups:
        checked(api, client, f"/api/v1/groups/{group['id']}")
        checked(api, client, f"/api/v1/groups/{group['id']}/users", limit="50")


def test_the_schema_of_users(api: ApiDescription, client: httpx.Client):
    assert checked(api, client, "/api/v1/meta/schemas/user/default").json()["definitions"]["custom"]["properties"]


def test_the_system_log(api: ApiDescription, client: httpx.Client):
    events = checked(api, client, "/api/v1/logs", since="2026-01-01T00:00:00.000Z", sortOrder="ASCENDING").json()
    assert [event["eventType"] for event in events] == ["user.lifecycle.deactivate", "group.profile.update"]


def test_refusals(api: ApiDescription, org: OktaSimulator, client: httpx.Client):
    assert checked(api, client, "/api/v1/users", search="status").status_code == 400
    assert checked(api, client, "/api/v1/logs", since="lately").status_code == 400
    assert checked(api, client, "/api/v1/users/00unone").status_code == 404
    assert checked(api, client, "/api/v1/groups/00gnone/users").status_code == 404
    org.faults.add(Fault(FaultKind.STATUS, status=429))
    assert checked(api, client, "/api/v1/groups").status_code == 429
    org.switches.ssws_tokens_without_role.add("weak")
    for secret, status in (("weak", 403), ("wrong", 401)):
        client.headers["Authorization"] = f"SSWS {secret}"
        assert checked(api, client, "/api/v1/users").status_code == status


def test_every_described_reading_operation_of_users_and_groups_is_simulated(api: ApiDescription, org: OktaSimulator):
    simulated = {
        "GET /api/v1/users",
        "GET /api/v1/users/{id}",
        "GET /api/v1/users/{id}/groups",
        "GET /api/v1/groups",
        "GET /api/v1/groups/{groupId}",
        "GET /api/v1/groups/{groupId}/users",
        "GET /api/v1/logs",
        "GET /api/v1/meta/schemas/user/{schemaId}",
    }
    left_out = {
        "GET /api/v1/groups/{groupId}/owners",
        "GET /api/v1/meta/schemas/group/default",
        "GET /api/v1/meta/types/user",
        "GET /api/v1/principal-rate-limits",
    }
    assert {operation for operation in api.operations() if operation.startswith("GET")} == simulated | left_out
