import base64
import json
import time
from typing import Any

import httpx
import pytest

from sandbox.faults import Fault, FaultKind
from sandbox.keycloak import CLIENT_ID, CLIENT_SECRET, ConfidentialClient, KeycloakSimulator
from tests.unit.sandbox.keycloak.conftest import ADMIN, TOKEN_PATH, token

GRANT = {"grant_type": "client_credentials"}


def claims(access_token: str) -> dict[str, Any]:
    header, payload, signature = access_token.split(".")
    assert signature
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return told


def test_the_secret_may_come_in_the_header_or_in_the_body(url: str):
    basic = httpx.post(url + TOKEN_PATH, data=GRANT, auth=(CLIENT_ID, CLIENT_SECRET))
    body = httpx.post(url + TOKEN_PATH, data={**GRANT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
    for answer in (basic, body):
        assert answer.status_code == 200
        assert answer.json()["expires_in"] == 60
        assert answer.json()["token_type"] == "Bearer"
        assert "refresh_token" not in answer.json()


def test_a_secret_with_special_characters_is_decoded_from_the_header(realm: KeycloakSimulator, url: str):
    realm.switches.clients["odd"] = ConfidentialClient("odd", "a:b%/ü")
    encoded = base64.b64encode(b"odd:a%3Ab%25%2F%C3%BC").decode()
    answer = httpx.post(url + TOKEN_PATH, data=GRANT, headers={"Authorization": f"Basic {encoded}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({**GRANT, "client_id": CLIENT_ID, "client_secret": "wrong"}, 401, "unauthorized_client"),
        ({**GRANT, "client_id": "nobody", "client_secret": CLIENT_SECRET}, 401, "invalid_client"),
        (GRANT, 401, "invalid_client"),
        ({"grant_type": "password", "client_id": CLIENT_ID}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_request_for_a_token_is_refused(url: str, form: dict[str, str], status: int, error: str):
    answer = httpx.post(url + TOKEN_PATH, data=form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_an_unknown_realm_is_not_found(url: str, client: httpx.Client):
    assert httpx.post(f"{url}/realms/other/protocol/openid-connect/token", data=GRANT).status_code == 404
    answer = client.get(f"{url}/admin/realms/other/users")
    assert (answer.status_code, answer.json()["error"]) == (404, "Realm not found.")


def test_a_token_ends_after_its_lifetime(realm: KeycloakSimulator, client: httpx.Client):
    assert client.get("/users?max=1").status_code == 200
    realm.clock = lambda: time.time() + 61
    answer = client.get("/users?max=1")
    assert (answer.status_code, answer.json()) == (401, {"error": "HTTP 401 Unauthorized"})


def test_a_token_can_be_ended_in_the_middle_of_a_read(realm: KeycloakSimulator, url: str, client: httpx.Client):
    realm.faults.add(Fault(FaultKind.CHANGE, "/users$", skip=1, change=realm.expire_tokens))
    assert [client.get("/users?max=1").status_code for _ in range(3)] == [200, 401, 401]
    renewed = {"Authorization": f"Bearer {token(url)}"}
    assert client.get("/users?max=1", headers=renewed).status_code == 200


@pytest.mark.parametrize(
    ("roles", "path", "status"),
    [
        ({"view-events"}, "/users", 403),
        ({"view-events"}, "/groups", 403),
        ({"view-events"}, "/admin-events", 200),
        ({"query-groups"}, "/groups", 200),
        ({"query-groups"}, "/users", 403),
        ({"view-users"}, "/users", 200),
        ({"view-users"}, "/admin-events", 403),
        (set(), "/users/profile", 403),
    ],
)
def test_roles_decide_what_may_be_read(realm: KeycloakSimulator, url: str, roles: set[str], path: str, status: int):
    realm.switches.clients["limited"] = ConfidentialClient("limited", "s", frozenset(roles))
    limited = {"Authorization": f"Bearer {token(url, 'limited', 's')}"}
    answer = httpx.get(url + ADMIN + path, headers=limited)
    assert answer.status_code == status
    if status == 403:
        assert answer.json() == {"error": "HTTP 403 Forbidden"}


def test_who_may_only_query_users_is_told_their_number_and_shown_nobody(realm: KeycloakSimulator, url: str):
    realm.switches.clients["limited"] = ConfidentialClient("limited", "s", frozenset({"query-users"}))
    limited = {"Authorization": f"Bearer {token(url, 'limited', 's')}"}
    assert httpx.get(f"{url}{ADMIN}/users", headers=limited).json() == []
    assert httpx.get(f"{url}{ADMIN}/users/count", headers=limited).json() == 250


def test_who_may_only_query_groups_is_told_their_number_and_shown_none(realm: KeycloakSimulator, url: str):
    realm.switches.clients["limited"] = ConfidentialClient("limited", "s", frozenset({"query-groups"}))
    limited = {"Authorization": f"Bearer {token(url, 'limited', 's')}"}
    group = realm.state.group_id(realm.company.group("bb-platform").id)
    assert httpx.get(f"{url}{ADMIN}/groups", headers=limited).json() == []
    assert httpx.get(f"{url}{ADMIN}/groups?search=bb", headers=limited).json() == []
    assert httpx.get(f"{url}{ADMIN}/groups/count", headers=limited).json() == {"count": 300}
    for path in (f"/groups/{group}", f"/groups/{group}/children"):
        assert httpx.get(url + ADMIN + path, headers=limited).status_code == 403


def test_a_token_tells_whose_it_is_and_when_it_ends(realm: KeycloakSimulator, url: str):
    realm.clock = lambda: 1_800_000_000.25
    told = claims(token(url))
    assert (told["iat"], told["exp"]) == (1_800_000_000, 1_800_000_060)
    assert told["iss"] == f"{url}/realms/{realm.switches.realm}"
    assert (told["azp"], told["preferred_username"]) == (CLIENT_ID, f"service-account-{CLIENT_ID}")
    assert claims(token(url))["jti"] != told["jti"]


def test_a_token_tells_the_roles_and_those_that_come_with_them(realm: KeycloakSimulator, url: str):
    realm.switches.clients["viewer"] = ConfidentialClient("viewer", "s", frozenset({"view-users"}))
    realm.switches.clients["manager"] = ConfidentialClient("manager", "s", frozenset({"manage-users"}))
    roles = {
        name: claims(token(url, name, "s"))["resource_access"]["realm-management"]["roles"]
        for name in ("viewer", "manager")
    }
    assert roles == {"viewer": ["query-groups", "query-users", "view-users"], "manager": ["manage-users"]}


def test_a_token_without_roles_or_a_lightweight_one_tells_less(realm: KeycloakSimulator, url: str):
    realm.switches.clients["none"] = ConfidentialClient("none", "s", frozenset())
    realm.switches.clients["light"] = ConfidentialClient("light", "s", lightweight=True)
    assert claims(token(url, "none", "s"))["resource_access"].keys() == {"account"}
    light = token(url, "light", "s")
    assert "resource_access" not in claims(light)
    headers = {"Authorization": f"Bearer {light}"}
    assert httpx.get(f"{url}{ADMIN}/users?max=1", headers=headers).status_code == 200


def test_without_a_token_nothing_is_read(url: str):
    assert httpx.get(f"{url}{ADMIN}/users").status_code == 401
    genuine = token(url)
    for forged in ("forged", genuine.rpartition(".")[0] + ".", genuine[1:]):
        assert httpx.get(f"{url}{ADMIN}/users", headers={"Authorization": f"Bearer {forged}"}).status_code == 401
