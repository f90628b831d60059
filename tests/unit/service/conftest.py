"""A service over the small office: the application asked in memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

import ledger as ledgers
from flows.orders import Order, carried_out
from ledger import Ledger
from ledger.tokens import Scope
from service.app import make_app
from service.settings import ServiceSettings
from tasks.ending import Ending
from tasks.observer import Unobserved
from tests.small_office import STAFF, SmallOffice, small_office

CLIENT = "192.0.2.7"
COMMAND = (sys.executable, "-c", "from cli.main import run; run()")


@dataclass
class Office(SmallOffice):
    settings: ServiceSettings
    ledger: Ledger

    def run(self, mode: str = "sync") -> Ending:
        """As the command line would, before anybody asks the service."""
        order = Order(mode, str(self.folder / "syncs" / "staff.yaml"), self.settings.ledger_url)  # type: ignore[arg-type]
        return asyncio.run(carried_out(order, Unobserved()))

    def held(self) -> str:
        """A plan that the guard holds; returns its id."""
        assert self.run().status == "succeeded"
        self.write_people(
            "".join(STAFF.splitlines(keepends=True)[:3]) + "9,zoe,zoe@example.com,Zoe Zelkova,true,bb-dev\n"
        )
        ending = self.run()
        assert (ending.status, ending.plan is not None) == ("held", True)
        assert ending.plan is not None
        return ending.plan.id

    def token(self, *scopes: Scope, name: str = "portal") -> str:
        return self.ledger.tokens.add(name, scopes or ("read", "run", "approve"))[1]


on_both_databases = pytest.mark.usefixtures("ledger_url")
"""For tests of what asks the ledger in words that a database may understand in another way."""

Asked = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def office(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Over SQLite, unless the test is to be held on both databases."""
    named = "ledger_url" in request.fixturenames
    url = request.getfixturevalue("ledger_url") if named else ledgers.default_url(tmp_path)
    settings = ServiceSettings(ledger_url=url, syncs=tmp_path / "syncs", command=COMMAND)
    with small_office(tmp_path, monkeypatch) as plain, ledgers.open(url) as book:
        yield Office(plain.folder, plain.bitbucket, plain.url, settings, book)


@asynccontextmanager
async def living(app: ASGIApp, *, peer: str = CLIENT, headers: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that begins and ends as it does under a server."""
    ends: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    begun = asyncio.Event()
    ends.put_nowait({"type": "lifespan.startup"})

    async def said(message: Any) -> None:
        if message["type"] == "lifespan.startup.complete":
            begun.set()

    async def live() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, ends.get, said)

    life = asyncio.create_task(live())
    await begun.wait()
    transport = httpx.ASGITransport(app, client=(peer, 4711), raise_app_exceptions=False)
    try:
        # A host that must never come back.
        async with httpx.AsyncClient(transport=transport, base_url="http://evil.example", headers=headers) as client:
            yield client
    finally:
        ends.put_nowait({"type": "lifespan.shutdown"})
        await life


@pytest.fixture
def asked(office: Office) -> Asked:
    """A client of the application: with a token of those scopes, from that address, with other settings."""

    @asynccontextmanager
    async def client(
        *scopes: Scope, token: str | None = None, peer: str = CLIENT, **changed: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = make_app(replace(office.settings, **changed))
        shown = token if token is not None else office.token(*scopes)
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        async with living(app, peer=peer, headers=headers) as opened:
            yield opened

    return client
