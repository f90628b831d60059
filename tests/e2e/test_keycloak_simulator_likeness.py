"""The simulated Keycloak is held to the real one: the same questions, answers of the same shape."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.keycloak import REALM, ConfidentialClient, KeycloakSimulator, Switches
from sandbox.population import company
from tests.e2e.keycloak_realm import CLIENT_ID, CLIENT_SECRET, READING_ROLES
from tests.e2e.keycloak_server import KeycloakServer

pytestmark = [pytest.mark.keycloak, pytest.mark.xdist_group("keycloak")]


class Asker:
    """A client of one of the two, with the roles of a service account that reads."""

    def __init__(self, url: str, client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET) -> None:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        with httpx.Client(timeout=60) as asking:
            self.granted = asking.post(f"{url}/realms/{REALM}/protocol/openid-connect/token", data=form)
        self.token = self.granted.json().get("access_token", "none")
        self._headers = {"Authorization": f"Bearer {self.token}"}
        self._base = f"{url}/admin/realms/{REALM}"

    def __call__(self, path: str, *, token: bool = True) -> httpx.Response:
        return httpx.get(f"{self._base}/{path}".rstrip("/"), headers=self._headers if token else {}, timeout=60)


@pytest.fixture(scope="module")
def real(keycloak_server: KeycloakServer) -> str:
    return keycloak_server.url


@pytest.fixture(scope="module")
def simulated() -> Iterator[str]:
    firm = company(people=60, groups=40)
    roles = {
        CLIENT_ID: READING_ROLES,
        "view-only": ("view-users",),
        "query-only": ("query-users", "query-groups"),
        "no-role": (),
        "manager": (*READING_ROLES, "manage-users"),
    }
    clients = {
        name: ConfidentialClient(name, CLIENT_SECRET, frozenset(assigned), groups=frozenset(firm.groups))
        for name, assigned in roles.items()
    }
    with KeycloakSimulator(firm, Switches(clients=clients)).served() as url:
        yield url


def shape(value: object) -> object:
    """Types instead of values; of a list of objects the first; what custom attributes are called does not matter."""
    if isinstance(value, list):
        return [shape(value[0])] if value and isinstance(value[0], dict) else "list"
    if isinstance(value, dict):
        return {name: "attributes" if name == "attributes" else shape(each) for name, each in value.items()}
    return type(value).__name__


def filled(path: str, url: str) -> str:
    """The path with a group that has groups below it, and somebody who is no service account."""
    ask = Asker(url)
    if "{parent}" in path:
        parent = next(group["id"] for group in ask("groups?max=100").json() if group["subGroupCount"])
        return path.format(parent=parent)
    return path.format(person=ask("users?max=1").json()[0]["id"]) if "{person}" in path else path


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Keycloak leaves out what is empty."""
    optional = {"lastName", "email", "firstName", "description"}
    return {name: value for name, value in row.items() if name not in optional}


def is_service_account(row: dict[str, Any]) -> bool:
    return str(row["username"]).startswith("service-account-")


def all_members(ask: Asker, brief: str) -> list[dict[str, Any]]:
    groups = [group["id"] for group in ask("groups?max=100").json()]
    return [row for group in groups for row in ask(f"groups/{group}/members?max=-1&briefRepresentation={brief}").json()]


@pytest.mark.parametrize(
    "path",
    [
        "users/count",
        "groups/count",
        "groups?briefRepresentation=true&first=0&max=1",
        "groups?briefRepresentation=false&first=0&max=1",
        "groups/{parent}/children?briefRepresentation=true&first=0&max=1",
        "groups/{parent}/children?max=1",
        "users?first=0&max=1",
        "users?briefRepresentation=true&first=1&max=1",
        "users/{person}",
        "groups/{parent}",
    ],
)
def test_answers_have_the_same_keys_and_types(real: str, simulated: str, path: str):
    shapes = []
    for url in (real, simulated):
        answer = Asker(url)(filled(path, url))
        assert answer.status_code == 200
        body = answer.json()
        rows = body if isinstance(body, list) else [body]
        shapes.append(shape([comparable(row) if isinstance(row, dict) else row for row in rows]))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("client_id", [CLIENT_ID, "manager"])
@pytest.mark.parametrize(
    "path",
    [
        "users?max=1",
        "users/{person}",
        "groups?max=1",
        "groups/{parent}",
        "groups/{parent}/members?max=1&briefRepresentation=true",
        "groups/{parent}/members?max=1",
    ],
)
def test_what_one_may_do_is_told_alike(real: str, simulated: str, path: str, client_id: str):
    told = []
    for url in (real, simulated):
        body = Asker(url, client_id)(filled(path, url)).json()
        told.append([row.get("access") for row in (body if isinstance(body, list) else [body])])
    assert told[0]
    assert told[0] == told[1]


