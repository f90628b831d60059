"""A staff service on loopback that pages in whichever way it is told to, with the faults of `sandbox.faults`."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.company import Company, Standing
from sandbox.faults import Fault, FaultKind, Faults, in_another_order
from sandbox.serving import served
from sandbox.traffic import FAULTS_KEY, Traffic

__all__ = ["PagedService", "Way"]

Way = Literal["none", "next_link", "link_header", "cursor", "page", "offset"]
Rows = Callable[[Request], list[Any] | None]

OUT = {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}
SECRET = "MARKED-client-secret-41c"


class PagedService:
    """`authorization` is the one header that is accepted, None for whatever comes; `page_size` is the most it gives."""

    def __init__(self, company: Company, way: Way, *, page_size: int, authorization: str | None = None) -> None:
        self.company = company
        self.authorization = authorization
        self.faults = Faults()
        self.knots: list[tuple[str, str]] = []
        self.refused = False
        self.token = 0
        self._way: Way = way
        self._page_size = page_size
        routes = [
            Route("/hr/people", self._listed(lambda _request: self._people())),
            Route("/hr/groups", self._listed(lambda _request: self._groups())),
            Route("/hr/groups/{id}/members", self._listed(self._members)),
            Route("/hr/memberships", self._listed(lambda _request: self._memberships())),
            Route("/token", self._give_token, methods=["POST"]),
        ]
        self.app = Traffic(Starlette(routes=routes), self.faults, _fail)

    @contextmanager
    def served(self) -> Iterator[str]:
        with served(self.app) as url:
            yield url

    def refuse(self) -> None:
        self.refused = True

    def expire(self) -> None:
        """The token that was given last is no good any more."""
        self.token += 1

    def tie_a_knot(self) -> None:
        first, second = list(self.company.groups)[:2]
        self.knots = [(first, second), (second, first)]

    def _people(self) -> list[Any]:
        return [
            {
                "id": int(person.employee_number) if person.employee_number.isdecimal() else person.id,
                "key": person.id,
                "login": person.login,
                "contact": {"mail": person.email},
                "name": person.display_name,
                "employed": person.standing not in OUT,
                "city": person.city,
                "skills": [{"name": "git"}, {"name": person.department}],
            }
            for person in self.company.people.values()
        ]

    def _groups(self) -> list[Any]:
        return [{"id": group.id, "title": group.name} for group in self.company.groups.values()]

    def _direct(self, group_id: str) -> list[Any]:
        people = [{"id": person, "type": "person"} for person in sorted(self.company.direct.get(group_id, ()))]
        inside = [(group.parent, group.id) for group in self.company.groups.values() if group.parent] + self.knots
        return people + [{"id": inner, "type": "group"} for outer, inner in inside if outer == group_id]

    def _members(self, request: Request) -> list[Any] | None:
        group_id = request.path_params["id"]
        return self._direct(group_id) if group_id in self.company.groups else None

    def _memberships(self) -> list[Any]:
        return [{"group": group, **member} for group in self.company.groups for member in self._direct(group)]

    async def _give_token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        basic = base64.b64encode(f"sync:{SECRET}".encode()).decode()
        known = request.headers.get("authorization") == f"Basic {basic}" or form.get("client_secret") == [SECRET]
        if self.refused or not known:
            return JSONResponse({"error": "invalid_client"}, 401)
        self.token += 1
        return JSONResponse({"access_token": f"MARKED-access-{self.token}", "expires_in": 3600})

    def _accepts(self, request: Request) -> bool:
        given = request.headers.get("authorization") or f"key {request.headers.get('x-api-key')}"
        wanted = f"Bearer MARKED-access-{self.token}" if self.authorization == "oauth2" else self.authorization
        return not self.refused and wanted in (None, given)

    def _listed(self, rows_of: Rows) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            if not self._accepts(request):
                return JSONResponse({"error": "who are you?"}, 401)
            with self.company.lock:
                everything = rows_of(request)
            if everything is None:
                return JSONResponse({"error": "no such group"}, 404)
            return self._page(request, everything, request.scope[FAULTS_KEY])

        return endpoint

    def _page(self, request: Request, everything: list[Any], struck: dict[FaultKind, Fault]) -> Response:
        size = len(everything) if self._way == "none" else self._page_size
        begin = self._begin(request, size)
        if FaultKind.REPEATED_PAGE in struck and self._way in {"page", "offset"}:
            begin = max(0, begin - size)
        rows, further = _harmed(everything, begin, size, struck)
        body: dict[str, Any] = {"data": {"items": rows}, "meta": {"total": len(everything)}}
        headers = {"X-Total-Count": str(len(everything))}
        if further is not None:
            path = f"{request.url.path}?from={further}"
            if self._way == "next_link":
                body["@odata.nextLink"] = path
            elif self._way == "link_header":
                headers["Link"] = f'<{path}>; rel="next"'
            elif self._way == "cursor":
                body["meta"]["cursor"] = f"at {further}"
        return JSONResponse(body, headers=headers)

    def _begin(self, request: Request, size: int) -> int:
        asked = request.query_params
        if self._way == "cursor":
            return int(asked.get("cursor", "at 0").removeprefix("at "))
        if self._way == "page":
            return (int(asked["page"]) - 1) * size
        return int(asked.get("from", "0"))


def _harmed(
    everything: list[Any], begin: int, size: int, struck: dict[FaultKind, Fault]
) -> tuple[list[Any], int | None]:
    """The rows of a page, and where the next one begins."""
    rows = everything[begin : begin + size]
    further: int | None = begin + size if begin + size < len(everything) else None
    if FaultKind.CHANGED_ORDER in struck:
        rows = in_another_order(everything, begin, size)
    if FaultKind.LOST_ROW in struck or FaultKind.EARLY_END in struck:
        rows = rows[1:]
    if FaultKind.EARLY_END in struck:
        further = None
    if FaultKind.DUPLICATED_ROW in struck:
        rows = [*rows[:1], *rows[:-1]]
    if FaultKind.EMPTY_PAGE in struck:
        rows = []
    if FaultKind.REPEATED_PAGE in struck:
        further = begin
    return rows, further


def _fail(fault: Fault) -> Response:
    if fault.seconds:
        time.sleep(fault.seconds)
    if fault.body is not None:
        return Response(fault.body, fault.status, headers=dict(fault.headers))
    return JSONResponse({"error": "as you wish"}, fault.status, headers=dict(fault.headers))
