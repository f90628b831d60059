"""`usersync test` judges the cases beside a sync file."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cli.main import attempt

SYNCS = Path(__file__).parents[3] / "syncs"


@pytest.fixture
def sync(tmp_path: Path) -> Path:
    shutil.copy(SYNCS / "okta.yaml", tmp_path)
    shutil.copytree(SYNCS / "okta.cases", tmp_path / "okta.cases")
    return tmp_path / "okta.yaml"


def test_the_cases_that_come_with_usersync_hold(sync: Path, capsys: pytest.CaptureFixture[str]):
    assert attempt(["test", str(sync)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == f"all {len(list(SYNCS.glob('okta.cases/*.yaml')))} cases hold"


def test_a_rule_that_breaks_a_case_fails_the_command_and_says_how(
    sync: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sync.write_text(sync.read_text().replace("department = 'External'", "department = 'Nobody'"))
    assert attempt(["test", str(sync), "--junit", str(tmp_path / "cases.xml")]) == 1
    out = capsys.readouterr().out
    assert "FAILED  external" in out
    assert "there is an account ext that the case does not expect" in out
    suite = ET.parse(tmp_path / "cases.xml").getroot()
    assert suite.attrib["failures"] == "1"
    assert [case.attrib["name"] for case in suite if len(case)] == ["external"]


def test_json_holds_every_case(sync: Path, capsys: pytest.CaptureFixture[str]):
    assert attempt(["test", str(sync), "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert {case["name"]: case["failures"] for case in judged} == {"external": [], "joiner": [], "leaver": []}


def test_mistakes_in_cases_are_told_with_their_lines_all_at_once(sync: Path, capsys: pytest.CaptureFixture[str]):
    folder = sync.with_suffix(".cases")
    (folder / "one.yaml").write_text("people:\n  - usrname: x\nexpect: {outcomez: {}}\n")
    assert attempt(["test", str(sync)]) == 2
    said = capsys.readouterr().err
    assert "one.yaml line 2: people.0.username: this key is missing" in said
    assert "one.yaml line 3: expect.outcomez: there is no such key; did you mean outcomes?" in said


def test_without_cases_the_command_says_where_they_belong(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copy(SYNCS / "okta.yaml", tmp_path)
    assert attempt(["test", str(tmp_path / "okta.yaml")]) == 2
    assert "okta.cases: there is no such folder" in capsys.readouterr().err


def test_an_attribute_that_a_case_lacks_names_the_case(sync: Path, capsys: pytest.CaptureFixture[str]):
    (sync.with_suffix(".cases") / "bare.yaml").write_text("people: [{username: x}]\nexpect: {held: false}\n")
    assert attempt(["test", str(sync)]) == 2
    said = capsys.readouterr().err
    assert "bare.yaml: people.exclude: the source has no column 'department'" in said
