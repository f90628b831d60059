"""A row that cannot be used is named with its place and left out, and the read is incomplete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from directory.errors import SourceUnreadable
from tests.unit.connectors.sources.file.exports import HEADER, PERSON, export, ids, person, read, text

JANE = "u1,jane,jane@example.com,Jane Doe,true,staff"


async def test_a_csv_row_with_too_few_or_too_many_fields(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE, "u2,bob,true", "u3,a,b,c,true,,extra", "u4,eve,e,Eve,false,")
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1", "u4"]
    assert snapshot.completeness.findings == (
        f"{people} line 3: 3 fields where the header has 6",
        f"{people} line 4: 7 fields where the header has 6",
    )


async def test_lines_are_counted_through_quoted_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    people = text(
        tmp_path / "people.csv", HEADER, 'u1,jane,j,"Jane\n\nDoe",true,', "", "u2,short", JANE.replace("u1", "u3")
    )
    snapshot = await read(people=people)
    assert snapshot.people["display_name"].to_list() == ["Jane\n\nDoe", "Jane Doe"]
    assert snapshot.completeness.findings == (f"{people} line 6: 2 fields where the header has 6",)


async def test_a_stray_quotation_mark_costs_its_own_line_only(tmp_path: Path) -> None:
    rows = [f'u{number},user{number},e,"Surname, {number}",true,' for number in range(1, 6)]
    rows[1] = 'u2,"user2,e,n,true,'
    rows[3] = 'u4,12" monitor,e,n,true,'
    people = text(tmp_path / "people.csv", HEADER, *rows)
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1", "u3", "u5"]
    assert [finding.partition(":")[0] for finding in snapshot.completeness.findings] == [
        f"{people} line 3",
        f"{people} line 5",
    ]


async def test_a_quotation_mark_that_nothing_closes_costs_its_own_line_only(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE, 'u2,"bob,e,n,true,', "u3,eve,e,n,true,")
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1", "u3"]
    assert "line 3: a quotation mark opens here" in snapshot.completeness.findings[0]


async def test_after_many_stray_quotation_marks_the_rest_is_given_up_and_said_so(tmp_path: Path) -> None:
    rows = [f'u{number},"user,e,n,true,' for number in range(2, 60)]
    people = text(tmp_path / "people.csv", HEADER, JANE, *rows)
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1"]
    assert snapshot.completeness.findings[-1] == "... and 1 more"


async def test_a_line_that_is_no_json(tmp_path: Path) -> None:
    people = text(
        tmp_path / "people.ndjson",
        json.dumps(PERSON),
        "",
        '{"external_id": "u2", "userna',
        "[1, 2]",
        json.dumps(person("u5", email={"work": "x"})),
        json.dumps(person("u6", groups="staff")),
        json.dumps(person("u7")),
    )
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1", "u7"]
    assert snapshot.completeness.findings == (
        f"{people} line 3: it cannot be read as JSON (Input data was truncated)",
        f"{people} line 4: a JSON object is wanted, and this is a list",
        f"{people} line 5: 'email' is an object, where text is wanted",
        f"{people} line 6: 'groups' is text, where a list is wanted",
    )


async def test_an_item_of_a_json_array_is_named_by_its_number(tmp_path: Path) -> None:
    people = tmp_path / "people.json"
    people.write_text(json.dumps([PERSON, 7, person("u3")], indent=2), encoding="utf-8")
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1", "u3"]
    assert snapshot.completeness.findings == (f"{people} row 2: a JSON object is wanted, and this is a number",)


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet"])
async def test_a_row_without_an_external_id_in_every_format(tmp_path: Path, form: str) -> None:
    rows = [PERSON, person("", username="nobody"), person(" \t", username="blank"), person("u4")]
    people = export(tmp_path / f"people.{form}", rows, list(PERSON))
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1", "u4"]
    assert len(snapshot.completeness.findings) == 2
    assert all("'external_id' is empty" in finding for finding in snapshot.completeness.findings)


async def test_what_is_neither_active_nor_inactive_is_not_guessed(tmp_path: Path) -> None:
    states = {"u1": "TRUE", "u2": "0", "u3": " Enabled ", "u4": "maybe", "u5": "", "u6": "disabled"}
    people = text(tmp_path / "people.csv", HEADER, *(f"{key},n,e,d,{state}," for key, state in states.items()))
    snapshot = await read(people=people)
    assert dict(snapshot.people.select("external_id", "active").iter_rows()) == {
        "u1": True,
        "u2": False,
        "u3": True,
        "u6": False,
    }
    assert snapshot.completeness.findings == (
        f"{people} line 5: 'active' is 'maybe', neither in active_values nor in inactive_values; u4 was left out",
        f"{people} line 6: 'active' is None, neither in active_values nor in inactive_values; u5 was left out",
    )


async def test_words_for_active_can_be_set_and_turned_round(tmp_path: Path) -> None:
    people = export(tmp_path / "people.json", [person("u1", active=True), person("u2", active=False)], list(PERSON))
    snapshot = await read(people=people, active_values=["false"], inactive_values=["true"])
    assert snapshot.people["active"].to_list() == [False, True]


async def test_one_external_id_with_different_content_keeps_the_first_row(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE, "u2,bob,b,Bob,true,", JANE, JANE.replace("Doe", "Roe"))
    snapshot = await read(people=people)
    assert snapshot.people["display_name"].to_list() == ["Jane Doe", "Bob"]
    assert snapshot.completeness.findings == (
        f"{people} line 5: 'u1' stands in row 2 already with other content, and the later row was left out",
    )


async def test_a_row_that_repeats_another_entirely_is_no_finding(tmp_path: Path) -> None:
    people = export(tmp_path / "people.ndjson", [PERSON, PERSON, person("u2")], list(PERSON))
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1", "u2"]
    assert snapshot.completeness.complete


async def test_twenty_findings_are_spelled_out_and_the_others_counted(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE, *["x,y"] * 33)
    findings = (await read(people=people)).completeness.findings
    assert len(findings) == 21
    assert findings[-1] == "... and 13 more"


async def test_a_file_of_nothing_but_broken_rows_ends_the_read(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, *["x,y"] * 3)
    with pytest.raises(SourceUnreadable, match="not one of its 3 rows can be used; line 2: 2 fields where"):
        await read(people=people)
