"""The office of the service, whose sync has hooks at login."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ledger.audit import AuditEntry
from service.app import make_app
from tests.unit.service.conftest import Office, living
from tests.unit.service.hooks.payloads import APP, TENANT, Issuer, as_json, issuer

SECRET = "Basic T2t0YTpHcmVlbi1QYXN0dXJlLTk0MTI="
PATIENCE = 60


@dataclass
class Called:
    """A client of a service that lives as it does under a server, and what it wrote down."""

    office: Office
    client: httpx.AsyncClient

    async def post(
        self, kind: str, payload: dict[str, Any] | bytes, /, sync: str = "staff", **headers: str
    ) -> httpx.Response:
        body = payload if isinstance(payload, bytes) else as_json(payload)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/hooks/{sync}/{kind}", content=body, headers=named)

    async def noted(self) -> AuditEntry:
        """The latest entry of the audit log, when all that it is about is done."""
        last = time.monotonic() + PATIENCE
        while time.monotonic() < last:
            found = self.office.ledger.audit.latest(limit=1)
            if found and found[0].status is not None:
                return found[0]
            await asyncio.sleep(0.02)
        raise AssertionError("the call was not dealt with")

    def accounts(self) -> set[str]:
        return set(self.office.bitbucket.state.snapshot()["users"]) - {"admin"}


@pytest.fixture(scope="session")
def keys() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture
def hooked(office: Office, keys: Issuer, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("OKTA_HOOK", SECRET)
    monkeypatch.setenv("KEYCLOAK_HOOK", "A3jt6D8lz")
    office.write_sync_file(hooks(keys))
    return office


def hooks(keys: Issuer, *, wait: float = 2.5) -> str:
    return (
        f"at_login:\n  wait_seconds: {wait}\n  okta: {{secret: 'env:OKTA_HOOK'}}\n"
        "  keycloak: {secret: 'env:KEYCLOAK_HOOK'}\n"
        f"  entra: {{tenant_id: {TENANT}, audience: {APP}, keys_url: '{keys.url}'}}\n"
    )


@asynccontextmanager
async def calling(office: Office) -> AsyncIterator[Called]:
    async with living(make_app(office.settings), headers={}) as client:
        yield Called(office, client)


@pytest.fixture
async def called(hooked: Office) -> AsyncIterator[Called]:
    async with calling(hooked) as made:
        yield made
