"""A run that waits in vain for another one on the same target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.state import state_of
from tests.e2e.stage import Stage, staged


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, monkeypatch) as set_up:
        yield set_up


def test_a_run_that_waited_in_vain_says_so_and_the_next_one_does_what_it_was_to_do(stage: Stage) -> None:
    stage.sync()
    stage.company.hire(2)
    with stage.ledger() as ledger:
        (first,) = ledger.runs.latest(limit=1)
        other = ledger.runs.start(sync="other", mode="sync", target=first.target)
        lease = ledger.leases.acquire(first.target, other.id)
        stage.mark()
        busy = stage.sync()
        assert (busy.ending.status, busy.ending.exit_code, busy.ending.busy) == ("failed", 1, True)
        assert stage.requests == []
        state = state_of(busy.ending)
        assert (str(state.name), state.type.value) == ("Target busy", "FAILED")
        assert other.id in str(state.message)
        lease.release()
        ledger.runs.finish(other.id, "succeeded")
    assert stage.sync().ending.exit_code == 0
    stage.assert_settled()
