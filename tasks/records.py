"""Runs and plans as the ledger has them: found by what people call them, and told as JSON.

The command line with `--json` and the HTTP service say the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import polars as pl

from directory.errors import UnknownRecord
from ledger.opening import Ledger
from ledger.plans import Decided, StoredPlan
from ledger.questions import Question
from ledger.results import Document
from ledger.runs import Run
from reconcile.explain import why as verdicts_on
from reconcile.plan import Plan
from reconcile.results import JOURNAL, OperationResult, RunHeader, document, group_results
from tasks.ending import Ending
from tasks.plans import origins_of

__all__ = [
    "ending_as_json",
    "find_run",
    "known_person",
    "listed_plan_as_json",
    "people_of",
    "plan_as_json",
    "results_document",
    "run_as_json",
    "stored_document",
    "sync_file_of",
]

_ENOUGH = 1000
_UNSENT: Mapping[str, Literal["planned", "held"]] = {"planned": "planned", "held": "held"}


def find_run(ledger: Ledger, name: str) -> Run:
    """By id, the beginning of it, or `latest`. Raises `UnknownRecord`."""
    if name != "latest":
        return ledger.runs.get(name)
    for run in ledger.runs.latest(limit=1):
        return run
    raise UnknownRecord("the ledger has no run yet", next_step="`usersync plan SYNC` makes one that changes nothing")


def sync_file_of(ledger: Ledger, plan_id: str) -> str:
    """The sync file of the latest run with that plan. Raises `UnknownRecord`."""
    stored = ledger.plans.get(plan_id)
    for run in ledger.runs.latest(sync=stored.sync, limit=_ENOUGH):
        if run.plan_id == stored.id and run.header.get("sync_file"):
            return str(run.header["sync_file"])
    raise UnknownRecord(
        "the ledger does not know which sync file the plan was made with",
        subject=f"plan {stored.id[:8]}",
        not_done="nothing was applied",
        next_step=f"name the sync file: `usersync apply {stored.id[:8]} SYNC`",
    )


def people_of(ledger: Ledger, run: Run, *, person: str | None = None, outcome: str | None = None) -> pl.DataFrame:
    """Rows of `PEOPLE_RESULTS`: everybody, or one by username or id, or those of one outcome.

    Raises `UnknownRecord` for a run without results and for a person whom it does not know.
    """
    if person is None:
        everybody = ledger.results.people(run.id)
        return (everybody if outcome is None else everybody.filter(pl.col("outcome") == outcome)).collect()
    found = ledger.results.person(run.id, person)
    if outcome is not None:
        found = found.filter(pl.col("outcome") == outcome)
    if found.is_empty():
        raise UnknownRecord(
            f"the run knows nobody with the username or the id {person!r}",
            subject=f"run {run.id}",
            next_step=f"`usersync results {run.id} --all` lists everybody",
        )
    return found


def stored_document(run: Run, noted: Document | None) -> Document:
    """What was noted of the run's document. Raises `UnknownRecord` where there is none."""
    if noted is None:
        raise UnknownRecord(
            "the run left no document: it still runs, it crashed, or the store did not take it",
            subject=f"run {run.id}",
            next_step=f"`usersync results {run.id} --json` tells what the ledger knows",
        )
    return noted


def results_document(
    ledger: Ledger, run: Run, *, person: str | None = None, outcome: str | None = None
) -> Iterator[bytes]:
    """A document as `usersync schema results` describes it, of the people that are asked for, in pieces.

    However many they are, memory holds a part of them at a time. Raises as `people_of`, before there is a piece.
    """
    if person is not None:
        found = people_of(ledger, run, person=person, outcome=outcome)
        return document(_header(ledger, run), lambda: [found])
    parts = ledger.results.parts(run.id)
    only = pl.lit(value=True) if outcome is None else pl.col("outcome") == outcome
    return document(_header(ledger, run), lambda: (part.filter(only) for part in parts()))


def _header(ledger: Ledger, run: Run) -> RunHeader:
    known = {name: value for name, value in run.header.items() if name in RunHeader.model_fields}
    return RunHeader.model_validate(known).model_copy(update={"groups": _group_operations(ledger, run)})


