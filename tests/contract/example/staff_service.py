"""The invented staff service on loopback: three lists in pages, one token, and the faults of `sandbox.faults`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.company import Company, Standing
from sandbox.faults import Fault, FaultKind, Faults, in_another_order
from sandbox.serving import served
from sandbox.traffic import FAULTS_KEY, Traffic

__all__ = ["StaffService"]

Rows = Callable[[Request], list[Any] | None]
OUT = {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}


class StaffService:
    """`app` is an ASGI application; `token` is what it accepts, `faults` what it shall do wrong next."""

    def __init__(self, company: Company, token: str, *, page_size: int = 100) -> None:
        self.company = company
        self.token: str | None = token
        self.faults = Faults()
        self._page_size = page_size
        routes = [
            Route("/people", self._paged(lambda _request: self._people())),
            Route("/groups", self._paged(lambda _request: self._groups())),
            Route("/groups/{id}/members", self._paged(self._members)),
        ]
        self.app = Traffic(Starlette(routes=routes), self.faults, _fail)

    @contextmanager
    def served(self) -> Iterator[str]:
        with served(self.app) as url:
            yield url

    def _people(self) -> list[Any]:
        return [
            {
                "id": person.id,
                "login": person.login,
                "mail": person.email,
                "name": person.display_name,
                "employed": person.standing not in OUT,
            }
            for person in self.company.people.values()
        ]

    def _groups(self) -> list[Any]:
        return [{"id": group.id, "title": group.name} for group in self.company.groups.values()]

    def _members(self, request: Request) -> list[Any] | None:
        group_id = request.path_params["id"]
        return sorted(self.company.effective_members(group_id)) if group_id in self.company.groups else None

    def _paged(self, rows_of: Rows) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            if self.token is None or request.headers.get("authorization") != f"Bearer {self.token}":
                return JSONResponse({"error": "who are you?"}, 401)
            with self.company.lock:
                everything = rows_of(request)
            if everything is None:
                return JSONResponse({"error": "no such group"}, 404)
            return JSONResponse(self._page(everything, int(request.query_params["page"]), request.scope[FAULTS_KEY]))

        return endpoint

    def _page(self, everything: list[Any], number: int, struck: dict[FaultKind, Fault]) -> dict[str, Any]:
        size = self._page_size
        rows = everything[(number - 1) * size : number * size]
        following = number + 1 if number * size < len(everything) else None
        if FaultKind.CHANGED_ORDER in struck:
            rows = in_another_order(everything, (number - 1) * size, size)
        if FaultKind.LOST_ROW in struck or FaultKind.EARLY_END in struck:
            rows = rows[1:]
        if FaultKind.EARLY_END in struck:
            following = None
        if FaultKind.DUPLICATED_ROW in struck:
            rows = [*rows[:1], *rows[:-1]]
        if FaultKind.EMPTY_PAGE in struck:
            rows = []
        if FaultKind.REPEATED_PAGE in struck:
            following = number
        return {"total": len(everything), "rows": rows, "next": following}


def _fail(fault: Fault) -> Response:
    if fault.body is not None:
        return Response(fault.body, fault.status, headers=dict(fault.headers))
    return JSONResponse({"error": "as you wish"}, fault.status, headers=dict(fault.headers))
