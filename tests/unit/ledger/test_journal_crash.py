"""A journal whose writer is killed at any moment has all that was promised, and nothing by halves."""

from __future__ import annotations

import random
import subprocess
import sys
import threading

import pytest

import ledger
from tests.unit.ledger.entries import PLAN, a_plan, a_run

WRITER = """
import sys
import ledger
from ledger.journal import Consequences

url, plan_id, run_id, first = sys.argv[1:]
book = ledger.open(url)
for seq in range(int(first), int(first) + 100_000):
    book.journal.sent(plan_id, run_id, [seq], call=seq)
    print("sent", seq, flush=True)
    link = {"external_id": f"person {seq}", "account_id": None, "username": f"user{seq}"}
    book.journal.done(plan_id, run_id, [seq], also=Consequences("okta", links=[link]))
    print("done", seq, flush=True)
"""


@pytest.mark.parametrize("kill", range(3))
def test_what_a_killed_process_was_promised_is_there(book: ledger.Ledger, url: str, kill: int):
    a_plan(book)
    run_id = a_run(book)
    seconds = random.uniform(0.0, 0.5)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, PLAN, run_id, str(kill * 100_000)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    promised = [writer.stdout.readline().split()]
    killer = threading.Timer(seconds, writer.kill)
    killer.start()
    promised += [line.split() for line in writer.stdout if line.endswith("\n")]
    killer.join()
    writer.stdout.close()
    assert writer.wait() == -9

    entries = dict(book.journal.entries(PLAN).select("seq", "status").iter_rows())
    sent = {int(seq) for what, seq in promised if what == "sent"}
    done = {int(seq) for what, seq in promised if what == "done"}
    assert sent <= entries.keys()
    assert done <= {seq for seq, status in entries.items() if status == "done"}
    assert len(entries) <= len(sent) + 1
    linked = {name.removeprefix("person ") for name in book.links.frame("okta")["external_id"]}
    assert linked == {str(seq) for seq, status in entries.items() if status == "done"}
    book.journal.done(PLAN, run_id, book.journal.in_doubt(PLAN)["seq"])
    assert book.journal.in_doubt(PLAN).is_empty()
