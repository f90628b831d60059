from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox.graph import CLIENT_ID, CLIENT_SECRET, TENANT, GraphSimulator
from sandbox.population import company

Walk = Callable[[str], list[Any]]


@pytest.fixture
def tenant() -> GraphSimulator:
    return GraphSimulator(company(people=250, groups=24))


@pytest.fixture
def url(tenant: GraphSimulator) -> Iterator[str]:
    with tenant.served() as base:
        yield base


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{url}/v1.0") as made:
        made.headers["Authorization"] = f"Bearer {ask_token(url).json()['access_token']}"
        yield made


@pytest.fixture
def walk(client: httpx.Client) -> Walk:
    """Follow nextLinks to the end, for at most a hundred pages, and return all rows."""

    def walked(path: str) -> list[Any]:
        rows: list[Any] = []
        target: str | None = path
        for _ in range(100):
            if target is None:
                return rows
            answer = client.get(target)
            assert answer.status_code == 200, answer.text
            rows += answer.json()["value"]
            target = answer.json().get("@odata.nextLink")
        raise AssertionError("a hundred pages and no end")

    return walked


def ask_token(url: str, tenant: str = TENANT, **changed: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "scope": f"{url}/.default",
    }
    return httpx.post(f"{url}/{tenant}/oauth2/v2.0/token", data={**form, **changed})
