"""A receiver of SCIM for tests: a ledger, a connector with a token, and a client that asks without a socket."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

import ledger
from ledger.scim.connectors import Connector
from service.scim import Limits, ScimSettings, application
from service.scim.application import Receiver

__all__ = ["BASE", "Played", "Served", "play", "serve"]

BASE = "https://push.example"


@dataclass
class Served:
    """A receiver that is served, and a client of its one connector."""

    receiver: Receiver
    book: ledger.Ledger
    connector: Connector
    token: str
    client: httpx.AsyncClient


@asynccontextmanager
async def serve(url: str, *, limits: Limits | None = None, **connector: Any) -> AsyncIterator[Served]:
    with ledger.open(url) as book:
        made = book.scim.connectors.add("entra", **connector)
        token = book.scim.connectors.add_token("entra").secret
        settings = ScimSettings(public_url=BASE, limits=limits or Limits(), token_memory=0)
        receiver = application(book, settings)
        transport = httpx.ASGITransport(app=receiver, client=("192.0.2.7", 40000))
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        base = f"{BASE}/scim/entra/v2"
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
            try:
                yield Served(receiver, book, made, token, client)
            finally:
                receiver.close()


@dataclass(frozen=True)
class Played:
    """How far a recorded sequence of requests came."""

    steps: int
    failures: tuple[str, ...]


async def play(client: httpx.AsyncClient, sequence: Mapping[str, Any]) -> Played:
    """Send the requests of a suite in order, and compare status and body with what the suite says of each."""
    known = {f"guid{number}": str(uuid.uuid4()) for number in range(1, 10)} | {"run": uuid.uuid4().hex[:8]}
    failures: list[str] = []
    for number, step in enumerate(sequence["steps"], 1):
        asked = _filled(step, known)
        answer = await client.request(
            asked["method"],
            asked["path"],
            params=asked.get("query"),
            json=asked.get("body"),
            headers={"Content-Type": str(sequence["content_type"])},
        )
        body = answer.json() if answer.content else {}
        wrong = [] if answer.status_code in asked["status"] else [f"status {answer.status_code}"]
        wrong += [f"{check}: {_at(body, check[0])!r}" for check in asked.get("check", []) if not _holds(body, *check)]
        if wrong:
            failures.append(f"step {number} {asked['name']}: {'; '.join(wrong)}; {answer.text[:300]}")
        known |= {name: str(_at(body, path)) for name, path in asked.get("save", {}).items()}
    return Played(len(sequence["steps"]), tuple(failures))


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda found: known[found.group(1)], value)
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, known) for key, each in value.items()}
    return value


_NOTHING = object()


def _at(body: Any, path: str) -> Any:
    """`a.0.b`; what stands before `|` is one name, such as the URN of an extension."""
    extension, bar, rest = path.rpartition("|")
    for part in [*([extension] if bar else []), *rest.split(".")]:
        if isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        elif isinstance(body, dict) and part in body:
            body = body[part]
        else:
            return _NOTHING
    return body


def _holds(body: Any, path: str, operator: str, wanted: Any) -> bool:  # noqa: PLR0911 -- one line an operator
    found = _at(body, path)
    match operator:
        case "eq":
            return bool(found == wanted)
        case "ne":
            return found is not _NOTHING and found != wanted
        case "exists":
            return found is not _NOTHING and found is not None
        case "absent":
            return found is _NOTHING or found is None
        case "len":
            return isinstance(found, list) and len(found) == wanted
        case "contains":
            return found is not _NOTHING and wanted in found
        case "true" | "false":
            return found is (operator == "true")
    raise ValueError(operator)
