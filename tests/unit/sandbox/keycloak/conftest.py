from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.keycloak import CLIENT_ID, CLIENT_SECRET, REALM, KeycloakSimulator
from sandbox.population import company

TOKEN_PATH = f"/realms/{REALM}/protocol/openid-connect/token"
ADMIN = f"/admin/realms/{REALM}"


@pytest.fixture
def realm() -> KeycloakSimulator:
    return KeycloakSimulator(company(people=250, groups=300))


@pytest.fixture
def url(realm: KeycloakSimulator) -> Iterator[str]:
    with realm.served() as base:
        yield base


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url + ADMIN, headers={"Authorization": f"Bearer {token(url)}"}) as made:
        yield made


def token(url: str, client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET) -> str:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    answer = httpx.post(url + TOKEN_PATH, data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def walk(client: httpx.Client, path: str, size: int) -> list[Any]:
    """Pages of offsets until one is shorter than asked for."""
    rows: list[Any] = []
    while True:
        page = client.get(path, params={"first": len(rows), "max": size}).json()
        rows += page
        if len(page) < size:
            return rows
