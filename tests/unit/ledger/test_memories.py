from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

import ledger
from ledger.memories import MEMORIES

MORNING = datetime(2026, 11, 24, 6, 5, 12, tzinfo=UTC)
TAKEN = pl.DataFrame(
    {
        "external_id": ["00u1", "00u1", "00u2"],
        "kind": ["group", "permission", "group"],
        "name": ["devs", "ADMIN", "devs"],
    }
)


def test_taken_access_is_remembered_with_the_run_and_the_plan_that_took_it(book: ledger.Ledger):
    book.memories.remember("okta", TAKEN, run_id="run", plan_id="plan", at=MORNING)

    assert book.memories.frame("okta").schema == pl.Schema(MEMORIES)
    assert book.memories.frame("okta").rows() == [
        ("00u1", "group", "devs", MORNING, "run", "plan"),
        ("00u1", "permission", "ADMIN", MORNING, "run", "plan"),
        ("00u2", "group", "devs", MORNING, "run", "plan"),
    ]
    assert book.memories.frame("entra").is_empty()


def test_remembering_twice_is_remembering_once(book: ledger.Ledger):
    book.memories.remember("okta", TAKEN, run_id="first", plan_id="plan", at=MORNING)
    book.memories.remember("okta", TAKEN, run_id="second", plan_id="plan", at=MORNING + timedelta(hours=1))

    assert book.memories.frame("okta")["run_id"].to_list() == ["second"] * 3


def test_a_person_whose_access_was_restored_is_forgotten(book: ledger.Ledger):
    book.memories.remember("okta", TAKEN, run_id="run", plan_id="plan")
    book.memories.remember("entra", TAKEN, run_id="run", plan_id="plan")

    book.memories.forget("okta", ["00u1", "nobody"])

    assert book.memories.frame("okta")["external_id"].to_list() == ["00u2"]
    assert book.memories.frame("entra").height == 3


def test_of_one_person_nobody_elses_memories_come(book: ledger.Ledger):
    book.memories.remember("okta", TAKEN, run_id="run", plan_id="plan", at=MORNING)

    assert book.memories.of("okta", "00u1").select("kind", "name").rows() == [
        ("group", "devs"),
        ("permission", "ADMIN"),
    ]
    assert book.memories.of("entra", "00u1").is_empty()
