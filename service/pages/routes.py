"""The pages: an overview, a sync, a run with its people, one person, a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from directory.errors import UnknownRecord
from ledger.runs import Run
from reconcile.explain import changes, headline
from reconcile.plan import KINDS, Kind
from reconcile.question import additions_in_words
from reconcile.results import Outcome
from reconcile.wording import OUTCOMES
from service.api.asking import AtDesk, PlanId, RunId, SyncName, listed_plan, require
from service.api.runs import results_of
from service.desk import Desk, SyncAtWork
from service.pages import deeds
from service.pages.drawing import STYLE, bars, page, trend
from service.pages.signing_in import routes as signing_in
from tasks.plans import stored_plan
from tasks.records import find_run, known_person, people_of
from tasks.trend import last_runs

__all__ = ["routes"]

routes = APIRouter()
routes.include_router(signing_in)
routes.include_router(deeds.routes)

_RUNS = 20
_PLANS = 10
_PEOPLE = 50
_CHANGES = 50
_A_WHILE = "max-age=300"
_WRITTEN = r"^[^\x00-\x1f\x7f]*$"
Sought = Annotated[str, Query(max_length=200, pattern=_WRITTEN)]
OneOutcome = Annotated[Outcome | Literal[""] | None, Query()]
"""Forms send what is not chosen as nothing."""
PageNumber = Annotated[int, Query(ge=1, le=100_000)]


def _reader(request: Request) -> None:
    require(request, "read")


MayRead = Depends(_reader)


@routes.get("/style.css")
def style() -> Response:
    return FileResponse(STYLE, media_type="text/css", headers={"Cache-Control": _A_WHILE})


@routes.get("/favicon.ico")
def no_icon() -> Response:
    return Response(status_code=204)


@routes.get("/health")
def health() -> Response:
    """For whoever watches whether the service runs; says nothing of what it holds."""
    return JSONResponse({"status": "ok"})


@routes.get("/", dependencies=[MayRead])
def overview(request: Request, desk: AtDesk) -> Response:
    desk.ledger.runs.bury_crashed()
    directories = desk.directories()
    unplaced = [one for one in desk.at_work() if one.file is not None and one.file.understood is None]
    named = [one.name for directory in directories for one in directory.syncs]
    waiting = [listed_plan(desk, one) for one in desk.ledger.plans.latest(state="held", limit=_PLANS)]
    return page(
        request,
        "overview.html",
        directories=directories,
        broken=unplaced,
        waiting=[(one, _findings(desk, one.id)) for one in waiting],
        trends={name: trend(last_runs(desk.ledger, name)) for name in named},
        accounts={name: desk.ledger.links.count(name) for name in named},
        runs=desk.ledger.runs.latest(limit=_RUNS),
    )


def _findings(desk: Desk, plan_id: str) -> list[str]:
    return [finding.message for finding in stored_plan(desk.ledger, plan_id)[1].header.held]


@routes.get("/syncs/{sync}", dependencies=[MayRead])
def one_sync(
    request: Request, desk: AtDesk, sync: SyncName, before: Annotated[datetime | None, Query()] = None
) -> Response:
    desk.ledger.runs.bury_crashed()
    instant = before.replace(tzinfo=UTC) if before is not None and before.tzinfo is None else before
    runs = desk.ledger.runs.latest(sync=sync, limit=_RUNS + 1, before=instant)
    file = next((one for one in desk.syncs.all() if one.name == sync), None)
    if file is None and not desk.ledger.runs.latest(sync=sync, limit=1):
        desk.syncs.get(sync)
    return page(
        request,
        "sync.html",
        sync=SyncAtWork(sync, file, runs[0] if runs else None),
        trend=trend(last_runs(desk.ledger, sync)),
        accounts=desk.ledger.links.count(sync),
        plans=[listed_plan(desk, one) for one in desk.ledger.plans.latest(sync=sync, limit=_PLANS)],
        runs=runs[:_RUNS],
        older=runs[_RUNS - 1].started_at.isoformat() if len(runs) > _RUNS else None,
    )


@routes.get("/runs/{run}", dependencies=[MayRead])
def one_run(
    request: Request,
    desk: AtDesk,
    run: RunId,
    q: Sought = "",
    outcome: OneOutcome = None,
    number: Annotated[PageNumber, Query(alias="page")] = 1,
) -> Response:
    desk.ledger.runs.bury_crashed()
    found = find_run(desk.ledger, run)
    people = _people(desk, found)
    shown = _matching(people, q, outcome or None)
    first = (number - 1) * _PEOPLE
    return page(
        request,
        "run.html",
        run=found,
        has_results=people is not None,
        bars=bars(found.header.get("outcomes") or {}),
        outcomes=OUTCOMES,
        q=q,
        outcome=outcome or None,
        people=list(shown.slice(first, _PEOPLE).iter_rows(named=True)),
        first=first + 1,
        total=shown.height,
        page=number,
        pages=max(1, -(-shown.height // _PEOPLE)),
    )


def _people(desk: Desk, run: Run) -> pl.DataFrame | None:
    try:
        return people_of(desk.ledger, run)
    except UnknownRecord:  # it still runs, or it was killed
        return None


def _matching(people: pl.DataFrame | None, sought: str, outcome: str | None) -> pl.DataFrame:
    """Those whose name, id or reason holds what is sought, in any case; those that need somebody first."""
    if people is None:
        return pl.DataFrame()
    wanted = sought.strip().lower()
    if outcome is not None:
        people = people.filter(pl.col("outcome") == outcome)
    if wanted:
        columns = ("username", "external_id", "reason")
        holds = [pl.col(name).str.to_lowercase().str.contains(wanted, literal=True) for name in columns]
        people = people.filter(pl.any_horizontal(one.fill_null(value=False) for one in holds))
    rank = pl.col("outcome").replace_strict(list(OUTCOMES), range(len(OUTCOMES)), return_dtype=pl.UInt8)
    return people.sort(rank, pl.coalesce("username", "external_id").str.to_lowercase(), maintain_order=True)


@routes.get("/runs/{run}/results.json", dependencies=[MayRead])
def download(desk: AtDesk, run: RunId, outcome: OneOutcome = None) -> StreamingResponse:
    """What the button gives: the same as the API."""
    return results_of(desk, run, person=None, outcome=outcome or None)


@routes.get("/runs/{run}/people/{person:path}", dependencies=[MayRead])
def one_person(request: Request, desk: AtDesk, run: RunId, person: Annotated[str, Path(max_length=500)]) -> Response:
    found = find_run(desk.ledger, run)
    rows = list(people_of(desk.ledger, found, person=person).iter_rows(named=True))
    return page(request, "person.html", run=found, rows=rows, outcomes=OUTCOMES)


@routes.get("/plans/{plan}", dependencies=[MayRead])
def one_plan(
    request: Request,
    desk: AtDesk,
    plan: PlanId,
    kind: Annotated[Kind | None, Query()] = None,
    who: Sought = "",
) -> Response:
    stored, found = stored_plan(desk.ledger, plan)
    rows, more = changes(found, most=_CHANGES, kind=kind)
    verdicts: list[dict[str, Any]] = []
    if who.strip():
        verdicts = list(known_person(found, who.strip()).iter_rows(named=True))
    ids = [row["external_id"] for row in verdicts]
    theirs = found.operations.filter(pl.col("external_id").is_in(ids))
    decidable = stored.state in {"held", "rejected"} or (stored.state in {"stored", "approved"} and found.held)
    return page(
        request,
        "plan.html",
        plan=found,
        stored=stored,
        listed=listed_plan(desk, stored),
        headline=headline(found),
        kinds=[one for one in KINDS if found.header.counts.get(one)],
        kind=kind,
        changes=list(rows.iter_rows(named=True)),
        more=more,
        who=who,
        verdicts=verdicts,
        theirs=list(theirs.iter_rows(named=True)),
        outcomes=OUTCOMES,
        decidable=decidable,
        additions=additions_in_words(found) if decidable else "",
        may_be_applied=not found.empty and stored.state in {"stored", "approved", "partial", "applying"},
    )
