"""`usersync check` says what each file holds, how old it is, and what a read would find wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from connectors.contract import CheckFinding
from connectors.sources.file import FileSettings, FileSource
from tests.unit.connectors.sources.file.exports import HEADER, text

JANE = "u1,jane,jane@example.com,Jane Doe,true,staff"


async def check(**settings: Any) -> list[CheckFinding]:
    return await FileSource(FileSettings(**settings)).check()


def aged(path: Path, seconds: float) -> Path:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))
    return path


async def test_rows_columns_and_age(tmp_path: Path) -> None:
    people = aged(text(tmp_path / "people.csv", HEADER, JANE), 7300)
    (finding,) = await check(people=people)
    assert finding.level == "ok"
    assert finding.what.startswith(
        f"{people}: 1 row; columns external_id, username, email, display_name, active, groups; written 2 hours ago ("
    )


async def test_an_old_file_is_a_note_with_a_next_step(tmp_path: Path) -> None:
    people = aged(text(tmp_path / "people.csv", HEADER, JANE), 86_500)
    _, finding = await check(people=people, max_age_hours=12)
    assert finding == CheckFinding(
        "note", f"{people} was written 1 day ago, and max_age_hours is 12", "see whether the export still runs"
    )


async def test_a_broken_row_is_a_problem(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE, "u2")
    fine, broken = await check(people=people)
    assert fine.what.startswith(f"{people}: 2 rows;")
    assert broken.level == "problem"
    assert broken.what == f"{people} line 3: 1 field where the header has 6"


async def test_what_ends_a_read_is_a_problem_and_not_raised(tmp_path: Path) -> None:
    (finding,) = await check(people=tmp_path / "people.csv")
    assert finding.level == "problem"
    assert finding.what == f"{tmp_path / 'people.csv'}: the file cannot be read (No such file or directory)"
    assert finding.next_step


async def test_columns_that_look_as_if_they_were_read_are_noted(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", f"{HEADER},mail", f"{JANE},j@example.com")
    memberships = text(tmp_path / "memberships.csv", "group,member,member_is_group", "staff,u1,no")
    findings = await check(people=people, memberships=memberships, columns={"email": "mail"})
    assert [finding.what for finding in findings if finding.level == "note"] == [
        f"{people}: the column 'email' is not read, because columns.email is 'mail'",
        f"{people}: the column 'groups' is not read as groups, because columns.groups is not set beside memberships",
        f"{memberships}: the column 'member_is_group' is not read, because `nested` is not set",
    ]


async def test_a_directory_without_groups_is_noted(tmp_path: Path) -> None:
    people = text(tmp_path / "people.csv", HEADER, JANE)
    findings = await check(people=people, columns={"groups": None})
    assert [finding.what for finding in findings if finding.level == "note"] == [
        "nobody is in a group: there is no memberships file, and columns.groups is null"
    ]