@pytest.mark.parametrize("client_id", [CLIENT_ID, "view-only", "query-only", "manager"])
def test_a_token_tells_the_same_of_its_holder(real: str, simulated: str, client_id: str):
    told = []
    for url in (real, simulated):
        payload = Asker(url, client_id).token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        roles = sorted(claims["resource_access"]["realm-management"]["roles"])
        whose = {name: claims[name] for name in ("typ", "azp", "preferred_username")}
        told.append([roles, whose, claims["exp"] - claims["iat"], claims["iss"].removeprefix(url)])
    assert told[0] == told[1]


@pytest.mark.parametrize("brief", ["true", "false"])
def test_groups_are_described_alike(real: str, simulated: str, brief: str):
    (of_real,), (of_simulated,) = (
        Asker(url)(f"groups?first=0&max=1&briefRepresentation={brief}").json() for url in (real, simulated)
    )
    assert of_real.get("description")
    assert of_simulated.get("description")


@pytest.mark.parametrize("client_id", [CLIENT_ID, "query-only"])
def test_the_realm_shows_as_much_to_who_may_not_view_it(real: str, simulated: str, client_id: str):
    shown = [Asker(url, client_id)("").json() for url in (real, simulated)]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("brief", ["true", "false"])
def test_members_have_the_same_keys_and_types(real: str, simulated: str, brief: str):
    shapes = []
    for url in (real, simulated):
        members = all_members(Asker(url), brief)
        person = next(row for row in members if not is_service_account(row))
        account = next(row for row in members if is_service_account(row))
        shapes.append((shape(comparable(person)), shape(account)))
    assert shapes[0] == shapes[1]


def test_service_accounts_are_members_and_neither_listed_nor_counted(real: str, simulated: str):
    for url in (real, simulated):
        ask = Asker(url)
        everybody = ask("users?max=-1&briefRepresentation=true").json()
        assert not [row for row in everybody if is_service_account(row)]
        assert ask("users/count").json() == len(everybody)
        assert ask(f"users?search=service-account-{CLIENT_ID}").json() == []
        accounts = {row["id"] for row in all_members(ask, "true") if is_service_account(row)}
        assert len(accounts) >= 5
        assert {ask(f"users/{account}").status_code for account in accounts} == {200}


@pytest.mark.parametrize(
    ("path", "client_id", "status"),
    [
        ("users", "no-role", 403),
        ("users/count", "no-role", 403),
        ("groups", "no-role", 403),
        ("users", "query-only", 200),
        ("groups", "query-only", 200),
        ("groups/{parent}", "query-only", 403),
        ("groups/{parent}/children", "query-only", 403),
        ("groups/{parent}/members", "query-only", 403),
        ("users/{person}", "query-only", 403),
        ("groups/nowhere", CLIENT_ID, 404),
        ("groups/nowhere/members", CLIENT_ID, 404),
        ("groups/nowhere/children", CLIENT_ID, 404),
        ("users/nowhere", CLIENT_ID, 404),
        ("users?first=none", CLIENT_ID, 404),
        ("groups?max=none", CLIENT_ID, 404),
        ("admin-events", CLIENT_ID, 403),
        ("nothing", CLIENT_ID, 404),
    ],
)
def test_who_may_not_see_and_what_is_not_there_are_answered_alike(
    real: str, simulated: str, path: str, client_id: str, status: int
):
    bodies = []
    for url in (real, simulated):
        answer = Asker(url, client_id)(filled(path, url))
        assert answer.status_code == status
        bodies.append(answer.json())
    assert bodies[0] == bodies[1]


def test_who_may_only_ask_is_told_how_many_there_are(real: str, simulated: str):
    for url in (real, simulated):
        for path in ("users/count", "groups/count"):
            assert Asker(url, "query-only")(path).json() == Asker(url)(path).json()


def test_no_token_and_a_wrong_secret_are_refused_alike(real: str, simulated: str):
    answers = [
        [Asker(url)("users", token=False), Asker(url, CLIENT_ID, "wrong").granted, Asker(url, "nobody").granted]
        for url in (real, simulated)
    ]
    for of_real, of_simulated in zip(*answers, strict=True):
        assert (of_real.status_code, of_real.json()) == (of_simulated.status_code, of_simulated.json())


def test_a_page_size_below_zero_means_all_and_children_come_ten_at_a_time(real: str, simulated: str):
    for url in (real, simulated):
        ask = Asker(url)
        counts = {group["id"]: group["subGroupCount"] for group in ask("groups?max=100").json()}
        most = max(counts, key=lambda group: counts[group])
        assert len(ask(f"groups/{most}/children").json()) == min(10, counts[most])
        assert len(ask(f"groups/{most}/children?max=-1").json()) == counts[most]
