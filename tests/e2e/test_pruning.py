"""A ledger without its past decides and does the same as with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import ledger.retention
from tasks.pruning import age, prune
from tests.e2e.stage import Stage, staged


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(ledger.retention, "KEPT_RUNS", 1)
    with staged(tmp_path, monkeypatch) as set_up:
        yield set_up


def later() -> datetime:
    """As if all that happened were older than the age that was given."""
    return datetime.now(UTC) + timedelta(days=1)


def documents(stage: Stage) -> set[str]:
    return {path.stem for path in stage.folder.rglob("*.json") if path.stat().st_size and path.stem[:2] == "20"}


def test_the_next_plan_is_the_same_and_every_later_step_works(stage: Stage) -> None:
    first = stage.sync()
    stage.company.hire(3)
    second = stage.sync()
    stage.company.hire(2)
    third = stage.sync()
    assert third.ending.exit_code == 0
    stage.company.hire(4)
    planned = stage.make_plan()
    before = documents(stage)
    assert len(before) == 4

    with stage.ledger() as book:
        said = prune(book, later(), dry_run=True)
        assert said.dry_run
        assert said.removed["runs"][0] == 2
        assert documents(stage) == before
        done = prune(book, later())
        assert done.removed == said.removed
        assert f"{said.removed['runs'][1]:,} bytes" in done.told()
        assert prune(book, later()).removed["runs"] == (0, 0)
        left = {run.id for run in book.runs.latest(limit=100)}
    assert documents(stage) == left
    assert left == before - {first.ending.run_id, second.ending.run_id}

    again = stage.make_plan()
    assert again.plan.id == planned.plan.id
    applied = stage.apply(again.plan.id)
    assert applied.ending.exit_code == 0
    stage.company.hire(1)
    assert stage.sync().ending.exit_code == 0
    stage.assert_settled()
    assert stage.repeated() == []


def test_a_held_plan_can_be_approved_after_everything_else_was_pruned(stage: Stage) -> None:
    stage.sync()
    stage.company.lose(0.3)
    held = stage.sync()
    assert held.ending.exit_code == 3
    with stage.ledger() as book:
        prune(book, later())
    assert stage.apply(held.plan.id, approved_by="Ada").ending.exit_code == 0
    stage.assert_settled()


def test_a_run_whose_document_cannot_be_removed_stays_and_is_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.sync()
    stage.company.hire(2)
    stage.sync()
    stage.company.hire(2)
    stage.sync()

    def refuse(location: str) -> None:
        raise PermissionError(f"{location} is not yours")

    with stage.ledger() as book:
        runs = len(book.runs.latest(limit=100))
        with monkeypatch.context() as patch:
            patch.setattr("tasks.pruning.forget", refuse)
            pruned = prune(book, later())
        assert pruned.removed["runs"] == (0, 0)
        assert "is not yours" in pruned.stuck[0]
        assert len(book.runs.latest(limit=100)) == runs
        assert prune(book, later()).removed["runs"][0] == len(pruned.stuck)


@pytest.mark.parametrize(("told", "days"), [("90d", 90), ("12w", 84), ("1d", 1)])
def test_an_age_is_in_days_or_weeks(told: str, days: int) -> None:
    assert age(told) == timedelta(days=days)
