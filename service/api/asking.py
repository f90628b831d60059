"""What routes of the API have in common: scopes, names in addresses, and refusals in the description."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.params import Depends as Dependency
from fastapi.responses import StreamingResponse

from ledger.plans import StoredPlan
from ledger.runs import Run
from ledger.tokens import Scope
from service.access.refusals import Refusal
from service.access.visit import visit_of
from service.api.answers import DirectoryAnswer, ListedPlan, RunAnswer, StartedRun, SyncAnswer
from service.desk import Desk, Directory, SyncAtWork, desk_of
from service.starting import Started
from tasks.records import listed_plan_as_json, run_as_json

__all__ = [
    "AtDesk",
    "Limit",
    "MissingScope",
    "PersonName",
    "PlanId",
    "RunId",
    "SyncName",
    "directory_answer",
    "in_pieces",
    "listed_plan",
    "needs",
    "refusals",
    "require",
    "run_answer",
    "scope_of",
    "started_answer",
    "sync_answer",
]

AtDesk = Annotated[Desk, Depends(desk_of)]
SyncName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100, description="As its file names it.")]
RunId = Annotated[
    str,
    Path(pattern=r"^[0-9a-z-]+$", max_length=64, description="A run's id, the beginning of it, or `latest`."),
]
PlanId = Annotated[
    str, Path(pattern=r"^[0-9a-f]{6,64}$", description="A plan's id, or at least six characters of its beginning.")
]
_NAME_OF_SOMEBODY = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
PersonName = Annotated[
    str,
    Path(
        pattern=_NAME_OF_SOMEBODY,
        max_length=500,
        description="Username, e-mail address or id in the source; of who is gone there, the username in the target.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=500, description="How many.")]

_PIECE = 65_536


class MissingScope(Exception):
    """The token may not do this."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.scope = scope


def require(request: Request, scope: Scope) -> None:
    """Raises MissingScope where whoever asks may not do this."""
    token = visit_of(request).token
    if token is None or scope not in token.scopes:
        raise MissingScope(scope)


class _Needed:
    """Asked by FastAPI before the route's own work."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, request: Request) -> None:
        require(request, self.scope)


def needs(scope: Scope) -> Dependency:
    """A route is for tokens of that scope alone."""
    return _depends(_Needed(scope))


def scope_of(dependencies: Iterable[Dependency]) -> Scope | None:
    """The scope that a route needs."""
    needed = (one.dependency for one in dependencies)
    return next((one.scope for one in needed if isinstance(one, _Needed)), None)


def _depends(check: Callable[[Request], None]) -> Dependency:
    found: Any = Depends(check)
    return found  # type: ignore[no-any-return]


_WHEN = {
    400: "The body is no JSON.",
    401: "No token, an unknown one, or one that is no longer good.",
    403: "The token lacks the scope, or the address is not allowed.",
    404: "There is no such thing.",
    409: "Held, or the plan or the target is not in the state for this.",
    413: "The body is too long.",
    414: "The address is too long.",
    422: "Something in the request or in the sync file does not fit.",
    429: "Too many requests; Retry-After says when to come again.",
    502: "The ledger, Prefect, the source or the target failed.",
    503: "One of them does not answer at the moment.",
}


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """The answers other than success, for the description."""
    statuses = sorted({401, 403, 404, 414, 422, 429, 502, 503, *more})
    return {status: {"model": Refusal, "description": _WHEN[status]} for status in statuses}


def run_answer(run: Run) -> RunAnswer:
    return RunAnswer.model_validate(run_as_json(run))


def sync_answer(one: SyncAtWork) -> SyncAnswer:
    file = one.file
    target = file.target if file is not None else one.last.target if one.last else None
    return SyncAnswer(
        name=one.name,
        file=None if file is None else str(file.path),
        target=target,
        trouble=None if file is None else file.trouble,
        last_run=None if one.last is None else run_answer(one.last),
    )


def directory_answer(desk: Desk, directory: Directory) -> DirectoryAnswer:
    names = [one.name for one in directory.syncs]
    groups = {group for name in names for group in desk.ledger.ownership.groups(name)}
    runs = [one.last for one in directory.syncs if one.last is not None]
    last = max(runs, key=lambda run: run.started_at, default=None)
    return DirectoryAnswer(
        name=directory.name,
        syncs=names,
        managed_accounts=sum(desk.ledger.links.count(name) for name in names),
        managed_groups=sorted(groups),
        last_run=None if last is None else run_answer(last),
    )


def listed_plan(desk: Desk, stored: StoredPlan) -> ListedPlan:
    asked = next((one for one in desk.ledger.questions.open(stored.sync) if one.plan_id == stored.id), None)
    return ListedPlan.model_validate(listed_plan_as_json(stored, asked, desk.ledger.plans.decisions(stored.id)))


def started_answer(started: Started, sync: str) -> StartedRun:
    """Addresses are paths: the name of the host is whatever the client called us by, and is not repeated."""
    if started.flow_run_id is not None:
        where = f"/api/flow-runs/{started.flow_run_id}"
    else:
        where = f"/api/runs?sync={sync}" if started.run_id is None else f"/api/runs/{started.run_id}"
    return StartedRun(run=started.run_id, flow_run_id=started.flow_run_id, address=where)


def in_pieces(lines: Iterable[bytes], *, name: str) -> StreamingResponse:
    """A JSON document as a download, sent while it is made. What cannot even begin is refused, not cut off."""
    pieces = _gathered(lines)
    first = next(pieces, b"")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chain([first], pieces), media_type="application/json", headers=headers)


def _gathered(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Each piece is a change of threads, so one a person would be slow."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
