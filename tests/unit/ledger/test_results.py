from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import ledger
from directory.errors import UnknownRecord
from ledger.results import Document
from tests.unit.ledger.entries import a_run

PEOPLE = pl.DataFrame(
    {
        "external_id": ["00u1", "00u2", "joe"],
        "username": ["Jane", "joe", None],
        "outcome": ["created", "unchanged", "filtered"],
        "groups": [[{"group": "devs", "path": "all > devs"}], [], []],
    }
)


def test_results_come_back_as_they_were_put(book: ledger.Ledger):
    run_id = a_run(book)

    book.results.put(run_id, PEOPLE.head(1))
    book.results.put(run_id, PEOPLE)

    assert_frame_equal(book.results.people(run_id).collect(), PEOPLE)


def test_one_person_is_found_by_external_id_or_by_username_in_any_case(book: ledger.Ledger):
    run_id = a_run(book)
    book.results.put(run_id, PEOPLE)

    assert_frame_equal(book.results.person(run_id, "00u1"), PEOPLE[:1])
    assert_frame_equal(book.results.person(run_id, "jANE"), PEOPLE[:1])
    assert book.results.person(run_id, "nobody").is_empty()


def test_an_external_id_goes_before_a_username(book: ledger.Ledger):
    run_id = a_run(book)
    book.results.put(run_id, PEOPLE)

    assert_frame_equal(book.results.person(run_id, "joe"), PEOPLE[2:])


@pytest.mark.parametrize("together", [None, 20_000], ids=["as it was stored before", "as it is stored"])
def test_many_people_are_read_a_part_at_a_time_and_again(
    book: ledger.Ledger, monkeypatch: pytest.MonkeyPatch, together: int | None
):
    run_id = a_run(book)
    monkeypatch.setattr("ledger.results._ROWS_TOGETHER", together)
    people = pl.select(pl.int_range(45_000).cast(pl.String).alias("external_id")).with_columns(username="external_id")
    book.results.put(run_id, people)
    monkeypatch.undo()

    parts = book.results.parts(run_id)

    for _ in range(2):
        found = list(parts())
        assert [part.height for part in found] == [20_000, 20_000, 5_000]
        assert_frame_equal(pl.concat(found), people)


def test_a_part_of_nobody_is_none(book: ledger.Ledger):
    run_id = a_run(book)
    book.results.put(run_id, PEOPLE.clear())

    assert list(book.results.parts(run_id)()) == []


def test_a_run_without_results_says_so(book: ledger.Ledger):
    run_id = a_run(book)

    with pytest.raises(UnknownRecord, match=f"no results of a run '{run_id}'"):
        book.results.people(run_id)
    with pytest.raises(UnknownRecord, match=f"no results of a run '{run_id}'"):
        book.results.parts(run_id)


def test_the_document_of_a_run_is_known_by_place_size_and_digest(book: ledger.Ledger):
    run_id = a_run(book)
    assert book.results.document(run_id) is None

    book.results.put_document(run_id, Document("old.json", 1, "0" * 64))
    book.results.put_document(run_id, Document("results/run.json", 5_000_000_000, "a" * 64))

    assert book.results.document(run_id) == Document("results/run.json", 5_000_000_000, "a" * 64)