def _group_operations(ledger: Ledger, run: Run) -> list[OperationResult]:
    """What the run did to groups, which is no person's result. Of a large plan only that is read."""
    if run.plan_id is None:
        return []
    plan = ledger.plans.get(run.plan_id)
    operations = ledger.plans.frame(plan.id, "operations").filter(pl.col("external_id").is_null()).collect()
    journal = pl.DataFrame(schema=JOURNAL)
    if run.header.get("applied"):
        # A later run of the same plan is not this run's doing.
        journal = ledger.journal.entries_of(plan.id, operations["seq"].to_list()).filter(pl.col("at") <= run.ended_at)
    origins = origins_of(ledger, plan.id).join(operations.lazy(), on="seq", how="semi").collect()
    return group_results(operations, origins, journal, unsent=_UNSENT.get(run.status, "not_sent"))


def run_as_json(run: Run) -> dict[str, Any]:
    """A run as `usersync runs --json` lists it."""
    return {
        "id": run.id,
        "sync": run.sync,
        "mode": run.mode,
        "status": run.status,
        "plan_id": run.plan_id,
        "target": run.target,
        "started_at": run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "flow_run_id": run.flow_run_id,
        "error": run.error,
        "header": run.header,
    }


def ending_as_json(ending: Ending) -> dict[str, Any]:
    """How a run ended, as `--json` tells it."""
    plan = ending.plan
    return {
        "run": ending.run_id,
        "status": ending.status,
        "exit_code": ending.exit_code,
        "message": ending.message,
        "next": ending.next_step,
        "plan": None if plan is None else {"id": plan.id, **plan.header.model_dump(mode="json")},
        "applied": ending.applied,
        "document": ending.document,
    }


def listed_plan_as_json(stored: StoredPlan, asked: Question | None, said: Sequence[Decided]) -> dict[str, Any]:
    """A plan as `usersync plans --json` lists it."""
    return {
        "id": stored.id,
        "sync": stored.sync,
        "state": stored.state,
        "created_at": stored.created_at.isoformat(),
        "asked_by_flow_run": None if asked is None else asked.flow_run_id,
        "asked_until": None if asked is None else asked.open_until.isoformat(),
        "decisions": [
            {"decision": one.decision, "by": one.by, "at": one.at.isoformat(), "comment": one.comment} for one in said
        ],
    }


def known_person(plan: Plan, person: str) -> pl.DataFrame:
    """The plan's verdicts on somebody. Raises `UnknownRecord` where it has none."""
    found = verdicts_on(plan, person)
    if found.is_empty():
        raise UnknownRecord(
            f"the plan knows nobody with the username or the id {person!r}",
            subject=f"plan {plan.id[:8]}",
            next_step="usernames are those in Bitbucket, ids those of the source; `usersync show PLAN --all` has many",
        )
    return found


def plan_as_json(
    stored: StoredPlan,
    plan: Plan,
    *,
    kind: str | None = None,
    person: str | None = None,
    origin: str | None = None,
) -> dict[str, Any]:
    """A plan as `usersync show --json` tells it. Raises `UnknownRecord` for a person whom it does not know."""
    operations, verdicts = plan.operations.join(plan.origins, on="seq", how="left", maintain_order="left"), None
    if origin is not None:
        operations = operations.filter(pl.col("origin") == origin)
    if kind is not None:
        operations = operations.filter(pl.col("kind") == kind)
    if person is not None:
        verdicts = known_person(plan, person)
        operations = operations.join(verdicts.select("external_id"), on="external_id", how="semi")
    return {
        "id": plan.id,
        "state": stored.state,
        "created_at": stored.created_at.isoformat(),
        "approved_by": stored.approved_by,
        "header": plan.header.model_dump(mode="json"),
        "operations": [_decoded(row) for row in operations.iter_rows(named=True)],
        **({} if verdicts is None else {"people": [_decoded(row) for row in verdicts.iter_rows(named=True)]}),
    }


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its JSON objects read."""
    objects = ("before", "after", "attributes")
    return {**row, **{name: json.loads(row[name]) for name in objects if row.get(name) is not None}}
