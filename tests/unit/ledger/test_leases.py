from __future__ import annotations

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import ledger
from directory.errors import LeaseTaken
from ledger.database import Database
from ledger.process import Process
from tests.unit.ledger.entries import TARGET, a_run

SHORT = timedelta(milliseconds=50)

HOLDER = """
import sys, time
import ledger

url, target = sys.argv[1:]
book = ledger.open(url)
run = book.runs.start(sync="okta", mode="sync", target=target)
book.leases.acquire(target, run.id)
print(run.id, flush=True)
time.sleep(60)
"""

RIVAL = """
import sys, time
import ledger
from directory.errors import LeaseTaken

url, target, diary, name = sys.argv[1:]
book = ledger.open(url)
held = 0
while held < 15:
    try:
        lease = book.leases.acquire(target, name)
    except LeaseTaken:
        time.sleep(0.002)
        continue
    for word in ("enters", "leaves"):
        with open(diary, "a") as page:
            page.write(f"{name} {word}\\n")
        time.sleep(0.001)
    lease.release()
    held += 1
"""


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on this process calls itself one of another machine."""
    monkeypatch.setattr("ledger.leases.current", lambda: Process("other-host", 77, "boot/pid:[1]/123"))


def test_a_second_run_is_told_who_holds_the_lease_since_when_and_what_to_do(book: ledger.Ledger):
    holder, other = a_run(book), a_run(book)
    book.leases.acquire(TARGET, holder)

    with pytest.raises(LeaseTaken) as caught:
        book.leases.acquire(TARGET, other)

    said = str(caught.value)
    run = book.runs.get(holder)
    assert f"{TARGET}: run {holder} (process {run.pid} on {run.host}) has been writing to it since " in said
    assert "Not done: nothing was sent to the target. Next: wait until that run has ended" in said


def test_targets_do_not_get_in_each_others_way(book: ledger.Ledger):
    book.leases.acquire(TARGET, "one")

    assert book.leases.acquire("https://other.example", "two").took_over is None


def test_a_released_lease_is_free(book: ledger.Ledger):
    with book.leases.acquire(TARGET, "one") as lease:
        lease.renew()
    lease.release()

    assert book.leases.acquire(TARGET, "two").took_over is None


def test_a_lease_is_released_when_its_run_fails(book: ledger.Ledger):
    with pytest.raises(ZeroDivisionError), book.leases.acquire(TARGET, "one"):
        _ = 1 / 0

    book.leases.acquire(TARGET, "two")


def test_a_lease_that_ran_out_is_taken_over_and_its_run_noted_as_crashed(
    book: ledger.Ledger, monkeypatch: pytest.MonkeyPatch
):
    holder = a_run(book)
    with monkeypatch.context() as patch:
        elsewhere(patch)
        book.leases.acquire(TARGET, holder, ttl=SHORT)
        with pytest.raises(LeaseTaken, match=r"process 77 on other-host"):
            book.leases.acquire(TARGET, "other")
    time.sleep(SHORT.total_seconds())

    lease = book.leases.acquire(TARGET, "other")

    assert lease.took_over == holder
    assert book.runs.get(holder).status == "crashed"
    assert "process 77 on other-host stopped without releasing its lease" in str(book.runs.get(holder).error)


def test_a_run_whose_own_lease_ran_out_may_take_it_again(book: ledger.Ledger):
    run_id = a_run(book)
    book.leases.acquire(TARGET, run_id, ttl=timedelta(0))

    assert book.leases.acquire(TARGET, run_id).took_over is None
    assert book.runs.get(run_id).status == "running"


def test_the_lease_of_a_killed_process_of_this_machine_is_taken_over_at_once(book: ledger.Ledger, url: str):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, url, TARGET], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    run_id = holder.stdout.readline().strip()
    with pytest.raises(LeaseTaken, match=run_id):
        book.leases.acquire(TARGET, "other")
    holder.kill()
    holder.stdout.close()
    holder.wait()

    assert book.leases.acquire(TARGET, "other").took_over == run_id
    assert book.runs.get(run_id).status == "crashed"


def test_a_renewed_lease_outlives_its_time(book: ledger.Ledger):
    ttl = timedelta(milliseconds=600)
    lease = book.leases.acquire(TARGET, "one", ttl=ttl)
    end = time.monotonic() + 2 * ttl.total_seconds()
    while time.monotonic() < end:
        time.sleep(0.05)
        lease.renew()

    with pytest.raises(LeaseTaken, match="run one"):
        book.leases.acquire(TARGET, "two")


def test_a_lease_is_not_written_before_a_third_of_its_time_has_gone_by(book: ledger.Ledger, url: str):
    def expires_at() -> int:
        with database.read() as connection:
            return int(connection.execute(text("SELECT expires_at FROM leases")).scalar_one())

    database = Database(url)
    lease = book.leases.acquire(TARGET, "one", ttl=timedelta(seconds=1.5))
    first = expires_at()

    lease.renew()
    assert expires_at() == first
    time.sleep(0.5)
    lease.renew()
    assert expires_at() > first
    database.close()


def test_a_run_that_slept_through_its_lease_is_told_that_another_took_over(book: ledger.Ledger):
    lease = book.leases.acquire(TARGET, "sleeper", ttl=SHORT)
    time.sleep(SHORT.total_seconds())
    book.leases.acquire(TARGET, "other")

    with pytest.raises(LeaseTaken, match=r"run sleeper did not renew its lease in time, and run other on .* took over"):
        lease.renew()

    lease.release()
    with pytest.raises(LeaseTaken, match="run other"):
        book.leases.acquire(TARGET, "third")


def test_two_processes_never_hold_one_lease_together(url: str, tmp_path: Path):
    ledger.open(url).close()
    diary = tmp_path / "diary"
    rivals = [
        subprocess.Popen([sys.executable, "-c", RIVAL, url, TARGET, str(diary), name]) for name in ("left", "right")
    ]
    assert [rival.wait() for rival in rivals] == [0, 0]

    lines = diary.read_text().splitlines()
    assert len(lines) == 60
    for entered, left in zip(lines[::2], lines[1::2], strict=True):
        assert entered.replace("enters", "leaves") == left
