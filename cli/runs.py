"""`usersync sync`, `runs` and `results`."""

# ruff: noqa: FBT002, PLC0415 -- Typer's options are such defaults; a command imports what it needs when it runs

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from cli.options import AsJson, Full, LedgerUrl, SyncArgument

if TYPE_CHECKING:
    import polars as pl

    from ledger.results import Document
    from ledger.runs import Run

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
    from tasks.records import run_as_json

    with looked_up(ledger) as book:
        found = book.runs.latest(sync=sync, limit=limit)
    if as_json:
        whole_json([run_as_json(run) for run in found])
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
    from cli.books import looked_up
    from tasks.records import find_run, people_of, results_document

    with looked_up(ledger) as book:
        run = find_run(book, run_id)
        document = book.results.document(run.id)
        if stored:
            _stored_document(run, document)
            return
        if as_json:
            from cli.output import as_bytes

            as_bytes(results_document(book, run, person=person, outcome=outcome))
            return
        people = people_of(book, run, person=person, outcome=outcome)
    _tell(run, people, document.location if document else None, one=person is not None, everything=everything)


def _stored_document(run: Run, document: Document | None) -> None:
    """What the run stored, checked against what the ledger noted of it."""
    from cli.output import as_bytes
    from tasks.documents import fetch
    from tasks.records import stored_document

    as_bytes(fetch(stored_document(run, document)))


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
