"""The hooks under /hooks/SYNC/KIND: who asks is found out by the vendor's own means, and the login goes on.

Whatever goes wrong with us, a sync file with mistakes, a ledger or a source that does not answer, a defect, is answered
as if nothing was to be changed, in time, and said in the log and in the audit log. Only whoever is not who they should
be is refused. A call is written down before anything is done about it; where it cannot be, nothing is done.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from directory.errors import UnknownRecord, UsersyncError
from ledger.opening import Ledger
from service.access.addresses import neighbourhood
from service.access.limits import Limits
from service.access.rate import Buckets, Rate
from service.access.refusals import Refusal, refused
from service.access.visit import visit_of
from service.hooks.contract import Call, Event, Hook, NotAuthentic, Unreadable
from service.hooks.registry import KINDS, hook_of
from service.hooks.seen import Seen
from service.hooks.trust import Trust
from service.person_syncs import PersonSyncs
from service.syncs import KnownSync, Syncs
from tasks.ending import Ending

__all__ = ["HOOKS", "Hooks"]

HOOKS = "/hooks/"
_PLACE = re.compile(r"/hooks/([a-z0-9][a-z0-9-]*)/([a-z-]+)\Z")
_MOST_BODY = 262_144
"""A SAML assertion with the groups of somebody who is in a thousand."""
_MOST_URL = 500
_BODY_SECONDS = 5.0
_MOST_PEOPLE = 50
"""Of one call. Okta puts events that happen at about the same time into one."""
_NOTHING = "nothing was done"
_log = logging.getLogger("usersync.hooks")


class _Place(NamedTuple):
    path: str
    kind: str
    client: str


class _Found(NamedTuple):
    unchanged: bytes
    known: KnownSync | None = None
    hook: Hook | None = None


class Hooks:
    def __init__(self, ledger: Ledger, syncs: Syncs, person_syncs: PersonSyncs, *, uses: Rate, failures: Rate) -> None:
        self._ledger = ledger
        self._syncs = syncs
        self._person_syncs = person_syncs
        self._uses = Buckets(uses)
        self._failures = Buckets(failures)
        self._trust = Trust()
        self._seen = Seen()
        self._at_work: set[asyncio.Task[None]] = set()
        self._limited: ASGIApp = Limits(self._within, most_url=_MOST_URL, most_body=_MOST_BODY, seconds=_BODY_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._limited(scope, receive, send)

    async def close(self) -> None:
        """Wait for what has begun; the syncs of people are to be closed before. Nothing may be asked afterwards."""
        if self._at_work:
            await asyncio.wait(self._at_work)

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except ClientDisconnect:
            return
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        client = neighbourhood(visit_of(scope).client)
        wait = self._failures.wait_seconds(client)
        if wait:
            said = Refusal(what="too many requests that were refused", not_done=_NOTHING)
            return refused(scope, HTTPStatus.TOO_MANY_REQUESTS, said, {"Retry-After": str(int(wait) + 1)})
        found = await self._found(scope["path"])
        if found is None:
            # Counted, so that nobody finds out the names of syncs.
            self._failures.take(client)
            return refused(scope, HTTPStatus.NOT_FOUND, Refusal(what="there is nothing here", not_done=_NOTHING))
        if found.hook is None or found.known is None:
            return _json(found.unchanged)
        answer = await self._asked(scope, receive, found.known, found.hook)
        if answer is not None:
            return answer
        self._failures.take(client)
        said = Refusal(what="it cannot be told that this comes from the identity provider", not_done=_NOTHING)
        return refused(scope, HTTPStatus.UNAUTHORIZED, said, {"WWW-Authenticate": found.hook.scheme})

    async def _found(self, path: str) -> _Found | None:
        """None where there is nothing; without a hook where that cannot be found out, which is our fault."""
        place = _PLACE.match(path)
        if place is None or place[2] not in KINDS:
            return None
        unchanged = KINDS[place[2]].unchanged
        try:
            known = await run_sync(self._syncs.get, place[1])
        except UnknownRecord:
            return None
        except UsersyncError as error:
            _log.warning("hook %s: %s; the login goes on", path, error)
            return _Found(unchanged)
        if known.understood is None:
            _log.warning("hook %s: the sync file has mistakes: %s; the login goes on", path, known.trouble)
            return _Found(unchanged)
        hook = hook_of(place[2], known.understood, self._trust)
        return None if hook is None else _Found(unchanged, known, hook)

    async def _asked(self, scope: Scope, receive: Receive, known: KnownSync, hook: Hook) -> ASGIApp | None:
        """None for who is not the vendor."""
        headers = Headers(scope=scope)
        if scope["method"] == "GET" and (verified := hook.verification(headers)) is not None:
            return _json(verified)
        if scope["method"] != "POST":
            said = Refusal(what="this cannot be done here", not_done=_NOTHING)
            return refused(scope, HTTPStatus.METHOD_NOT_ALLOWED, said, {"Allow": "POST"})
        call = Call(headers, await Request(scope, receive).body())
        place = _Place(scope["path"], scope["path"].rpartition("/")[2], str(visit_of(scope).client))
        return _json(hook.unchanged) if await self._admitted(place, known, hook, call) else None

    async def _admitted(self, place: _Place, known: KnownSync, hook: Hook, call: Call) -> bool:
        """False where it is known in time that the vendor did not send it. The work goes on after the answer."""
        admitted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        work = asyncio.create_task(self._dealt_with(place, known, hook, call, admitted))
        self._at_work.add(work)
        work.add_done_callback(self._at_work.discard)
        section = known.understood and known.understood.at_login
        done, _ = await asyncio.wait([admitted], timeout=section.wait_seconds if section else 0)
        if not done:
            admitted.set_result(True)
        return admitted.result()

    async def _dealt_with(
        self, place: _Place, known: KnownSync, hook: Hook, call: Call, admitted: asyncio.Future[bool]
    ) -> None:
        details: dict[str, Any] = {}
        entry = None
        try:
            audit = self._ledger.audit
            entry = await run_sync(
                lambda: audit.begin(
                    token_id=None, who=f"hook {place.kind}", client=place.client, what=f"POST {place.path}"
                )
            )
            events = await hook.read(call)
            await self._work_for(place, known, hook, events, details, admitted)
        except NotAuthentic as reason:
            details["refused"] = str(reason)
            _settle(admitted, value=False)
        except Unreadable as reason:
            details["trouble"] = str(reason)
        except UsersyncError as error:
            details["trouble"] = error.what
        except Exception as defect:  # noqa: BLE001 -- a defect of ours is no reason for nobody to log in
            details["trouble"] = f"a defect of usersync, {type(defect).__name__}"
            _log.exception("hook %s", place.path)
        _settle(admitted, value=True)
        if "trouble" in details:
            _log.warning("hook %s: %s; the login goes on", place.path, details["trouble"])
        if entry is not None:
            status = HTTPStatus.OK if admitted.result() else HTTPStatus.UNAUTHORIZED
            await self._noted(place, entry, int(status), details)

    async def _work_for(
        self,
        place: _Place,
        known: KnownSync,
        hook: Hook,
        events: list[Event],
        details: dict[str, Any],
        admitted: asyncio.Future[bool],
    ) -> None:
        fresh = [one for one in events if self._seen.first(f"{place.path} {one.id}", hook.remembered_seconds)]
        if len(fresh) < len(events):
            details["replayed"] = len(events) - len(fresh)
        people = list(dict.fromkeys(name for one in fresh for name in one.people))
        details["people"] = people[:_MOST_PEOPLE]
        if people and self._uses.take(place.path):
            details["trouble"] = "too many calls; nobody is brought up to date before the next sync"
            return
        runs = {name: self._person_syncs.start(str(known.path), name) for name in people[:_MOST_PEOPLE]}
        left = [name for name in people if runs.get(name) is None]
        if left:
            details["trouble"] = f"too many people at once; {len(left)} are not brought up to date before the next sync"
        begun = {name: run for name, run in runs.items() if run is not None}
        if not hook.waits:
            _settle(admitted, value=True)
        if begun:
            await asyncio.wait(begun.values())
        details["late"] = hook.waits and admitted.done()
        details["runs"] = {name: self._ended(place, name, run) for name, run in begun.items()}

    def _ended(self, place: _Place, person: str, run: asyncio.Future[Ending]) -> Mapping[str, str | None]:
        """What became of one person, for the audit log."""
        if run.cancelled():
            return {"status": "not begun"}
        error = run.exception()
        if error is not None:
            told = error.what if isinstance(error, UsersyncError) else f"a defect of usersync, {type(error).__name__}"
            _log.warning("hook %s: %s was not brought up to date: %s", place.path, person, told)
            return {"status": "refused", "trouble": told}
        ending = run.result()
        if ending.exit_code and not ending.unknown:
            _log.warning("hook %s: run %s ended %s: %s", place.path, ending.run_id, ending.status, ending.message)
        return {"run": ending.run_id, "status": "unknown person" if ending.unknown else ending.status}

    async def _noted(self, place: _Place, entry: str, status: int, details: Mapping[str, Any]) -> None:
        try:
            await run_sync(lambda: self._ledger.audit.end(entry, status=status, details=details))
        except UsersyncError as error:
            _log.warning("hook %s: the audit log could not be completed: %s", place.path, error)


def _json(body: bytes) -> Response:
    return Response(body, HTTPStatus.OK, media_type="application/json" if body else None)


def _settle(admitted: asyncio.Future[bool], *, value: bool) -> None:
    if not admitted.done():
        admitted.set_result(value)
