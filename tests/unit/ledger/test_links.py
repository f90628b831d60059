from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import polars as pl
from polars.testing import assert_frame_equal

import ledger
from ledger.links import LINKS

MORNING = datetime(2026, 11, 24, 6, 5, 12, 345678, tzinfo=UTC)
LATER = MORNING + timedelta(days=1)


def put(book: ledger.Ledger, *, at: datetime = MORNING, **row: object) -> None:
    book.links.put("okta", [row], at=at)


def test_links_come_back_as_a_frame(book: ledger.Ledger):
    rows = pl.DataFrame(
        {
            "external_id": ["00u2", "00u1"],
            "account_id": ["102", None],
            "username": ["joe", "jané"],
            "state": ["access_removed", "active"],
            "adopted": [True, False],
        }
    )

    book.links.put("okta", rows, at=MORNING)

    times = [pl.lit(MORNING).dt.cast_time_unit("us").alias(name) for name in ("linked_at", "updated_at")]
    never = [pl.lit(None).alias(name) for name in ("left_at", "access_since")]
    expected = rows.sort("external_id").with_columns(*times, *never).cast(pl.Schema(LINKS))
    assert_frame_equal(book.links.frame("okta"), expected)


def test_a_sync_without_links_has_an_empty_frame_with_the_schema(book: ledger.Ledger):
    put(book, external_id="00u1", username="jane")

    assert book.links.frame("entra").schema == pl.Schema(LINKS)
    assert book.links.frame("entra").is_empty()


def test_a_new_link_is_active_and_not_adopted_unless_told(book: ledger.Ledger):
    put(book, external_id="00u1", username="jane")

    assert book.links.frame("okta").rows() == [("00u1", None, "jane", "active", False, MORNING, MORNING, None, None)]


def test_what_rows_do_not_give_stays_as_it_is(book: ledger.Ledger):
    put(book, external_id="00u1", account_id="101", username="jane", state="access_removed", adopted=True)

    put(book, external_id="00u1", username="jane.doe", at=LATER)

    expected = ("00u1", "101", "jane.doe", "access_removed", True, MORNING, LATER, None, None)
    assert book.links.frame("okta").rows() == [expected]


def test_without_a_username_only_links_that_exist_change(book: ledger.Ledger):
    put(book, external_id="00u1", account_id="101", username="jane", adopted=True)

    book.links.put("okta", pl.DataFrame({"external_id": ["00u1", "00u9"], "state": ["kept", "kept"]}), at=LATER)

    assert book.links.frame("okta").rows() == [("00u1", "101", "jane", "kept", True, MORNING, LATER, None, None)]


def test_since_when_a_leaver_is_gone_and_has_had_access_is_kept_until_it_is_told_otherwise(book: ledger.Ledger):
    put(book, external_id="00u1", username="jane", access_since=MORNING)
    put(book, external_id="00u1", left_at=LATER)
    put(book, external_id="00u1", state="anonymised")
    assert book.links.frame("okta").select("left_at", "access_since").rows() == [(LATER, MORNING)]

    put(book, external_id="00u1", username="jane", left_at=None, access_since=LATER)

    assert book.links.frame("okta").select("left_at", "access_since").rows() == [(None, LATER)]


def test_the_account_id_of_an_account_made_anew_replaces_the_old_one_even_by_none(book: ledger.Ledger):
    put(book, external_id="00u1", account_id="101", username="jane")

    put(book, external_id="00u1", account_id=None, username="jane")

    assert book.links.frame("okta")["account_id"].to_list() == [None]


def test_syncs_keep_their_own_links_of_one_person(book: ledger.Ledger):
    put(book, external_id="00u1", username="jane")
    book.links.put("entra", [{"external_id": "00u1", "username": "jdoe"}])

    book.links.remove("okta", ["00u1", "never linked"])

    assert book.links.frame("okta").is_empty()
    assert book.links.frame("entra")["username"].to_list() == ["jdoe"]


def test_no_rows_change_nothing(book: ledger.Ledger):
    book.links.put("okta", [])
    book.links.put("okta", pl.DataFrame(schema={"external_id": pl.String, "username": pl.String}))
    book.links.remove("okta", [])

    assert book.links.frame("okta").is_empty()


def test_a_hundred_thousand_links_load_in_less_than_a_second_of_processor_time(book: ledger.Ledger):
    numbers = pl.Series(range(100_000))
    rows = pl.DataFrame({"external_id": numbers.cast(pl.String), "username": "user" + numbers.cast(pl.String)})
    book.links.put("okta", rows)

    began = time.process_time()
    loaded = book.links.frame("okta")

    assert time.process_time() - began < 1
    assert loaded.height == 100_000


def test_some_links_are_found_by_person_by_account_and_by_name_without_case(book: ledger.Ledger):
    for external_id, account_id, username in (
        ("00u1", "101", "Jane"),
        ("00u2", "102", "joe"),
        ("00u3", None, "JÜRGEN"),
        ("00u4", "104", "mary"),
    ):
        put(book, external_id=external_id, account_id=account_id, username=username)
    book.links.put("entra", [{"external_id": "00u1", "account_id": "102", "username": "jane"}], at=MORNING)

    def found(**asked: list[str]) -> list[str]:
        return book.links.some("okta", **asked)["external_id"].to_list()

    assert found() == []
    assert found(external_ids=["00u4", "00u9"]) == ["00u4"]
    assert found(account_ids=["102"], usernames=["jANE"]) == ["00u1", "00u2"]
    assert found(usernames=["JÜRGEN"]) == ["00u3"]
    assert book.links.some("okta", account_ids=["104"]).schema == pl.Schema(LINKS)
