"""Endpoints below `/sandbox/` that steer a simulator from another process. No vendor has them.

POST   /sandbox/faults      {"kind": "status", "path": "/api/v1/users$", "status": 503, "times": 2}
GET    /sandbox/faults      those still to come        DELETE  forget them
GET    /sandbox/requests    what was asked so far      DELETE  forget it
POST   /sandbox/mutations   {"do": "leave", "person": "siobhan.obrien"}
GET    /sandbox/company     how many people and groups, and how often the company changed
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.company import Company
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.mutations import Mutation, carry_out
from sandbox.traffic import Traffic


class FaultOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    kind: FaultKind
    path: str = ""
    times: int = 1
    skip: int = 0
    status: int = 500
    headers: dict[str, str] = {}
    body: str | None = None
    seconds: float = 0.0
    change: Mutation | None = None


class Control:
    """`traffic` is a function because the middleware is built around the routes that this offers."""

    def __init__(self, company: Company, faults: Faults, traffic: Callable[[], Traffic]) -> None:
        self._company = company
        self._faults = faults
        self._traffic = traffic

    def routes(self) -> list[Route]:
        return [
            Route("/sandbox/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/sandbox/requests", self.requests, methods=["GET", "DELETE"]),
            Route("/sandbox/mutations", self.mutations, methods=["POST"]),
            Route("/sandbox/company", self.company, methods=["GET"]),
        ]

    async def faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            try:
                self._faults.add(self._fault(msgspec.json.decode(await request.body(), type=FaultOrder)))
            except (msgspec.DecodeError, re.error) as error:
                return json_answer({"error": str(error)}, 400)
        return json_answer([_told(fault) for fault in self._faults.pending()])

    async def requests(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._traffic().clear()
        return json_answer(list(self._traffic().requests))

    async def mutations(self, request: Request) -> Response:
        try:
            mutation = msgspec.json.decode(await request.body(), type=Mutation)
            return json_answer(carry_out(self._company, mutation))
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            return json_answer({"error": str(error)}, 400)

    async def company(self, _: Request) -> Response:
        with self._company.lock:
            counts = {
                "people": len(self._company.people),
                "employed": len(self._company.employed()),
                "groups": len(self._company.groups),
                "changes": self._company.version,
            }
        return json_answer(counts)

    def _fault(self, order: FaultOrder) -> Fault:
        mutation = order.change
        return Fault(
            order.kind,
            order.path,
            times=order.times,
            skip=order.skip,
            status=order.status,
            headers=order.headers,
            body=order.body,
            seconds=order.seconds,
            change=None if mutation is None else lambda: carry_out(self._company, mutation),
        )


def json_answer(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def _told(fault: Fault) -> dict[str, object]:
    return {
        "kind": fault.kind,
        "path": fault.path,
        "times": fault.times,
        "skip": fault.skip,
        "status": fault.status,
        "seconds": fault.seconds,
    }
