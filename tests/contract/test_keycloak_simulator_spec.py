"""The simulated Keycloak answers as the admin API's description says. Properties that it does not name are refused."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.company import Company
from sandbox.keycloak import (
    CLIENT_ID,
    CLIENT_SECRET,
    REALM,
    ConfidentialClient,
    KeycloakSimulator,
    Switches,
)
from sandbox.population import company
from tests.contract.api_description import ApiDescription, Defect, description_file

ADMIN = f"/admin/realms/{REALM}"
OPERATIONS = "/paths/~1admin~1realms~1{realm}"

ERROR = {
    "description": "Error",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
                "required": ["error"],
            }
        }
    },
}

DEFECTS = [
    Defect(
        f"{OPERATIONS}~1users/get/responses/401",
        ERROR,
        "no operation describes 401; keycloak/keycloak issue 25696 shows its body",
    ),
    Defect(
        f"{OPERATIONS}~1users/get/responses/403",
        ERROR,
        "403 is described without the JSON body that the server sends, as with 401",
    ),
    Defect(
        f"{OPERATIONS}~1users/get/responses/404",
        ERROR,
        "a query parameter that is no number is answered with 404; the operation describes 200 and 403 only",
    ),
    Defect(
        f"{OPERATIONS}~1groups~1{{group-id}}/get/responses/404",
        ERROR,
        "an unknown group is answered with 404; the operation describes 200 only",
    ),
]


@pytest.fixture(scope="module")
def api() -> ApiDescription:
    file = description_file("keycloak-admin-26.6.2.users-groups.json")
    return ApiDescription.load(file, defects=DEFECTS, base_path="", closed=True)


@pytest.fixture(scope="module")
def firm() -> Company:
    firm = company(people=120, groups=60)
    firm.hire(1)
    firm.leave(firm.pick(1)[0].id)
    return firm


@pytest.fixture
def realm(firm: Company) -> KeycloakSimulator:
    # The reader's service account is a member of every group, so the lists of members are judged with it.
    reader = ConfidentialClient(CLIENT_ID, CLIENT_SECRET, groups=frozenset(firm.groups))
    clients = {CLIENT_ID: reader}
    return KeycloakSimulator(
        firm, Switches(clients=clients, admin_events_enabled=True, unmanaged_attribute_policy="ADMIN_EDIT")
    )


@pytest.fixture
def client(realm: KeycloakSimulator) -> Iterator[httpx.Client]:
    with realm.served() as url, httpx.Client(base_url=url) as made:
        log_in(made, CLIENT_ID, CLIENT_SECRET)
        yield made


def log_in(client: httpx.Client, client_id: str, secret: str) -> None:
    form = {"grant_type": "client_credentials"}
    path = f"/realms/{REALM}/protocol/openid-connect/token"
    granted = client.post(path, data=form, auth=(client_id, secret)).json()
    client.headers["Authorization"] = f"Bearer {granted['access_token']}"


def checked(api: ApiDescription, client: httpx.Client, path: str, **query: Any) -> httpx.Response:
    """Ask, and have both the question and the answer judged."""
    answer = client.get(ADMIN + path, params=query)
    api.check_request("GET", ADMIN + path, query)
    api.check_response("GET", ADMIN + path, answer.status_code, answer.content, answer.headers)
    return answer


def test_users_full_brief_and_counted(api: ApiDescription, client: httpx.Client):
    assert len(checked(api, client, "/users", first=0, max=500).json()) == 121
    assert checked(api, client, "/users", briefRepresentation=True, search="a", enabled=True).json()
    assert checked(api, client, "/users/count").json() == 121


def test_one_user_and_their_groups(api: ApiDescription, realm: KeycloakSimulator, client: httpx.Client):
    user_id = realm.state.user_id(realm.company.pick(1)[0].id)
    assert checked(api, client, f"/users/{user_id}").json()["id"] == user_id
    assert checked(api, client, f"/users/{user_id}/groups", briefRepresentation=False).json()
    assert checked(api, client, f"/users/{user_id}/groups/count").json()["count"] >= 2


def test_the_tree_of_groups_and_its_members(api: ApiDescription, client: httpx.Client):
    groups = checked(api, client, "/groups", briefRepresentation=False, first=0, max=100).json()
    parents = [group for group in groups if group["subGroupCount"]]
    assert parents
    for group in groups:
        checked(api, client, f"/groups/{group['id']}")
        checked(api, client, f"/groups/{group['id']}/members", max=-1, briefRepresentation=True)
    for group in parents:
        assert checked(api, client, f"/groups/{group['id']}/children", first=0, max=100).json()
    assert checked(api, client, "/groups", search="developers").json()[0]["subGroups"]
    assert checked(api, client, "/groups/count", top=False).json() == {"count": 60}


def test_the_profile_the_realm_and_its_admin_events(api: ApiDescription, client: httpx.Client):
    assert checked(api, client, "/users/profile").json()["attributes"]
    assert checked(api, client, "").json()["adminEventsEnabled"]
    events = checked(api, client, "/admin-events", resourceTypes=["USER", "GROUP_MEMBERSHIP"], direction="asc").json()
    assert len(events) == 4


def test_refusals(api: ApiDescription, realm: KeycloakSimulator, client: httpx.Client):
    assert checked(api, client, "/groups/none").status_code == 404
    no_number = client.get(f"{ADMIN}/users?first=none")
    assert no_number.status_code == 404
    api.check_response("GET", f"{ADMIN}/users", 404, no_number.content, no_number.headers)
    realm.switches.clients["limited"] = ConfidentialClient("limited", "s", frozenset({"view-events"}))
    log_in(client, "limited", "s")
    assert checked(api, client, "/users").status_code == 403
    realm.expire_tokens()
    assert checked(api, client, "/users").status_code == 401
