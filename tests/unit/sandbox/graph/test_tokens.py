"""The token endpoint, and what tokens allow."""

import base64
import json

import httpx
import pytest

from sandbox.graph import CLIENT_ID, CLIENT_SECRET, GraphSimulator, RegisteredApp
from tests.unit.sandbox.graph.conftest import ask_token


def test_a_token_shows_its_roles_and_lasts_3599_seconds(url: str):
    answer = ask_token(url).json()
    claims = answer["access_token"].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert told["roles"] == ["GroupMember.Read.All", "User.Read.All"]
    assert answer["expires_in"] == answer["ext_expires_in"] == 3599


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_secret": "old"}, 401, 7000222),
        ({"client_id": "nobody"}, 400, 700016),
        ({"scope": "User.Read.All"}, 400, 1002012),
        ({"grant_type": "password"}, 400, 70003),
        ({"tenant": "elsewhere"}, 400, 90002),
        ({"client_assertion": "a.b.c"}, 400, 900144),
    ],
)
def test_a_refusal_names_its_reason(tenant: GraphSimulator, url: str, changed: dict[str, str], status: int, code: int):
    tenant.login.apps[CLIENT_ID].expired_secrets.add("old")
    answer = ask_token(url, **changed)
    assert answer.status_code == status
    assert answer.json()["error_codes"] == [code]


def test_an_expired_token_is_refused_and_a_fresh_one_accepted(tenant: GraphSimulator, client: httpx.Client, url: str):
    assert client.get("/users").status_code == 200
    tenant.expire_tokens()
    refused = client.get("/users")
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "InvalidAuthenticationToken"
    client.headers["Authorization"] = f"Bearer {ask_token(url).json()['access_token']}"
    assert client.get("/users").status_code == 200


@pytest.mark.parametrize(
    ("role", "allowed"), [("User.Read.All", {"/users"}), ("Group.Read.All", {"/groups"}), ("Directory.Read.All", None)]
)
def test_each_role_opens_its_own_lists(tenant: GraphSimulator, url: str, role: str, allowed: set[str] | None):
    tenant.register(RegisteredApp(CLIENT_ID, {CLIENT_SECRET}, roles=frozenset({role})))
    headers = {"Authorization": f"Bearer {ask_token(url).json()['access_token']}"}
    for path in ("/users", "/groups"):
        status = httpx.get(f"{url}/v1.0{path}", headers=headers).status_code
        assert status == (200 if allowed is None or path in allowed else 403)
