"""A file that cannot be read ends the read with a place and a next step, never with an empty directory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.sources.file import FileSettings, FileSource
from connectors.sources.file.reading import read_table
from connectors.sources.file.table import Table
from directory.errors import SourceUnreadable
from tests.unit.connectors.sources.file.exports import HEADER, PERSON, export, ids, person, read, text

JANE = "u1,jane,jane@example.com,Jane Doe,true,staff"
FORMATS = ("csv", "json", "ndjson", "parquet")


async def refused(**settings: Any) -> SourceUnreadable:
    with pytest.raises(SourceUnreadable) as caught:
        await read(**settings)
    assert caught.value.subject
    assert caught.value.next_step
    assert caught.value.not_done
    return caught.value


async def test_a_missing_file_says_where_it_is_looked_for(tmp_path: Path) -> None:
    error = await refused(people=tmp_path / "people.csv")
    assert error.what == "the file cannot be read (No such file or directory)"
    assert str(tmp_path) in str(error.next_step)


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "people.csv").mkdir()
    assert "Is a directory" in (await refused(people=tmp_path / "people.csv")).what


@pytest.mark.parametrize("form", FORMATS)
async def test_no_bytes_are_not_an_empty_directory(tmp_path: Path, form: str) -> None:
    (tmp_path / f"people.{form}").touch()
    assert "empty (0 bytes)" in (await refused(people=tmp_path / f"people.{form}")).what


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
async def test_nothing_but_blanks_is_not_an_empty_directory(tmp_path: Path, form: str) -> None:
    people = text(tmp_path / f"people.{form}", "\ufeff", " ")
    assert "nothing but blanks" in (await refused(people=people)).what


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
async def test_an_export_of_nobody_is_complete_and_empty(tmp_path: Path, form: str) -> None:
    snapshot = await read(people=export(tmp_path / f"people.{form}", [], list(PERSON)))
    assert snapshot.people.height == snapshot.groups.height == snapshot.memberships.height == 0
    assert snapshot.people.columns[:5] == ["external_id", "username", "email", "display_name", "active"]
    assert snapshot.completeness.complete


@pytest.mark.parametrize("form", ["json", "parquet"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
async def test_a_cut_file_ends_the_read(tmp_path: Path, form: str, share: float) -> None:
    people = export(tmp_path / f"people.{form}", [person(f"u{number}") for number in range(100)], list(PERSON))
    whole = people.read_bytes()
    people.write_bytes(whole[: int(len(whole) * share)])
    error = await refused(people=people)
    assert "may have been cut" in error.what


@pytest.mark.parametrize("form", ["csv", "ndjson"])
async def test_a_cut_last_line_is_noticed_where_the_export_always_ends_it(tmp_path: Path, form: str) -> None:
    people = export(tmp_path / f"people.{form}", [PERSON, person("u2")], list(PERSON))
    people.write_bytes(people.read_bytes().rstrip())
    assert ids(await read(people=people)) == ["u1", "u2"]
    assert "the file was cut" in (await refused(people=people, require_final_newline=True)).what


async def test_a_missing_column_names_the_nearest_one(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER.replace("external_id", "External-ID"), JANE)
    error = await refused(people=people)
    assert error.what == "there is no column 'external_id'; the nearest is 'External-ID'"
    assert error.next_step == "set `columns.external_id` to the right name"


@pytest.mark.parametrize("form", FORMATS)
async def test_a_column_that_vanished_from_an_export_does_not_blank_everybody(tmp_path: Path, form: str) -> None:
    columns = [column for column in PERSON if column != "active"]
    people = export(tmp_path / f"people.{form}", [PERSON], columns)
    error = await refused(people=people)
    assert "there is no column 'active'" in error.what
    assert error.next_step == "set `columns.active` to the right name, or to null if there is none"
    snapshot = await read(people=people, columns={"active": None})
    assert snapshot.people["active"].to_list() == [True]


async def test_one_column_hints_at_the_separator(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", "kennung;login;mail", "u1;jane;j")
    assert "perhaps `separator` is wrong" in (await refused(people=people)).what


async def test_a_header_that_names_a_column_twice(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", f"{HEADER},email", f"{JANE},x")
    assert "the header names 'email' twice" in (await refused(people=people)).what


async def test_a_broken_header_is_not_replaced_by_the_first_row(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", f'x"y,{HEADER}', JANE, JANE)
    assert "no header that can be read" in (await refused(people=people)).what


async def test_json_that_is_no_array(tmp_path: Path) -> None:
    people = tmp_path / "people.json"
    people.write_text(json.dumps({"users": [PERSON]}), encoding="utf-8")
    assert "something else than one array" in (await refused(people=people)).what


async def test_bytes_that_are_not_of_the_encoding_name_the_line(tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_bytes(f"{HEADER}\n{JANE}\nu2,bob,b,Bj\u00f6rn,true,\n".encode("cp1252"))
    error = await refused(people=people)
    assert error.what == "line 3 holds the byte 0xF6, which is not utf-8"
    snapshot = await read(people=people, encoding="cp1252")
    assert snapshot.people["display_name"].to_list() == ["Jane Doe", "Bj\u00f6rn"]


async def test_an_id_that_is_a_fraction_is_refused(tmp_path: Path) -> None:
    people = tmp_path / "people.parquet"
    frame = pl.DataFrame([PERSON]).with_columns(pl.lit(17.0).alias("external_id"))
    frame.write_parquet(people)
    assert "'external_id' holds Float64, not text" in (await refused(people=people)).what


async def test_a_parquet_file_that_is_none(tmp_path: Path) -> None:
    people = text(tmp_path / "people.parquet", HEADER, JANE)
    assert "cannot be read as parquet" in (await refused(people=people)).what


async def test_a_file_written_to_while_it_is_read_makes_the_read_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE)

    def and_then_written(path: Path, *rest: Any) -> Table:
        table = read_table(path, *rest)
        with path.open("a") as file:
            file.write("u2,bob,b,Bob,true,\n")
        return table

    monkeypatch.setattr("connectors.sources.file.source.read_table", and_then_written)
    snapshot = await read(people=people)
    assert ids(snapshot) == ["u1"]
    assert snapshot.completeness.findings == (
        f"{people} was written to while it was read, so what was read may be half of it",
    )


async def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE)

    def and_then_replaced(path: Path, *rest: Any) -> Table:
        table = read_table(path, *rest)
        other, then = text(tmp_path / "other.csv", HEADER, JANE.replace("Doe", "Roe")), path.stat()
        os.utime(other, ns=(then.st_atime_ns, then.st_mtime_ns))
        other.replace(path)
        return table

    monkeypatch.setattr("connectors.sources.file.source.read_table", and_then_replaced)
    assert "was written to while it was read" in (await read(people=people)).completeness.findings[0]


async def test_an_old_file_makes_the_read_incomplete_where_an_age_is_set(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE)
    then = people.stat().st_mtime - 3 * 86_400 - 60
    os.utime(people, (then, then))
    assert (await read(people=people)).completeness.complete
    snapshot = await read(people=people, max_age_hours=24)
    assert ids(snapshot) == ["u1"]
    assert snapshot.completeness.findings == (f"{people} was written 3 days ago, and max_age_hours is 24",)


async def test_progress_is_told_each_file(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    people = text(tmp_path / "people.csv", HEADER, JANE)
    memberships = text(tmp_path / "memberships.csv", "group,member", "staff,u1", "devs,u1")
    reader = FileSource(FileSettings(people=people, memberships=memberships))
    await reader.read(lambda what, count: told.append((what, count)))
    await reader.close()
    assert told == [("people", 1), ("memberships", 2)]
