"""One spelling for everything, and a finding for whatever had to be left out."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from directory.normalize import normalize_source
from directory.snapshot import MEMBERSHIPS, SOURCE_GROUPS
from tests.builders import group_id, person, source


def test_text_is_trimmed_composed_and_blank_text_is_null():
    decomposed = "Zoe\u0308"
    tidy = normalize_source(source([person(" 1 ", f" {decomposed}", "  ", "\tZoë\n", team=" a ")]))
    assert tidy.people.select("external_id", "username", "email", "display_name", "team").row(0) == (
        "1",
        "Zo\u00eb",
        None,
        "Zoë",
        "a",
    )
    assert tidy.completeness.complete


def test_other_columns_stay_as_they_are():
    tidy = normalize_source(source([person("1", level=3, tags=[" a "], admin=True)]))
    assert tidy.people.select("level", "tags", "admin").row(0) == (3, [" a "], True)


def test_people_without_an_external_id_are_left_out_and_the_read_is_incomplete():
    nameless = [{**person("x", f"user{number}"), "external_id": " "} for number in range(7)]
    tidy = normalize_source(source(["ann", *nameless]))
    assert tidy.people["external_id"].to_list() == ["ann"]
    assert tidy.completeness.findings == (
        "7 people without an external id were left out, among them user0, user1, user2, user3, user4",
    )


def test_a_row_that_comes_twice_is_one():
    tidy = normalize_source(source([person("1", tags=["a"]), person("1", tags=["a"])]))
    assert tidy.people.height == 1
    assert tidy.completeness.complete


def test_one_external_id_on_rows_that_differ_makes_the_read_incomplete_and_the_last_counts():
    tidy = normalize_source(source([person("1", "ann"), person("2"), person("1", "bob")]))
    assert sorted(tidy.people["username"]) == ["2", "bob"]
    assert tidy.completeness.findings == ("1 external ids came on rows that differ (the last row counts): 1",)


def test_people_of_whom_the_source_does_not_say_whether_they_are_active_make_the_read_incomplete():
    tidy = normalize_source(source([person("1", active=None), person("2", active=False)]))
    assert tidy.people["active"].to_list() == [None, False]
    assert tidy.completeness.findings == (
        "the source does not say of 1 people whether they are active (they count as inactive): 1",
    )


def test_findings_of_the_read_are_kept():
    tidy = normalize_source(source([{**person("1"), "external_id": None}], findings=["page lost"]))
    assert tidy.completeness.findings == (
        "page lost",
        "1 people without an external id were left out, among them 1",
    )


def test_memberships_follow_ids_that_were_trimmed():
    snapshot = source([person(" 1 ")], {"dev ": [" 1 "]}, nested={" all": ["dev "]})
    tidy = normalize_source(snapshot)
    assert set(tidy.groups["name"]) == {"dev", "all"}
    assert set(tidy.memberships["member_id"]) <= {*tidy.people["external_id"], *tidy.groups["group_id"]}
    assert set(tidy.memberships["group_id"]) <= set(tidy.groups["group_id"])
    assert tidy.memberships.height == 2
    assert tidy.completeness.complete


def test_groups_without_id_or_name_are_left_out_and_the_read_is_incomplete():
    groups = pl.DataFrame([("1", "dev"), (None, "ops"), ("3", " ")], schema=SOURCE_GROUPS, orient="row")
    tidy = normalize_source(replace(source(["ann"]), groups=groups))
    assert tidy.groups.rows() == [("1", "dev")]
    assert tidy.completeness.findings == ("2 groups without an id or a name were left out, among them ops, 3",)


def test_one_group_id_with_two_names_makes_the_read_incomplete():
    groups = pl.DataFrame([("1", "dev"), ("1", "ops"), ("2", "x"), ("2", "x")], schema=SOURCE_GROUPS, orient="row")
    tidy = normalize_source(replace(source(["ann"]), groups=groups))
    assert sorted(tidy.groups.rows()) == [("1", "ops"), ("2", "x")]
    assert tidy.completeness.findings == ("1 group ids came with different names (the last row counts): 1",)


def test_memberships_that_name_nobody_are_left_out_and_the_read_is_incomplete():
    rows = [(group_id("dev"), None, False), (None, "ann", False), (group_id("dev"), "ann", None)]
    broken = pl.DataFrame(rows, schema=MEMBERSHIPS, orient="row")
    tidy = normalize_source(replace(source(["ann"], {"dev": []}), memberships=broken))
    assert tidy.memberships.is_empty()
    assert tidy.completeness.findings == ("3 memberships without a group or a member were left out",)


def test_an_empty_source_stays_one():
    snapshot = source()
    tidy = normalize_source(snapshot)
    assert tidy.people.equals(snapshot.people)
    assert tidy.groups.equals(snapshot.groups)
    assert tidy.memberships.equals(snapshot.memberships)
    assert tidy.completeness.complete


def test_a_normalised_source_stays_as_it_is():
    once = normalize_source(source([person(" 1", " Ann ")], {"dev ": [" 1"]}))
    twice = normalize_source(once)
    assert twice.people.equals(once.people)
    assert twice.groups.equals(once.groups)
    assert twice.memberships.equals(once.memberships)
