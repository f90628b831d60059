"""Runs: how they ended, and what they meant for everybody."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from anyio import from_thread
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from directory.errors import Fatal, UnknownRecord
from reconcile.results import Outcome, RunDocument
from service.api.answers import FlowRunAnswer, RunAnswer
from service.api.asking import AtDesk, Limit, RunId, in_pieces, needs, refusals, run_answer
from service.desk import Desk
from tasks.documents import fetch
from tasks.records import find_run, results_document, stored_document

__all__ = ["results_of", "routes"]

routes = APIRouter(tags=["runs"])

OnlySync = Annotated[str | None, Query(max_length=100, pattern=r"^[a-z0-9][a-z0-9-]*$", description="Only this sync.")]
_WHO = r"^[^\x00-\x1f\x7f]+$"
OnlyPerson = Annotated[
    str | None, Query(max_length=500, pattern=_WHO, description="One person, by username or the source's id.")
]
OnlyOutcome = Annotated[Outcome | None, Query(description="Only people of one outcome.")]
Before = Annotated[datetime | None, Query(description="Only runs that began before this instant, to go back further.")]


@routes.get("/runs", dependencies=[needs("read")], responses=refusals())
def runs(desk: AtDesk, sync: OnlySync = None, limit: Limit = 20, before: Before = None) -> list[RunAnswer]:
    """The latest runs, newest first. A time without a zone is UTC."""
    instant = before.replace(tzinfo=UTC) if before is not None and before.tzinfo is None else before
    return [run_answer(run) for run in desk.ledger.runs.latest(sync=sync, limit=limit, before=instant)]


@routes.get("/runs/{run}", dependencies=[needs("read")], responses=refusals())
def one_run(desk: AtDesk, run: RunId) -> RunAnswer:
    """How a run stands or ended."""
    # A process that died without a word is noticed by whoever looks.
    desk.ledger.runs.bury_crashed()
    return run_answer(find_run(desk.ledger, run))


@routes.get(
    "/runs/{run}/results",
    dependencies=[needs("read")],
    response_class=StreamingResponse,
    responses={200: {"model": RunDocument, "description": "The document, of those asked for."}, **refusals()},
)
def results(desk: AtDesk, run: RunId, person: OnlyPerson = None, outcome: OnlyOutcome = None) -> StreamingResponse:
    """What a run meant for everybody, for one person, or for those of one outcome."""
    return results_of(desk, run, person=person, outcome=outcome)


def results_of(desk: Desk, name: str, *, person: str | None, outcome: str | None) -> StreamingResponse:
    """The document as a download. Raises UnknownRecord for a run without results."""
    run = find_run(desk.ledger, name)
    pieces = results_document(desk.ledger, run, person=person, outcome=outcome)
    return in_pieces(pieces, name=f"{run.sync}-{run.id}.json")


@routes.get(
    "/runs/{run}/document",
    dependencies=[needs("read")],
    response_class=StreamingResponse,
    responses={200: {"model": RunDocument, "description": "The document as it was stored."}, **refusals()},
)
def document(desk: AtDesk, run: RunId) -> StreamingResponse:
    """What the run stored, from wherever it lies; cut off at its end where it is not what was stored."""
    found = find_run(desk.ledger, run)
    noted = stored_document(found, desk.ledger.results.document(found.id))
    return in_pieces(fetch(noted), name=f"{found.sync}-{found.id}.json")


@routes.get("/flow-runs/{flow_run_id}", dependencies=[needs("read")], responses=refusals())
def flow_run(desk: AtDesk, flow_run_id: UUID) -> FlowRunAnswer:
    """What became of a run that Prefect was asked to start."""
    run = desk.ledger.runs.find_by_flow_run(str(flow_run_id))
    answer = FlowRunAnswer(flow_run_id=str(flow_run_id), state=None, message=None, run=None if run is None else run.id)
    if os.environ.get("PREFECT_API_URL"):
        from flows.starting import flow_run_state  # noqa: PLC0415 -- imports Prefect

        try:
            state = from_thread.run(flow_run_state, str(flow_run_id))
        except (Fatal, UnknownRecord):
            if run is None:
                raise
        else:
            answer.state, answer.message = state.name, state.message
    elif run is None:
        raise UnknownRecord(f"no run belongs to flow run {flow_run_id}")
    return answer
