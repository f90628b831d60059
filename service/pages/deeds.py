"""What the forms of the pages do: the same as the API, and then back to a page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from directory.errors import ConfigurationError
from service.access.visit import visit_of
from service.api.answers import DecisionGiven, RunOrder, StartedRun
from service.api.asking import AtDesk, PlanId, SyncName, require
from service.api.plans import apply_stored, decided
from service.api.syncs import bring_up_to_date, start_run
from service.pages.drawing import page
from service.pages.forms import own_form

__all__ = ["routes"]

routes = APIRouter()
_LONGEST_NAME = 500


@routes.post("/syncs/{sync}/runs")
async def start(request: Request, desk: AtDesk, sync: SyncName) -> Response:
    require(request, "run")
    fields = await own_form(request)
    mode: Literal["sync", "plan"] = "plan" if fields.get("mode") == "plan" else "sync"
    order = RunOrder(mode=mode, full="full" in fields)
    visit_of(request).details.update(order.model_dump())
    return _followed(request, await run_sync(start_run, desk, sync, order), sync)


@routes.post("/syncs/{sync}/people")
async def one_person(request: Request, desk: AtDesk, sync: SyncName) -> Response:
    require(request, "run")
    person = (await own_form(request)).get("person", "").strip()
    if not 0 < len(person) <= _LONGEST_NAME or not person.isprintable():
        raise ConfigurationError("nobody is named", not_done="nothing was done", next_step="write who it is")
    visit = visit_of(request)
    visit.details.update(person=person)
    known = await run_sync(desk.syncs.usable, sync)
    ending = await bring_up_to_date(desk, str(known.path), person)
    if ending is None:
        return RedirectResponse(f"/syncs/{sync}", HTTPStatus.SEE_OTHER)
    visit.details.update(run=ending.run_id, status=ending.status)
    return RedirectResponse(f"/runs/{ending.run_id}", HTTPStatus.SEE_OTHER)


@routes.post("/plans/{plan}/decision")
async def decision(request: Request, desk: AtDesk, plan: PlanId) -> Response:
    require(request, "approve")
    fields = await own_form(request)
    visit = visit_of(request)
    try:
        given = DecisionGiven.model_validate(
            {name: fields[name] for name in ("decision", "by", "comment") if name in fields}
        )
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    visit.details.update(given.model_dump())
    said = await run_sync(decided, desk, plan, given, visit.token)
    return page(request, "decided.html", plan=said.plan, lines=said.lines)


@routes.post("/plans/{plan}/apply")
async def apply(request: Request, desk: AtDesk, plan: PlanId) -> Response:
    require(request, "run")
    await own_form(request)
    stored = await run_sync(desk.ledger.plans.get, plan)
    return _followed(request, await run_sync(apply_stored, desk, plan), stored.sync)


def _followed(request: Request, started: StartedRun, sync: str) -> Response:
    """To the run where it is known, else to its sync, where it will show."""
    visit_of(request).details.update(run=started.run, flow_run_id=started.flow_run_id)
    where = f"/syncs/{sync}" if started.run is None else f"/runs/{started.run}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)
