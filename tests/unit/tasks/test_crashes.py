"""Whose end the next run tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import ledger as ledgers
from ledger.opening import Ledger
from ledger.results import Document
from reconcile.results import PEOPLE_RESULTS
from tasks.crashes import unreported
from tasks.memory import remembered
from tasks.plans import store_plan
from tests.builders import NOW, plan_of, policy, source, target


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with ledgers.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def crashed(book: Ledger, *, plan: bool = True, written: int = 0) -> str:
    """A run that was killed when so much of its report was written: results, document, and the end itself."""
    there = target([], {})
    stored = plan_of(source([]), there, remembered(book, "test", there, NOW), policy())
    store_plan(book, stored)
    run = book.runs.start(sync="test", mode="sync", target="target", plan_id=stored.id if plan else None)
    if written > 0:
        book.results.put(run.id, pl.DataFrame(schema=PEOPLE_RESULTS))
    if written > 1:
        book.results.put_document(run.id, Document(f"{run.id}.json", 10, "a" * 64))
    book.runs.finish(run.id, "crashed", header={"status": "crashed"} if written > 2 else None)
    return run.id


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_run_that_was_killed_anywhere_in_its_report_is_reported_by_the_next(book: Ledger, written: int) -> None:
    run_id = crashed(book, written=written)
    assert [run.id for run in unreported(book, "test")] == [run_id]
    assert unreported(book, "another") == []


def test_a_run_whose_end_is_told_or_that_had_no_plan_is_not_reported_again(book: Ledger) -> None:
    crashed(book, written=3)
    crashed(book, plan=False)
    assert unreported(book, "test") == []
