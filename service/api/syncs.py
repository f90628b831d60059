"""Syncs, starting their runs, one person at once, and the directories that they manage."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from flows.orders import Order
from reconcile.results import PersonResult, person_records
from service.access.refusals import Refusal
from service.access.visit import visit_of
from service.api.answers import DirectoryAnswer, PersonAnswer, RunOrder, StartedRun, SyncAnswer
from service.api.asking import (
    AtDesk,
    PersonName,
    SyncName,
    directory_answer,
    needs,
    refusals,
    started_answer,
    sync_answer,
)
from service.desk import Desk, SyncAtWork
from tasks.ending import Ending, Status
from tasks.records import people_of

__all__ = ["bring_up_to_date", "routes", "start_run"]

routes = APIRouter(tags=["syncs"])

_ANSWERED: dict[Status, HTTPStatus] = {
    "succeeded": HTTPStatus.OK,
    "nothing_to_do": HTTPStatus.OK,
    "planned": HTTPStatus.OK,
    "partial": HTTPStatus.OK,
    "held": HTTPStatus.CONFLICT,
    "rejected": HTTPStatus.CONFLICT,
    "refused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "failed": HTTPStatus.BAD_GATEWAY,
    "cancelled": HTTPStatus.BAD_GATEWAY,
    "crashed": HTTPStatus.BAD_GATEWAY,
}


@routes.get("/directories", dependencies=[needs("read")], responses=refusals())
def directories(desk: AtDesk) -> list[DirectoryAnswer]:
    """The directories in which accounts are kept, and which syncs manage them."""
    return [directory_answer(desk, one) for one in desk.directories()]


@routes.get("/syncs", dependencies=[needs("read")], responses=refusals())
def syncs(desk: AtDesk) -> list[SyncAnswer]:
    """Every sync that has a file in the service's folder, or a run in the ledger."""
    return [sync_answer(one) for one in desk.at_work()]


@routes.get("/syncs/{sync}", dependencies=[needs("read")], responses=refusals())
def one_sync(desk: AtDesk, sync: SyncName) -> SyncAnswer:
    """One sync and its latest run."""
    last = next(iter(desk.ledger.runs.latest(sync=sync, limit=1)), None)
    file = next((one for one in desk.syncs.all() if one.name == sync), None)
    if file is None and last is None:
        desk.syncs.get(sync)
    return sync_answer(SyncAtWork(sync, file, last))


@routes.post(
    "/syncs/{sync}/runs",
    dependencies=[needs("run")],
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(400, 413),
)
def order_run(desk: AtDesk, sync: SyncName, order: RunOrder, request: Request, response: Response) -> StartedRun:
    """Start a run, which goes on by itself; the header Location says where to look what becomes of it."""
    visit_of(request).details.update(order.model_dump())
    answer = start_run(desk, sync, order)
    visit_of(request).details.update(run=answer.run, flow_run_id=answer.flow_run_id)
    response.headers["Location"] = answer.address
    return answer


def start_run(desk: Desk, sync: str, order: RunOrder) -> StartedRun:
    """Raises UsersyncError where the sync is not usable or the run could not begin."""
    known = desk.syncs.usable(sync)
    started = desk.starter.start(Order(order.mode, str(known.path), full=order.full), sync)
    return started_answer(started, sync)


@routes.post(
    "/syncs/{sync}/people/{person:path}",
    dependencies=[needs("run")],
    response_model=PersonAnswer,
    responses={
        202: {"model": StartedRun, "description": "It takes longer than this service lets anybody wait, and goes on."},
        **refusals(),
        409: {
            "model": PersonAnswer,
            "description": "The guard holds the plan, or another run has the target.",
        },
        502: {"model": PersonAnswer, "description": "The source or the target failed."},
    },
)
async def one_person(desk: AtDesk, sync: SyncName, person: PersonName, request: Request) -> Response:
    """Read one person with their groups from the source and their account from the target, make the plan, let the guard
    judge it, apply it, and say what came of it."""
    visit = visit_of(request)
    known = await run_sync(desk.syncs.usable, sync)
    ending = await bring_up_to_date(desk, str(known.path), person)
    if ending is None:
        answer = StartedRun(run=None, flow_run_id=None, address=f"/api/runs?sync={sync}")
        return JSONResponse(answer.model_dump(), HTTPStatus.ACCEPTED, {"Location": answer.address})
    visit.details.update(run=ending.run_id, status=ending.status)
    if ending.unknown:
        said = Refusal(what=ending.message, subject=f"run {ending.run_id}", next=ending.next_step)
        return JSONResponse(said.model_dump(), HTTPStatus.NOT_FOUND)
    answered = PersonAnswer(
        run=ending.run_id,
        status=ending.status,
        exit_code=ending.exit_code,
        message=ending.message,
        next=ending.next_step,
        plan_id=None if ending.plan is None else ending.plan.id,
        person=await run_sync(_result, desk, ending),
    )
    status = HTTPStatus.CONFLICT if ending.busy else _ANSWERED[ending.status]
    return Response(answered.model_dump_json(), status, media_type="application/json")


async def bring_up_to_date(desk: Desk, sync_file: str, person: str) -> Ending | None:
    """None where it takes longer than anybody is kept waiting. Raises UsersyncError where it could not begin."""
    order = Order("person", sync_file, person=person)
    run = asyncio.ensure_future(asyncio.to_thread(desk.starter.sync_person, order))
    # Not `wait_for`, which would cancel it: the run goes on, and its end is in the ledger.
    done, _ = await asyncio.wait([run], timeout=desk.settings.person_seconds)
    if not done:
        run.add_done_callback(_ended_unwatched)
        return None
    return run.result()


def _ended_unwatched(run: asyncio.Future[Ending]) -> None:
    """What it came to is in the ledger; nobody is there any more to be told of an error."""
    if not run.cancelled():
        run.exception()


def _result(desk: Desk, ending: Ending) -> PersonResult | None:
    if ending.plan is None:
        return None
    for record in person_records(people_of(desk.ledger, desk.ledger.runs.get(ending.run_id))):
        # Some of its values are JSON already, which msgspec puts in as they are.
        return PersonResult.model_validate_json(msgspec.json.encode(record))
    return None
