"""What runs for single people leave ready for the next, and when they do not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import pytest

from directory.errors import ConfigurationError
from flows.orders import Order
from service.person_runs import PersonRuns
from tasks.workshop import Workshop, open_workshop
from tests.small_office import STAFF
from tests.unit.service.conftest import Office


@contextmanager
def at_work(office: Office, **given: float) -> Iterator[Callable[[str], str]]:
    """Gives a function that brings somebody up to date and tells the status of the run."""
    runs = PersonRuns(office.settings.ledger_url, wait_seconds=20, **given)
    sync_file = str(office.folder / "syncs" / "staff.yaml")
    try:
        yield lambda name: runs.run(Order("person", sync_file, person=name)).status
    finally:
        runs.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sync files, as often as a workshop was opened for one."""
    seen: list[str] = []

    def noting(path: Path, *, ledger_url: str) -> AbstractAsyncContextManager[Workshop]:
        seen.append(path.name)
        return open_workshop(path, ledger_url=ledger_url)

    monkeypatch.setattr("service.person_runs.open_workshop", noting)
    return seen


def test_the_second_person_finds_everything_ready(office: Office, opened: list[str]) -> None:
    with at_work(office) as run:
        assert [run("ann"), run("ben"), run("ben")] == ["succeeded", "succeeded", "nothing_to_do"]
    assert opened == ["staff.yaml"]
    runs = office.ledger.runs.latest()
    # Each tells its own requests, not those since the connections were made.
    counted = [run.header["requests"]["target"] for run in runs]
    assert sum(counted) == len(office.bitbucket.requests)
    assert min(counted) > 0


def test_people_at_the_same_time_do_not_share_what_they_work_with(office: Office, opened: list[str]) -> None:
    with at_work(office) as run, ThreadPoolExecutor(3) as threads:
        assert set(threads.map(run, ["ann", "ben", "cleo"])) == {"succeeded"}
        assert len(opened) == 3
        assert run("dan") == "succeeded"
    assert len(opened) == 3


def test_a_sync_file_that_was_changed_is_read_again(office: Office, opened: list[str]) -> None:
    with at_work(office) as run:
        assert run("ann") == "succeeded"
        office.write_sync_file("people:\n  exclude: username = 'ben'\n")
        assert run("ben") == "nothing_to_do"
        office.write_sync_file("peple: {}\n")
        with pytest.raises(ConfigurationError, match="peple"):
            run("ben")
    assert opened == ["staff.yaml"] * 3


def test_after_trouble_everything_is_opened_anew(office: Office, opened: list[str]) -> None:
    with at_work(office) as run:
        assert run("ann") == "succeeded"
        (office.folder / "people.csv").unlink()
        assert run("ben") == "failed"
        office.write_people(STAFF)
        assert run("ben") == "succeeded"
    assert len(opened) == 2


@pytest.mark.parametrize("given", [{"idle_seconds": 0.2}, {"oldest_seconds": 0.2}], ids=["idle", "old"])
def test_what_was_kept_long_enough_is_closed(office: Office, opened: list[str], given: dict[str, float]) -> None:
    with at_work(office, **given) as run:
        assert run("ann") == "succeeded"
        files = len(list(Path("/proc/self/fd").iterdir()))
        time.sleep(0.5)
        if "idle_seconds" in given:
            assert len(list(Path("/proc/self/fd").iterdir())) < files, "the ledger of nobody is still open"
        assert run("ben") == "succeeded"
    assert len(opened) == 2


def test_nothing_is_left_when_it_is_closed(office: Office) -> None:
    before = set(threading.enumerate())
    with at_work(office) as run:
        run("ann")
        assert "person-runs" in {thread.name for thread in set(threading.enumerate()) - before}
    assert set(threading.enumerate()) <= before
