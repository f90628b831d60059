"""A ledger copied to another place is the same ledger, between SQLite and PostgreSQL either way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import create_engine, inspect, text

import ledger
from directory.errors import ConfigurationError
from ledger import copying
from ledger.migrations import VERSION_TABLE
from ledger.schema import Table
from reconcile.plan import Plan
from tasks.bookkeeping import Bookkeeper
from tasks.plans import store_plan
from tests.builders import account, person, plan_of, source, target

EVERYTHING = Table.metadata.sorted_tables


def a_plan(people: int = 30) -> Plan:
    return plan_of(
        source([person(f"s{n}", f"user{n}") for n in range(people)], {"dev": [f"s{n}" for n in range(people)]}),
        target([account("admin")]),
    )


def filled(book: ledger.Ledger) -> Plan:
    """A ledger of a run that was applied, in whose tables there is something of most kinds."""
    plan = a_plan()
    store_plan(book, plan)
    run = book.runs.start(sync=plan.header.sync, mode="sync", target=plan.header.target, plan_id=plan.id)
    books = Bookkeeper(book, plan, run.id)
    for kind, seq in plan.operations.select("kind", "seq").iter_rows():
        books.acknowledge(kind, [seq])
    book.leases.acquire(plan.header.target, run.id)
    return plan


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, read without the ledger's code."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        tables = set(inspect(connection).get_table_names()) - {VERSION_TABLE}
        assert tables == {table.name for table in EVERYTHING}
        rows = {
            table.name: sorted(tuple(map(str, row)) for row in connection.execute(table.select()))
            for table in EVERYTHING
        }
        assert connection.execute(text(f"SELECT count(*) FROM {VERSION_TABLE}")).scalar_one() == 1
    engine.dispose()
    return rows


def test_there_and_back_again_is_the_same_ledger(url: str, tmp_path: Path) -> None:
    away = f"sqlite:///{tmp_path / 'away' / 'copy.db'}"
    back = f"sqlite:///{tmp_path / 'back' / 'copy.db'}"
    with ledger.open(url) as book, ledger.open(away) as copied:
        plan = filled(book)
        rows = book.copy_to(copied)
    assert rows["links"] == 30
    assert rows["journal"] == plan.operations.height
    with ledger.open(away) as copied, ledger.open(back) as again:
        copied.copy_to(again)
    expected = contents(url) | {"leases": []}
    assert contents(away) == contents(back) == expected
    assert {table for table, found in expected.items() if found} >= {"runs", "plans", "plan_frames", "journal", "links"}


def test_a_backup_is_brought_back_to_where_it_was_made(url: str, tmp_path: Path) -> None:
    backup = f"sqlite:///{tmp_path / 'backup.db'}"
    with ledger.open(backup) as copied:
        plan = filled(copied)
    with ledger.open(backup) as copied, ledger.open(url) as book:
        copied.copy_to(book)
    with ledger.open(url) as book:
        assert book.journal.entries(plan.id)["status"].to_list() == ["done"] * plan.operations.height
        assert book.links.frame(plan.header.sync).select(pl.len()).item() == 30
        assert book.leases.acquire(plan.header.target, "the-next-run").target == plan.header.target


def test_what_is_there_is_not_overwritten(url: str, tmp_path: Path) -> None:
    with ledger.open(url) as book, ledger.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        filled(other)
        plan = filled(book)
        before = contents(url)
        with pytest.raises(ConfigurationError, match="not empty"):
            other.copy_to(book)
        assert contents(url) == before
        assert book.plans.get(plan.id).id == plan.id


def test_a_run_that_goes_on_does_not_tear_the_copy(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed while the copy is made is in none of its tables, or the journal would know unknown plans."""
    with ledger.open(url) as book, ledger.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        filled(book)
        pages = copying._pages
        written: list[str] = []

        def slow(connection: Any, table: Any) -> Any:
            yield from pages(connection, table)
            if not written:
                written.append(table.name)
                run = book.runs.start(sync="late", mode="sync", target="elsewhere")
                late = a_plan(3)
                store_plan(book, late)
                Bookkeeper(book, late, run.id).acknowledge(late.operations["kind"][0], [late.operations["seq"][0]])

        monkeypatch.setattr("ledger.copying._pages", slow)
        book.copy_to(other)
        assert written
        assert [run.sync for run in other.runs.latest()] == ["test"]
