"""docs/operate.md on the ledger: a backup that is brought back, and a move to PostgreSQL, in the middle of things."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import attempt
from tests import postgresql
from tests.e2e.stage import Stage, staged


def ledger_file(stage: Stage) -> Path:
    return Path(stage.ledger_url.removeprefix("sqlite:///"))


def lose_ledger(stage: Stage) -> None:
    for file in stage.folder.glob("ledger.db*"):
        file.unlink()


def test_a_backup_of_yesterday_costs_no_one_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = tmp_path / "backups" / "yesterday.db"
    with staged(tmp_path, monkeypatch) as stage:
        stage.sync()
        assert attempt(["copy-ledger", str(backup), "--ledger", stage.ledger_url]) == 0
        assert f"copied to sqlite:///{backup}" in capsys.readouterr().out.replace("\n", "")
        joiners = stage.company.hire(2)
        leaver, mover = stage.active(2)
        stage.company.leave(leaver.id)
        stage.company.rename(mover.id, "Married")
        assert stage.sync().ending.exit_code == 0
        as_it_should_be = stage.snapshot()

        lose_ledger(stage)
        assert attempt(["copy-ledger", str(ledger_file(stage)), "--ledger", f"sqlite:///{backup}"]) == 0
        stage.mark()
        repaired = stage.sync()
        assert repaired.ending.exit_code == 0
        # The accounts that were made since are found by their names, and nobody is made or taken anything from twice.
        assert {person["username"] for person in repaired.with_outcome("created", "renamed", "deleted")} == set()
        assert stage.effects == []
        assert stage.snapshot() == as_it_should_be
        assert {repaired.people[joiner.username]["external_id"] for joiner in joiners} == {
            stage.okta.state.user_id(joiner.id) for joiner in joiners
        }
        stage.assert_settled()


def test_without_any_backup_the_guard_is_not_asked_to_remove_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(tmp_path, monkeypatch) as stage:
        stage.sync()
        lose_ledger(stage)
        stage.mark()
        assert stage.sync().ending.exit_code == 0
        assert stage.effects == []
        stage.assert_settled()


@pytest.mark.slow
def test_a_ledger_that_moved_to_postgresql_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := postgresql.missing():
        pytest.skip(reason)
    with postgresql.server() as url, staged(tmp_path, monkeypatch) as stage:
        first = stage.sync()
        assert attempt(["copy-ledger", url, "--ledger", stage.ledger_url]) == 0
        lose_ledger(stage)
        monkeypatch.setattr(Stage, "ledger_url", url)
        assert stage.document(first.ending.run_id) == first.document
        stage.assert_settled()
        (joiner,) = stage.company.hire(1)
        assert stage.sync().people[joiner.username]["outcome"] == "created"
        stage.assert_settled()
