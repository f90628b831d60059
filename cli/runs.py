"""`usersync sync`, `runs` and `results`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from cli.options import AsJson, Full, LedgerUrl, SyncArgument
from directory.errors import UnknownRecord

if TYPE_CHECKING:
    import polars as pl

    from ledger.opening import Ledger
    from ledger.results import Document
    from ledger.runs import Run
    from reconcile.results import OperationResult

__all__ = ["list_runs", "results", "sync"]

OutcomeName = Literal[
    "created",
    "updated",
    "renamed",
    "reactivated",
    "access_removed",
    "anonymised",
    "deleted",
    "erased",
    "leaving",
    "inactive",
    "unchanged",
    "filtered",
    "conflict",
    "held",
    "failed",
]
_MANY = 20
_UNSENT: Mapping[str, Literal["planned", "held"]] = {"planned": "planned", "held": "held"}


def sync(sync: SyncArgument, full: Full = False, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Make Bitbucket equal to the source. A plan that the guard holds is not applied."""
    from cli.conducting import Order
    from cli.running import carry_out

    raise typer.Exit(carry_out(Order("sync", sync, ledger, full=full), as_json=as_json))


def list_runs(
    sync: Annotated[str | None, typer.Option("--sync", metavar="NAME", help="Only runs of this sync.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = _MANY,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the latest runs and how they ended."""
    from cli.books import looked_up
    from cli.output import answers, say, whole_json, width_of
    from cli.render.run import runs_lines

    with looked_up(ledger) as book:
        found = book.runs.latest(sync=sync, limit=limit)
    if as_json:
        whole_json([_run_as_json(run) for run in found])
        return
    console = answers()
    say(console, runs_lines(found, width=width_of(console)))


def results(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, the beginning of it, or `latest`.")],
    person: Annotated[
        str | None, typer.Option("--person", metavar="WHO", help="One person, by username or the source's id.")
    ] = None,
    outcome: Annotated[
        OutcomeName | None,
        typer.Option(
            "--outcome", metavar="OUTCOME", help=f"Only people of one outcome: {', '.join(get_args(OutcomeName))}."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every row, however many there are.")] = False,
    stored: Annotated[
        bool, typer.Option("--document", help="Write the stored document as it is, from wherever it lies.")
    ] = False,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """What a run meant for everybody, or for one person."""
    import polars as pl

    from cli.books import find_run, looked_up

    with looked_up(ledger) as book:
        run = find_run(book, run_id)
        people = book.results.person(run.id, person) if person else book.results.people(run.id).collect()
        document = book.results.document(run.id)
        if stored:
            _stored_document(run, document)
            return
        groups = _group_operations(book, run) if as_json else []
    if outcome is not None:
        people = people.filter(pl.col("outcome") == outcome)
    if person is not None and people.is_empty():
        raise UnknownRecord(
            f"the run knows nobody with the username or the id {person!r}",
            subject=f"run {run.id}",
            next_step=f"`usersync results {run.id} --all` lists everybody",
        )
    if as_json:
        _results_as_json(run, people, groups)
        return
    _tell(run, people, document.location if document else None, one=person is not None, everything=everything)


def _stored_document(run: Run, document: Document | None) -> None:
    """What the run stored, checked against what the ledger noted of it."""
    from cli.output import as_bytes
    from tasks.documents import fetch

    if document is None:
        raise UnknownRecord(
            "the run left no document: it still runs, it crashed, or the store did not take it",
            subject=f"run {run.id}",
            next_step=f"`usersync results {run.id} --json` tells what the ledger knows",
        )
    as_bytes(fetch(document))


def _tell(run: Run, people: pl.DataFrame, document: str | None, *, one: bool, everything: bool) -> None:
    from cli.output import answers, say, width_of
    from cli.render.run import people_lines, person_lines, run_lines

    console = answers()
    width = width_of(console)
    if one:
        for row in people.iter_rows(named=True):
            say(console, person_lines(row, width=width))
        return
    say(console, run_lines(run, document=document, width=width))
    say(console, people_lines(people, run.id, most=None if everything else _MANY, width=width))


def _run_as_json(run: Run) -> dict[str, Any]:
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


def _group_operations(book: Ledger, run: Run) -> list[OperationResult]:
    """What the run did to groups, which is no person's result."""
    import polars as pl

    from reconcile.results import JOURNAL, group_results
    from tasks.plans import stored_plan

    if run.plan_id is None:
        return []
    _, plan = stored_plan(book, run.plan_id)
    journal = pl.DataFrame(schema=JOURNAL)
    if run.header.get("applied"):
        # A later run of the same plan is not this run's doing.
        journal = book.journal.entries(plan.id).filter(pl.col("at") <= run.ended_at)
    return group_results(plan, journal, unsent=_UNSENT.get(run.status, "not_sent"))


def _results_as_json(run: Run, people: pl.DataFrame, groups: list[OperationResult]) -> None:
    """A document as `usersync schema results` describes it, of the people that were asked for."""
    from cli.output import as_bytes
    from reconcile.results import RunHeader, document

    known = {name: value for name, value in run.header.items() if name in RunHeader.model_fields}
    header = RunHeader.model_validate(known).model_copy(update={"groups": groups})
    as_bytes(document(header, people))
