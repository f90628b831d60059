"""The end of a run: results a person, the JSON document, the ledger's record, and artifacts where Prefect is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import polars as pl

from directory.snapshot import SourceSnapshot
from ledger.results import Document
from ledger.runs import Run
from reconcile.events import events_of_run, lost_access
from reconcile.plan import OPERATIONS, Plan
from reconcile.results import (
    AT_ONCE,
    JOURNAL,
    PEOPLE_RESULTS,
    PlanDecision,
    RunHeader,
    document,
    group_results,
    operation_counts,
    people_results,
)
from reconcile.sanity import SourceStats
from tasks.announce import announce
from tasks.artifacts import publish
from tasks.consent import decided_on
from tasks.documents import keep
from tasks.ending import EXIT_CODES, Ending, Status
from tasks.expiries import expiring_secrets
from tasks.extract import Extracted
from tasks.step import step
from tasks.trend import last_runs
from tasks.workshop import Workshop

__all__ = ["RunSoFar", "report"]

_UNSENT: dict[Status, Literal["planned", "held", "not_sent"]] = {"planned": "planned", "held": "held"}


@dataclass
class RunSoFar:
    """What is known of a run while it goes on; whatever ends it, this much is reported."""

    run: Run
    plan: Plan | None = None
    approved: bool = False
    extracted: Extracted | None = None
    source: SourceSnapshot | None = None
    """As it was normalized."""
    source_stats: SourceStats | None = None
    requests: dict[str, int] = field(default_factory=dict)
    before: int = 0
    """Requests that the target had been sent when the run began."""
    sent: bool = False
    """Whether the plan began to be applied."""
    stale: bool = False
    """Whether the target is not what the plan starts from."""
    busy: bool = False
    """Whether another run has the target."""
    unknown: bool = False


@step(shown=False)
async def report(shop: Workshop, so_far: RunSoFar, status: Status, message: str, next_step: str) -> Ending:
    """Write everything down and end the run. The document is stored before the ledger says that the run ended.

    A document that cannot be stored changes nothing in how the run ended, and is told of: the ledger has the results.
    """
    plan = so_far.plan
    ended = datetime.now(UTC)
    so_far.requests.setdefault("target", shop.target.requests - so_far.before)
    journal = shop.ledger.journal.entries(plan.id) if plan is not None and so_far.sent else pl.DataFrame(schema=JOURNAL)
    unsent = _UNSENT.get(status, "not_sent")
    people = pl.DataFrame(schema=PEOPLE_RESULTS) if plan is None else people_results(plan, journal, unsent=unsent)
    applied = operation_counts(plan, journal) if plan is not None and so_far.sent else {}
    done = _done(shop, so_far)
    header = _header(shop, so_far, status, message, ended)
    header = header.model_copy(
        update={
            "applied": applied,
            "done": dict(sorted(done["kind"].value_counts().iter_rows())),
            "outcomes": dict(sorted(people["outcome"].value_counts().iter_rows())),
            "groups": [] if plan is None else group_results(plan.operations, plan.origins, journal, unsent=unsent),
        }
    )
    written: Document | None = None
    try:
        written = await keep(
            shop.documents, shop.sync.name, so_far.run.id, document(header, lambda: people.iter_slices(AT_ONCE))
        )
    except Exception as error:  # noqa: BLE001 - each store has errors of its own, and what was applied stays applied
        message = f"{message}. {_not_written(shop.documents, so_far.run.id, error)}"
    shop.ledger.results.put(so_far.run.id, people)
    if written is not None:
        shop.ledger.results.put_document(so_far.run.id, written)
    shop.ledger.runs.finish(
        so_far.run.id,
        "failed" if status == "refused" else status,
        error=None if status in {"succeeded", "nothing_to_do", "planned"} else message,
        plan_id=None if plan is None else plan.id,
        header={
            **header.model_dump(mode="json", exclude={"groups"}),
            "sync_file": str(shop.path.absolute()),
            "next": next_step,
        },
        source_stats=None if so_far.source_stats is None else so_far.source_stats.model_dump(),
        ended_at=ended,
    )
    location = None if written is None else written.location
    standing = (so_far.stale, so_far.busy, so_far.unknown)
    ending = Ending(so_far.run.id, status, plan, message, next_step, applied, location, *standing)
    shown = last_runs(shop.ledger, shop.sync.name)
    await publish(ending, header, most_rows=shop.sync.report.table_rows, last_runs=shown)
    expiring = expiring_secrets(shop.sync, shop.clock().date()) if so_far.run.mode == "sync" else []
    lost = lost_access(done)
    announce(events_of_run(header, message=message, next_step=next_step, deactivated=lost, expiring=expiring))
    return ending


def _done(shop: Workshop, so_far: RunSoFar) -> pl.DataFrame:
    """The operations that this run had acknowledged; of a plan that was begun before, not those of earlier runs."""
    plan = so_far.plan
    if plan is None or not so_far.sent:
        return pl.DataFrame(schema=OPERATIONS)
    ours = shop.ledger.journal.done_in(plan.id, so_far.run.id)
    return plan.operations.join(ours, on="seq", how="semi", maintain_order="left")


def _header(shop: Workshop, so_far: RunSoFar, status: Status, message: str, ended: datetime) -> RunHeader:
    plan, run = so_far.plan, so_far.run
    common = RunHeader(
        id=run.id,
        sync=run.sync,
        mode=run.mode,
        status=status,
        exit_code=EXIT_CODES[status],
        plan_id=None,
        source=shop.names.source,
        target=shop.names.target,
        started_at=run.started_at,
        ended_at=ended,
        guard=None,
        requests=so_far.requests,
        error=None if status in {"succeeded", "nothing_to_do", "planned"} else message,
    )
    if plan is None:
        return common
    header = plan.header
    return common.model_copy(
        update={
            "plan_id": plan.id,
            "guard": _said_by_guard(plan, approved=so_far.approved),
            "decision": _decision(shop, plan),
            "findings": list(header.waiting.findings if header.waiting else header.held),
            "waiting_plan": header.waiting.plan if header.waiting else None,
            "source_complete": header.complete,
            "source_findings": list(header.source_findings),
            "withheld": header.withheld,
            "counts": header.counts,
            "left_behind": list(header.left_behind),
            "seats": {"used": header.seats_used, "after": header.seats_after, "maximum": header.seats_maximum},
        }
    )


def _decision(shop: Workshop, plan: Plan) -> PlanDecision | None:
    said = decided_on(shop.ledger, plan.id)
    return None if said is None else PlanDecision(decision=said.decision, by=said.by, at=said.at, comment=said.comment)


def _not_written(place: str, run_id: str, error: Exception) -> str:
    why = f"{type(error).__name__}: {error}"
    return f"Its document could not be written to {place} ({why}); `usersync results {run_id} --json` tells the same"


def _said_by_guard(plan: Plan, *, approved: bool) -> Literal["clear", "held", "approved"]:
    if plan.header.waiting is not None:
        return "held"
    return "clear" if not plan.held else "approved" if approved else "held"
