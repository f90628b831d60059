"""Plans, what somebody decides on them, and applying them."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
import polars as pl
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from flows.deciding import Said, decide
from flows.orders import Order
from ledger.plans import PlanState
from ledger.tokens import Token
from reconcile.plan import Kind
from service.access.visit import visit_of
from service.api.answers import (
    AuditLine,
    DecisionAnswer,
    DecisionGiven,
    ListedPlan,
    PlanAnswer,
    PlanPerson,
    StartedRun,
)
from service.api.asking import (
    AtDesk,
    Limit,
    PersonName,
    PlanId,
    in_pieces,
    listed_plan,
    needs,
    refusals,
    started_answer,
)
from service.api.runs import OnlySync
from service.desk import Desk
from tasks.plans import stored_plan
from tasks.records import plan_as_json

__all__ = ["apply_stored", "decided", "routes"]

routes = APIRouter(tags=["plans"])

_AT_ONCE = 500
_OBJECTS = ("before", "after")
OnlyState = Annotated[PlanState | None, Query(description="Only plans in this state; `held` wait for a decision.")]
OnlyKind = Annotated[Kind | None, Query(description="Only operations of this kind.")]
OnlyOrigin = Annotated[
    Literal["source", "rules", "drift"] | None, Query(description="Only what is due because this changed.")
]


@routes.get("/plans", dependencies=[needs("read")], responses=refusals())
def plans(desk: AtDesk, sync: OnlySync = None, state: OnlyState = None, limit: Limit = 20) -> list[ListedPlan]:
    """The latest plans, newest first, what was decided on them, and which ones somebody is asked about."""
    return [listed_plan(desk, one) for one in desk.ledger.plans.latest(sync=sync, state=state, limit=limit)]


@routes.get("/plans/{plan}", dependencies=[needs("read")], responses=refusals())
def one_plan(desk: AtDesk, plan: PlanId) -> PlanAnswer:
    """A plan: counts, findings of the guard, decisions. Its operations have an address of their own."""
    stored, found = stored_plan(desk.ledger, plan)
    listed = listed_plan(desk, stored).model_dump()
    return PlanAnswer(**listed, approved_by=stored.approved_by, header=found.header, operations=found.operations.height)


@routes.get(
    "/plans/{plan}/operations",
    dependencies=[needs("read")],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A JSON array of operations, in the order in which they are carried out.",
            "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
        },
        **refusals(),
    },
)
def operations(desk: AtDesk, plan: PlanId, kind: OnlyKind = None, origin: OnlyOrigin = None) -> StreamingResponse:
    """Every operation of a plan, as `usersync show --json` tells them."""
    _, found = stored_plan(desk.ledger, plan)
    rows = found.operations.join(found.origins, on="seq", how="left", maintain_order="left")
    for column, wanted in (("kind", kind), ("origin", origin)):
        if wanted is not None:
            rows = rows.filter(pl.col(column) == wanted)
    return in_pieces(_as_array(rows), name=f"plan-{found.id[:8]}.json")


def _as_array(rows: pl.DataFrame) -> Iterator[bytes]:
    separator = b"["
    for part in rows.iter_slices(_AT_ONCE):
        for row in part.iter_rows(named=True):
            said: dict[str, Any] = {
                **row,
                **{name: msgspec.Raw(row[name].encode()) for name in _OBJECTS if row[name] is not None},
            }
            yield separator + msgspec.json.encode(said)
            separator = b",\n"
    yield b"]" if rows.height else b"[]"


@routes.get("/plans/{plan}/people/{person:path}", dependencies=[needs("read")], responses=refusals())
def one_person(desk: AtDesk, plan: PlanId, person: PersonName) -> PlanPerson:
    """What a plan makes of one person, by username or the source's id, and why."""
    told = plan_as_json(*stored_plan(desk.ledger, plan), person=person)
    return PlanPerson(people=told["people"], operations=told["operations"])


@routes.post("/plans/{plan}/decision", dependencies=[needs("approve")], responses=refusals(400, 413))
def decision(desk: AtDesk, plan: PlanId, given: DecisionGiven, request: Request) -> DecisionAnswer:
    """Approve a held plan, its additions only, or reject it. A flow run that waits for this goes on."""
    visit = visit_of(request)
    visit.details.update(given.model_dump())
    said = decided(desk, plan, given, visit.token)
    return DecisionAnswer(plan=listed_plan(desk, said.plan), said=list(said.lines))


def decided(desk: Desk, plan: str, given: DecisionGiven, token: Token | None) -> Said:
    """What is kept names the token, which is proved, besides the name, which is not. Raises as `flows.deciding`."""
    owner = "" if token is None else token.name
    named = (given.by or "").strip()
    by = owner if named in {"", owner} else f"{named} (token {owner})"
    comment = (given.comment or "").strip() or None
    return decide(desk.ledger, plan, given.decision, by=by, comment=comment)


@routes.post(
    "/plans/{plan}/apply",
    dependencies=[needs("run")],
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(),
)
def apply(desk: AtDesk, plan: PlanId, request: Request, response: Response) -> StartedRun:
    """Start a run that applies a stored plan exactly as it was reviewed. One that is held ends held."""
    answer = apply_stored(desk, plan)
    visit_of(request).details.update(run=answer.run, flow_run_id=answer.flow_run_id)
    response.headers["Location"] = answer.address
    return answer


def apply_stored(desk: Desk, plan: str) -> StartedRun:
    """Raises UsersyncError where there is no such plan, its sync has no usable file, or the run could not begin."""
    stored = desk.ledger.plans.get(plan)
    known = desk.syncs.usable(stored.sync)
    started = desk.starter.start(Order("apply", str(known.path), plan_id=stored.id), stored.sync)
    return started_answer(started, stored.sync)


@routes.get("/audit", dependencies=[needs("approve")], responses=refusals(), tags=["audit"])
def audit(desk: AtDesk, limit: Limit = 20) -> list[AuditLine]:
    """Who asked to change what, from where, and what was answered; newest first."""
    return [AuditLine.model_validate(one, from_attributes=True) for one in desk.ledger.audit.latest(limit=limit)]
