"""Downloads of a run's people from `usersync serve`: peak memory of its process, and seconds until the last byte.

Run: `.venv/bin/python benchmarks/download_people.py [people]`. A ledger with one run of 1,000,000 people with three
groups each, 2 % of whom had an operation. Everybody, and the 2 % by `outcome=updated`, each from a service of its own
that did nothing before; `idle` is what that holds before it is asked. Prints one line of JSON. Exit code 1 over the bar
of 400 MiB.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path

import httpx
import polars as pl
import pytest

import ledger as ledgers
from ledger.opening import Ledger
from reconcile.plan import Plan, PlanHeader
from reconcile.results import people_results
from tasks.plans import store_plan
from tests.e2e.served_office import ServedOffice, prepared_office, served_office

BAR_MIB = 400
GROUPS = 3_000
EACH = 3
TOUCHED = 50
"""One person in so many had an operation."""
GROUP_OPERATIONS = 50


def plan_of(people: int) -> Plan:
    number = pl.col("number")
    everybody = pl.DataFrame({"number": pl.int_range(people, eager=True)}).with_columns(
        number.cast(pl.String).str.zfill(9).alias("external_id")
    )
    of_them = [((number * 7 + one * 977) % GROUPS).cast(pl.UInt64) for one in range(EACH)]
    updated = pl.when(number % TOUCHED == 0).then(pl.lit("updated")).otherwise(pl.lit("unchanged"))
    department = pl.concat_str([pl.lit('{"department":"department '), number % 40, pl.lit('"}')])
    verdicts = everybody.select(
        "external_id",
        pl.format("person.{}", "external_id").alias("username"),
        updated.alias("outcome"),
        pl.lit("in the required group bitbucket-users through staff").alias("reason"),
        department.alias("attributes"),
        pl.concat_list(of_them).alias("grants"),
        pl.lit(None, pl.String).alias("next_stage"),
        pl.lit(None, pl.Date).alias("next_stage_on"),
    )
    grants = pl.DataFrame({"grant": pl.int_range(GROUPS, eager=True, dtype=pl.UInt64)}).with_columns(
        pl.format("group-{}", "grant").alias("group"), pl.format("staff > group-{}", "grant").alias("path")
    )
    return Plan(
        PlanHeader(sync="staff", source="benchmark", target="bitbucket", complete=True),
        operations(verdicts.filter(pl.col("outcome") == "updated")),
        verdicts,
        grants,
    )


def operations(touched: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(None, pl.String)
    groups = pl.DataFrame({"group": [f"new-{one}" for one in range(GROUP_OPERATIONS)]})
    both = pl.concat(
        [
            groups.with_columns(pl.lit("create_group").alias("kind")),
            touched.with_columns(pl.lit("update_user").alias("kind")),
        ],
        how="diagonal",
    )
    address = pl.concat_str([pl.lit('{"email":"'), "username", pl.lit('@example.com"}')])
    return both.with_row_index("seq").select(
        pl.col("seq").cast(pl.UInt32),
        "kind",
        "external_id",
        pl.col("external_id").alias("account_id"),
        "username",
        "group",
        nothing.alias("before"),
        address.alias("after"),
        nothing.alias("reason"),
    )


def put_run(book: Ledger, people: int) -> str:
    """A run whose plan was applied. Returns its id."""
    plan = plan_of(people)
    run = book.runs.start(sync="staff", mode="sync", target="bitbucket")
    plan_id = store_plan(book, plan).id
    seqs = plan.operations["seq"].to_list()
    book.journal.sent(plan_id, run.id, seqs)
    book.journal.done(plan_id, run.id, seqs)
    book.results.put(run.id, people_results(plan, book.journal.entries(plan_id), unsent="not_sent"))
    header = {
        "id": run.id,
        "sync": "staff",
        "mode": "sync",
        "status": "succeeded",
        "exit_code": 0,
        "plan_id": plan_id,
        "source": "benchmark",
        "target": "bitbucket",
        "started_at": run.started_at.isoformat(),
        "ended_at": None,
        "guard": "clear",
        "applied": {"done": len(seqs)},
    }
    book.runs.finish(run.id, "succeeded", plan_id=plan_id, header=header)
    return run.id


def held(pid: int, what: str) -> int:
    """MiB that a process holds (VmRSS), or held at most (VmHWM)."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found
    return int(found[1]) // 1024


def measured(office: ServedOffice, token: str, run: str, **only: str) -> dict[str, float]:
    with served_office(office) as running, httpx.Client(base_url=running.address, timeout=600) as client:
        bearer = {"Authorization": f"Bearer {token}"}
        client.get("/api/syncs", headers=bearer).raise_for_status()
        idle = held(running.pid, "VmRSS")
        began, first, size, last = time.monotonic(), 0.0, 0, b""
        with client.stream("GET", f"/api/runs/{run}/results", headers=bearer, params=only) as answer:
            answer.raise_for_status()
            for piece in answer.iter_raw():
                first = first or time.monotonic() - began
                size += len(piece)
                last = piece
        assert last.endswith(b"]}\n"), "the document was cut off"
        seconds = time.monotonic() - began
        return {
            "idle_mib": idle,
            "peak_mib": held(running.pid, "VmHWM"),
            "first_byte_seconds": round(first, 2),
            "seconds": round(seconds, 1),
            "mb": round(size / 1e6),
        }


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as monkeypatch,
        prepared_office(Path(folder), monkeypatch) as office,
    ):
        with ledgers.open(office.ledger_url) as book:
            run = put_run(book, people)
        token = office.token("read")
        found = {
            "people": people,
            "everybody": measured(office, token, run),
            "updated": measured(office, token, run, outcome="updated"),
        }
        print(json.dumps(found))
        monkeypatch.chdir("/")
    if any(found[kind]["peak_mib"] > BAR_MIB for kind in ("everybody", "updated")):  # type: ignore[index]
        raise SystemExit(1)


if __name__ == "__main__":
    main()
