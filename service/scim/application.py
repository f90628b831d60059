"""The ASGI application: which connector a request is for, who sends it, and which thread it is answered in."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import parse_qsl

from scim2_models import SCIMException
from scim2_server.routing import match
from scim2_server.service import is_json_media_type

from directory.errors import UsersyncError
from ledger.opening import Ledger
from ledger.scim.connectors import Authentic, Connector
from service.access.bearer import bearer
from service.scim.answers import Answer, Refused, answer_of_failure
from service.scim.doors import Doors
from service.scim.limits import has_controls, parsed, read_body
from service.scim.mending import mended_body, mended_query
from service.scim.origins import Origins
from service.scim.places import Places
from service.scim.protocol import Desk, Protocol, Request
from service.scim.reads import is_brief, read
from service.scim.settings import ScimSettings
from service.scim.shape import shape_of
from service.scim.turns import Turns
from service.scim.writes import write

__all__ = ["Receiver", "application"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PLACE: Final = re.compile(r"/scim/([a-z0-9-]{1,63})/v2(/.*)?")
_READERS: Final = 4
_ALWAYS: Final = (
    (b"content-type", b"application/scim+json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_log = logging.getLogger("usersync.scim")


def application(ledger: Ledger, settings: ScimSettings) -> Receiver:
    """What answers SCIM under `/scim/<slug>/v2`. The ledger stays open while it is served.

    The address of the client is taken from the scope as it is: whoever serves this behind a proxy puts the right one
    there.
    """
    return Receiver(ledger, settings)


class Receiver:
    """An ASGI application."""

    def __init__(self, ledger: Ledger, settings: ScimSettings) -> None:
        self._store = ledger.scim
        self._audit = ledger.audit
        self._settings = settings
        self._origins = Origins(ledger.scim.connectors, memory=settings.token_memory)
        self._doors = Doors(ledger.scim, settings.limits, memory=settings.token_memory)
        self._turns = Turns(ledger.scim, most_waiting=settings.limits.waiting)
        limits = settings.limits
        self._places = Places(at_once=limits.at_once, most_queued=limits.queued)
        self._readers = ThreadPoolExecutor(_READERS, "scim reads")
        self._desks: dict[str, Desk] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await _send(await self._answered(scope, receive), send)

    def close(self) -> None:
        """Finish the writes that wait. Nothing may be asked afterwards."""
        self._turns.close()
        self._readers.shutdown()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self.close)
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "lifespan.startup.complete"})

    async def _answered(self, scope: Scope, receive: Receive) -> Answer:
        request_id = secrets.token_hex(8)
        try:
            answer = await self._answer(scope, receive, request_id)
        except (Refused, SCIMException) as refusal:
            answer = answer_of_failure(refusal)
        except Exception as failure:  # noqa: BLE001 -- a defect is noted, and costs one request
            told = str(failure) if isinstance(failure, UsersyncError) else type(failure).__name__
            _log.exception("request %s could not be carried out: %s", request_id, told)
            answer = answer_of_failure(failure)
        return Answer(answer.status, answer.body, {**answer.headers, "X-Request-Id": request_id})

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> Answer:
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        place = _PLACE.fullmatch(path.removeprefix(root) if root else path)
        if place is None or has_controls(path):
            raise Refused(404, "there is nothing here; a connector is at /scim/<name>/v2")
        slug = place.group(1)
        client = scope["client"][0] if scope.get("client") else None
        self._check_origin(slug, client, scope["method"])
        headers = _headers(scope)
        admitted = self._doors.admit(slug, bearer(headers.get("authorization")), client)
        desk = self._desk(admitted.connector)
        request = Request(
            method=scope["method"],
            path=place.group(2) or "/",
            query=mended_query(desk, _query(scope)),
            headers=headers,
            token=admitted.token,
            client=client,
            id=request_id,
        )
        self._note_use(admitted)
        _refuse_what_is_nowhere(desk, request)
        # Before the body is read: what is read waits in memory.
        async with self._places.one(admitted.connector.id):
            return await self._dealt_with(desk, request, receive)

    async def _dealt_with(self, desk: Desk, request: Request, receive: Receive) -> Answer:
        if request.method in {"POST", "PUT", "PATCH"}:
            await self._take_body(desk, request, receive)
        if request.method == "GET" or request.segments[-1:] == (".search",):
            return await self._read(desk, request)
        return await self._turns.write(lambda transaction: write(desk, transaction, request))

    def _check_origin(self, slug: str, client: str | None, method: str) -> None:
        try:
            self._origins.check(slug, client)
        except Refused:
            if self._origins.refusal_is_news(slug, client):
                asyncio.get_running_loop().run_in_executor(self._readers, self._note_refusal, slug, client, method)
            raise

    def _note_refusal(self, slug: str, client: str | None, method: str) -> None:
        details = {"refused": "the address lies in none of the connector's networks"}
        try:
            self._audit.note(client=client or "", what=f"{method} /scim/{slug}/v2", status=403, details=details)
        except UsersyncError as failure:
            _log.warning("connector %s refused a request, and the audit log does not say so: %s", slug, failure)

    async def _take_body(self, desk: Desk, request: Request, receive: Receive) -> None:
        content_type = request.headers.get("content-type")
        if content_type and not is_json_media_type(content_type):
            raise Refused(415, "bodies are application/scim+json or application/json")
        limits = desk.limits
        most = limits.user_bytes if request.kind == "User" else limits.group_bytes
        announced = request.headers.get("content-length")
        try:
            request.body = await asyncio.wait_for(read_body(receive, most, announced), limits.body_seconds)
        except TimeoutError:
            # Whoever went away without a word would keep the place of others.
            said = f"the body did not come within {limits.body_seconds:g} seconds"
            raise Refused(408, said, headers={"Connection": "close"}) from None
        content = parsed(request.body, limits)
        request.content, request.mended = mended_body(desk, request.method, request.segments, content)

    async def _read(self, desk: Desk, request: Request) -> Answer:
        if self._store.one_writer and is_brief(request):
            return self._carry_out(desk, request)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._carry_out, desk, request)

    def _carry_out(self, desk: Desk, request: Request) -> Answer:
        with self._store.read() as transaction:
            return read(desk, transaction, request)

    def _note_use(self, admitted: Authentic) -> None:
        if self._doors.use_is_news(admitted.token):
            asyncio.get_running_loop().run_in_executor(self._readers, self._store.connectors.note_use, admitted.token)

    def _desk(self, connector: Connector) -> Desk:
        known = self._desks.get(connector.id)
        if known is None or known.connector != connector:
            shape = shape_of(connector, self._settings.limits)
            begin = (connector.base_url or self._settings.public_url).rstrip("/")
            known = self._desks[connector.id] = Desk(
                connector=connector,
                shape=shape,
                protocol=Protocol(shape.provider, secret=shape.secret),
                base_url=f"{begin}/scim/{connector.slug}/v2",
                limits=self._settings.limits,
            )
        return known


def _refuse_what_is_nowhere(desk: Desk, request: Request) -> None:
    """Before a body is read: an address without a meaning, or a method that it does not have."""
    target = match(request.method, request.path)
    if target.endpoint is not None:
        desk.protocol.resource_type_at(target.endpoint)


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in found and name == "authorization":
            raise Refused(400, "the Authorization header came twice")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _query(scope: Scope) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict"
        )
    except ValueError:
        raise Refused(400, "the query of the address cannot be read", scim_type="invalidValue") from None
    return dict(pairs)


async def _send(answer: Answer, send: Send) -> None:
    headers = [*_ALWAYS, *((name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items())]
    if answer.status not in {204, 304}:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
