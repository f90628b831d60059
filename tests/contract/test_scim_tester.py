"""scim2-tester's checks against the receiver: discovery, and every attribute that it says it has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server

import ledger
from service.scim import Limits, ScimSettings, application
from service.scim.application import Receiver
from tests.scim_service import BASE

CUSTOM: dict[str, Any] = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
    "id": "urn:example:params:scim:schemas:extension:badge:2.0:User",
    "name": "Badge",
    "description": "What is printed on a badge",
    "attributes": [
        {
            "name": "colour",
            "type": "string",
            "multiValued": False,
            "description": "The colour",
            "required": False,
            "caseExact": True,
            "mutability": "readWrite",
            "returned": "default",
            "uniqueness": "none",
        },
        {
            "name": "doors",
            "type": "integer",
            "multiValued": False,
            "description": "How many it opens",
            "required": False,
            "mutability": "readWrite",
            "returned": "default",
            "uniqueness": "none",
        },
    ],
}
"""A schema of further attributes, as somebody who runs usersync may declare it."""

GREEN = {Status.SUCCESS, Status.COMPLIANT, Status.SKIPPED}


def as_wsgi(receiver: Receiver, runner: asyncio.Runner) -> Callable[..., Iterable[bytes]]:
    """The client of the checks speaks to WSGI alone."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        names = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        names |= {"content-type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {}
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        scope = {
            "type": "http",
            "method": environ["REQUEST_METHOD"],
            "path": environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"],
            "query_string": environ.get("QUERY_STRING", "").encode(),
            "headers": [(name.encode(), str(value).encode()) for name, value in names.items()],
            "client": ("192.0.2.7", 40000),
        }
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            sent.append(message)

        runner.run(receiver(scope, receive, send))
        headers = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        start_response(f"{sent[0]['status']} -", headers)
        return [sent[1]["body"]]

    return serve


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WSGISCIMClient]:
    with ledger.open(ledger.default_url(tmp_path)) as book, asyncio.Runner() as runner:
        book.scim.connectors.add("entra", schemas=[CUSTOM])
        token = book.scim.connectors.add_token("entra").secret
        limits = Limits(requests_per_second=10_000, burst=10_000)
        receiver = application(book, ScimSettings(public_url=BASE, limits=limits))
        yield WSGISCIMClient(
            as_wsgi(receiver, runner),
            base_url=f"{BASE}/scim/entra/v2",
            headers={"Authorization": f"Bearer {token}"},
        )
        receiver.close()


def test_every_check_is_green(client: WSGISCIMClient):
    results = check_server(client)

    failed = [f"{result.title}: {result.reason}" for result in results if result.status not in GREEN]
    assert not failed, "\n".join(failed)
    assert len([result for result in results if result.status == Status.SUCCESS]) > 120
