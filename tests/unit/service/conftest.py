"""A service over a small office: a file of six people, a simulated Bitbucket, and the application asked in memory."""

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
from starlette.types import ASGIApp, Message

import ledger as ledgers
from flows.orders import Order, carried_out
from ledger import Ledger
from ledger.tokens import Scope
from sandbox.bitbucket import BitbucketSimulator
from sandbox.serving import served
from service.app import make_app
from service.settings import ServiceSettings
from tasks.ending import Ending
from tasks.observer import Unobserved

PASSWORD = "Correct-Horse-2917"
CLIENT = "192.0.2.7"
STAFF = """\
external_id,username,email,display_name,active,groups
1,ann,ann@example.com,Ann Ash,true,bb-dev;bb-ops
2,ben,ben@example.com,Ben Beech,true,bb-dev
3,cleo,cleo@example.com,Cleo Cedar,true,bb-dev
4,dan,dan@example.com,Dan Doum,true,bb-ops
5,eve,eve@example.com,Eve Elm,false,bb-ops
6,fay,fay@example.com,Fay Fir,true,
"""
COMMAND = (sys.executable, "-c", "from cli.main import run; run()")


@dataclass
class Office:
    folder: Path
    bitbucket: BitbucketSimulator
    url: str
    settings: ServiceSettings
    ledger: Ledger

    def write_sync_file(self, text: str = "", *, name: str = "staff") -> Path:
        path = self.folder / "syncs" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"source:\n  kind: file\n  people: {self.folder / 'people.csv'}\n"
            f"target:\n  kind: bitbucket\n  url: {self.url}\n  username: admin\n  password: env:OFFICE_PASSWORD\n"
            f"report:\n  results: {self.folder / 'results'}\n{text}",
            encoding="utf-8",
        )
        return path

    def write_people(self, text: str = STAFF) -> None:
        (self.folder / "people.csv").write_text(text, encoding="utf-8")

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


@asynccontextmanager
async def alive(app: ASGIApp) -> AsyncIterator[None]:
    """The application between its start and its end, as a server keeps it."""
    told: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()

    async def life() -> None:
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, told.get, said.put)

    living = asyncio.create_task(life())
    told.put_nowait({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    yield
    told.put_nowait({"type": "lifespan.shutdown"})
    assert (await said.get())["type"] == "lifespan.shutdown.complete"
    await living


Asked = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.chdir(tmp_path)
    for name in ("USERSYNC_LEDGER", "USERSYNC_HOME", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OFFICE_PASSWORD", PASSWORD)
    simulator = BitbucketSimulator(admin=("admin", PASSWORD))
    url = ledgers.default_url(tmp_path)
    settings = ServiceSettings(ledger_url=url, syncs=tmp_path / "syncs", command=COMMAND)
    with served(simulator.app) as bitbucket, ledgers.open(url) as book:
        made = Office(tmp_path, simulator, bitbucket, settings, book)
        made.write_people()
        made.write_sync_file()
        yield made


@pytest.fixture
def asked(office: Office) -> Asked:
    """A client of the application: with a token of those scopes, from that address, with other settings."""

    @asynccontextmanager
    async def opened(
        *scopes: Scope, token: str | None = None, peer: str = CLIENT, **changed: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = make_app(replace(office.settings, **changed))
        shown = token if token is not None else office.token(*scopes)
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        transport = httpx.ASGITransport(app, client=(peer, 4711), raise_app_exceptions=False)
        # A host that must never come back.
        client = httpx.AsyncClient(transport=transport, base_url="http://evil.example", headers=headers)
        async with alive(app), client:
            yield client

    return opened
