"""Columns, attributes, groups in either place, and memberships that name somebody unknown."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from connectors.sources.file import FileSettings
from directory.errors import SourceUnreadable
from tests.unit.connectors.sources.file.exports import HEADER, PERSON, export, ids, person, read, text

JANE = "u1,jane,jane@example.com,Jane Doe,true,staff"
BOB = "u2,bob,bob@example.com,Bob Roe,true,staff; devs;staff;"


async def test_groups_in_a_column_are_split_trimmed_and_counted_once(tmp_path: Path) -> None:
    snapshot = await read(people=text(tmp_path / "people.csv", HEADER, JANE, BOB))
    assert snapshot.groups.rows() == [("devs", "devs"), ("staff", "staff")]
    assert snapshot.memberships.rows() == [("staff", "u1", False), ("staff", "u2", False), ("devs", "u2", False)]
    assert snapshot.completeness.complete


async def test_another_separator_of_groups_and_of_fields(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER.replace(",", ";"), "u1;jane;j;Jane, Doe;yes;a,b")
    snapshot = await read(people=people, separator=";", groups_separator=",")
    assert snapshot.people["display_name"].to_list() == ["Jane, Doe"]
    assert snapshot.groups["name"].to_list() == ["a", "b"]


async def test_columns_go_by_the_names_of_the_file_and_may_serve_twice(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", "Nr,Mail,Name,Ort,", "007,jane@example.com,Jane Doe,Köln,x")
    snapshot = await read(
        people=people,
        columns={
            "external_id": "Nr",
            "username": "Mail",
            "email": "Mail",
            "display_name": "Name",
            "active": None,
            "groups": None,
        },
    )
    assert snapshot.people.rows(named=True) == [
        {
            "external_id": "007",
            "username": "jane@example.com",
            "email": "jane@example.com",
            "display_name": "Jane Doe",
            "active": True,
            "Ort": "Köln",
        }
    ]


async def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_bytes(f'{HEADER}\r\n{JANE}\r\nu2,bob,b,"Bob\r\nRoe",true,staff\r\n'.encode("utf-8-sig"))
    snapshot = await read(people=people)
    assert snapshot.people["display_name"].to_list() == ["Jane Doe", "Bob\r\nRoe"]
    assert snapshot.groups["name"].to_list() == ["staff"]


async def test_other_columns_become_attributes_of_four_types(tmp_path: Path) -> None:
    people = tmp_path / "people.parquet"
    rows = {
        "text": "x",
        "flag": True,
        "number": 7,
        "fraction": 1.5,
        "day": date(2026, 1, 2),
        "moment": datetime(2026, 1, 2, 3, tzinfo=UTC),
        "span": timedelta(minutes=2),
        "price": Decimal("1.20"),
        "numbers": [1, 2],
        "object": {"a": 1},
        "objects": [{"a": 1}],
        "bytes": b"\xff\x00",
    }
    pl.DataFrame([PERSON]).with_columns(**{k: pl.lit(pl.Series([v])).first() for k, v in rows.items()}).with_columns(
        pl.lit(2**63, pl.UInt64).alias("huge"), pl.lit(3, pl.UInt8).alias("small"), pl.lit(None).alias("nothing")
    ).write_parquet(people)
    snapshot = await read(people=people)
    attributes = snapshot.people.drop("external_id", "username", "email", "display_name", "active")
    assert set(attributes.dtypes) == {pl.String(), pl.Boolean(), pl.Int64(), pl.List(pl.String())}
    assert attributes.row(0, named=True) == {
        "text": "x",
        "flag": True,
        "number": 7,
        "fraction": "1.5",
        "day": "2026-01-02",
        "moment": "2026-01-02 03:00:00.000000+00:00",
        "span": 120,
        "price": "1.20",
        "numbers": ["1", "2"],
        "object": '{"a":1}',
        "objects": '{"objects":[{"a":1}]}',
        "bytes": "ff00",
        "huge": "9223372036854775808",
        "small": 3,
        "nothing": None,
    }


async def test_attributes_of_json_that_fit_no_common_type_become_text(tmp_path: Path) -> None:
    rows = [person("u1", place={"city": "Köln"}), person("u2", place=["x", "y"]), person("u3", place=7), person("u4")]
    people = text(tmp_path / "people.ndjson", *map(json.dumps, rows))
    snapshot = await read(people=people)
    assert snapshot.people["place"].to_list() == ['{"city": "Köln"}', '["x", "y"]', "7", None]
    assert snapshot.completeness.complete


async def test_a_whole_number_is_an_id(tmp_path: Path) -> None:
    rows = [{**PERSON, "external_id": 17, "groups": [5]}, person("A17")]
    people = text(tmp_path / "people.ndjson", *map(json.dumps, rows))
    snapshot = await read(people=people)
    assert ids(snapshot) == ["17", "A17"]
    assert snapshot.memberships.rows() == [("5", "17", False), ("staff", "A17", False)]


async def test_a_membership_of_somebody_unknown_is_left_out_and_said(tmp_path: Path) -> None:
    memberships = text(
        tmp_path / "memberships.csv", "group,member", "staff,u1", "staff,u9", ",u1", "staff,", "staff,u1"
    )
    snapshot = await read(people=text(tmp_path / "people.csv", HEADER, JANE), memberships=memberships)
    assert snapshot.memberships.rows() == [("staff", "u1", False)]
    assert snapshot.completeness.findings == (
        f"{memberships} line 4: the row names no group",
        f"{memberships} line 5: the row names no member",
        f"{memberships} line 3: the person 'u9' is not known; the membership in 'staff' was left out",
    )


async def test_with_a_groups_file_ids_and_names_differ_and_unknown_groups_are_said(tmp_path: Path) -> None:
    groups = text(tmp_path / "groups.csv", "group_id,name", "g1,Staff", "g2,Staff", "g1,Other", "g3,")
    memberships = text(tmp_path / "memberships.csv", "group,member", "g1,u1", "g7,u1")
    people = text(tmp_path / "people.csv", HEADER, JANE.replace("staff", "g2;g8"))
    snapshot = await read(people=people, groups=groups, memberships=memberships, columns={"groups": "groups"})
    assert snapshot.groups.rows() == [("g1", "Staff"), ("g2", "Staff")]
    assert snapshot.memberships.rows() == [("g2", "u1", False), ("g1", "u1", False)]
    assert snapshot.completeness.findings == (
        f"{groups} line 4: 'g1' stands in row 2 already with other content, and the later row was left out",
        f"{groups} line 5: the row has no id or no name, so it names no group",
        f"{people} line 2: the group 'g8' is not known; the membership of 'u1' was left out",
        f"{memberships} line 3: the group 'g7' is not known; the membership of 'u1' was left out",
    )


async def test_a_group_inside_a_group_by_a_column_of_its_own(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE)
    memberships = text(
        tmp_path / "memberships.csv", "group,member,member_group", "devs,u1,", "staff,,devs", "staff,u1,devs"
    )
    snapshot = await read(people=people, memberships=memberships, nested=True)
    assert snapshot.memberships.rows() == [("devs", "u1", False), ("staff", "devs", True)]
    assert snapshot.completeness.findings == (
        f"{memberships} line 4: the row names a person and a group as its member; only one of them can be",
    )


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet"])
async def test_a_group_inside_a_group_by_a_flag(tmp_path: Path, form: str) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE)
    rows = [
        {"group": "devs", "member": "u1", "member_is_group": "no"},
        {"group": "staff", "member": "devs", "member_is_group": "yes"},
        {"group": "staff", "member": "u1", "member_is_group": "?"},
    ]
    memberships = export(tmp_path / f"memberships.{form}", rows, list(rows[0]))
    snapshot = await read(people=people, memberships=memberships, nested=True)
    assert snapshot.memberships.rows() == [("devs", "u1", False), ("staff", "devs", True)]
    assert len(snapshot.completeness.findings) == 1
    assert "'member_is_group' says neither true nor false" in snapshot.completeness.findings[0]


async def test_nested_memberships_need_a_column_that_says_which_member_is_a_group(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE)
    memberships = text(tmp_path / "memberships.csv", "group,member", "devs,u1")
    with pytest.raises(SourceUnreadable, match="there is no column 'member_group'"):
        await read(people=people, memberships=memberships, nested=True)


async def test_ids_meet_however_their_accents_are_written(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE.replace("u1", "jos\u00e9"))
    memberships = text(tmp_path / "memberships.csv", "group,member", "staff, jose\u0301 ")
    snapshot = await read(people=people, memberships=memberships)
    assert snapshot.memberships.rows() == [("staff", "jos\u00e9", False)]


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="says no format"):
        FileSettings(people=tmp_path / "people.xlsx")
    with pytest.raises(ValidationError, match="both hold on"):
        FileSettings(people=tmp_path / "p.csv", active_values=("ON",), inactive_values=("on",))
    with pytest.raises(ValidationError, match="about the memberships file"):
        FileSettings(people=tmp_path / "p.csv", nested=True)
    with pytest.raises(ValidationError, match="no text encoding"):
        FileSettings(people=tmp_path / "p.csv", encoding="rot13")
    assert FileSettings(people=tmp_path / "people.txt", format="csv").format_of(tmp_path / "people.txt") == "csv"
