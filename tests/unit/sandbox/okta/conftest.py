from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox.okta import SSWS_TOKEN, OktaSimulator
from sandbox.population import company

Walk = Callable[[str], list[Any]]


@pytest.fixture
def org() -> OktaSimulator:
    return OktaSimulator(company(people=450, groups=40))


@pytest.fixture
def url(org: OktaSimulator) -> Iterator[str]:
    with org.served() as base:
        yield base


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Authorization": f"SSWS {SSWS_TOKEN}"}) as made:
        yield made


@pytest.fixture
def walk(client: httpx.Client) -> Walk:
    """Follow `next` to the end, for at most fifty pages, and return all rows."""

    def walked(path: str) -> list[Any]:
        rows: list[Any] = []
        target: str | None = path
        for _ in range(50):
            if target is None:
                return rows
            answer = client.get(target)
            assert answer.status_code == 200, answer.text
            rows += answer.json()
            target = next_of(answer)
        raise AssertionError("fifty pages and no end")

    return walked


def next_of(answer: httpx.Response) -> str | None:
    link: dict[str, str] = answer.links.get("next", {})
    return link.get("url")
