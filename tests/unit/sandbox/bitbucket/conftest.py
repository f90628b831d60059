"""One server for all tests of the folder; each test puts a Bitbucket of its own behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.bitbucket import BitbucketSimulator, Clock, Switches
from sandbox.serving import served

TOKEN_HEADER = {"X-Atlassian-Token": "no-check"}


class Stage:
    """Hands every request on to the Bitbucket of the test that runs."""

    base_url = ""
    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Bitbucket:
    """A simulator, a standing clock, and a client that is its administrator."""

    def __init__(self, base_url: str, switches: Switches) -> None:
        self.base_url = base_url
        self.clock = Clock(standing_at=1_700_000_000.0)
        self.simulator = BitbucketSimulator(switches, clock=self.clock)
        self.state = self.simulator.state
        self.effects = self.simulator.effects
        self.faults = self.simulator.faults
        self._clients: list[httpx.Client] = []
        self.http = self.client()

    def client(
        self, name: str | None = "admin", password: str = "admin", *, token: str | None = None, **headers: str
    ) -> httpx.Client:
        """A client with Basic credentials, with a token, or (name None) anonymous."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        client = httpx.Client(
            base_url=f"{self.base_url}/rest/api/latest",
            auth=(name, password) if name and token is None else None,
            headers={**TOKEN_HEADER, **headers},
            verify=False,  # plain HTTP; reading certificates is most of what a client costs
        )
        self._clients.append(client)
        return client

    def account(self, name: str, permission: Any = "LICENSED_USER") -> httpx.Client:
        """Add an account with a direct grant; a client that is it."""
        self.state.add_user(name, password="secret")
        self.state.grant_user(name, permission)
        return self.client(name, "secret")

    def pages(self, path: str, **params: Any) -> list[Any]:
        """All values, following nextPageStart."""
        values: list[Any] = []
        start: int | None = 0
        while start is not None:
            body = self.http.get(path, params={**params, "start": start}).json()
            values += body["values"]
            start = body.get("nextPageStart")
        return values

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    stage = Stage()
    with served(stage) as base_url:
        stage.base_url = base_url
        yield stage


@pytest.fixture
def launch(stage: Stage) -> Iterator[Callable[..., Bitbucket]]:
    """Put a Bitbucket with these switches behind the server."""
    launched: list[Bitbucket] = []

    def launch(**switches: Any) -> Bitbucket:
        bitbucket = Bitbucket(stage.base_url, Switches(**switches))
        stage.app = bitbucket.simulator.app
        launched.append(bitbucket)
        return bitbucket

    yield launch
    for bitbucket in launched:
        bitbucket.close()


@pytest.fixture
def bitbucket(launch: Callable[..., Bitbucket]) -> Bitbucket:
    """A Bitbucket with every switch at its default."""
    return launch()


def error_of(response: httpx.Response) -> dict[str, Any]:
    (error,) = response.json()["errors"]
    return dict(error)
