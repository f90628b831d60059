"""Mistakes of people and of ours: one clear message, the right exit code, never a traceback on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import main as entry
from cli import running
from cli.main import main
from tasks.sync_file import load_sync_file
from tests.unit.cli.conftest import Office

EXAMPLES = Path(__file__).parents[3] / "syncs"


@pytest.mark.parametrize("command", ["check", "plan", "sync"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people:\n  requred_groups: [staff]\n", "line 10: people.requred_groups: there is no such key; did you mean"),
        ("guardd: {}\n", "line 9: guardd: there is no such key; did you mean guard?"),
        ("guard:\n  deactivations: {percent: many}\n", "line 10: guard.deactivations.percent: this must be a number"),
        ("leavers:\n  method: [delete]\n", "line 10: leavers.method: "),
    ],
)
def test_a_mistake_in_the_sync_file_is_named_with_its_line(office: Office, command: str, text: str, said: str) -> None:
    office.write_sync_file(text)
    told = office.usersync(command, "staff")
    assert told.code == 2
    assert said in told.err
    assert told.err.startswith("usersync: ")
    assert "nothing was read and nothing was written" in told.err
    assert "Traceback" not in told.err + told.out
    assert len(office.bitbucket.requests) == 0


def test_every_mistake_is_told_at_once(office: Office) -> None:
    office.write_sync_file("guardd: {}\nleavers: {methodic: keep}\n")
    told = office.usersync("plan", "staff")
    assert told.code == 2
    assert [line.count("no such key") for line in told.err.splitlines()[:2]] == [1, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attributes:\n  username: lower(username", "line 10: attributes.username: the expression cannot be used"),
        ("attributes:\n  username: lower(usernam)", "line 10: attributes.username: the source has no column 'usernam'"),
        ("attributes:\n  username: no_such_function(username)", "line 10: attributes.username: the expression"),
        (
            "attributes:\n  email:\n    rules:\n    - sql: email\n    - match: {column: email, pattern: '(', to: x}",
            "line 13: attributes.email.rules.1.match.pattern: the regular expression ( cannot be used",
        ),
        (
            "attributes:\n  email:\n    rules:\n    - sql: email\n    - lookup: {column: emial, table: {a: b}}",
            "line 13: attributes.email.rules.1: the source has no column 'emial'",
        ),
        (
            "attributes:\n  email:\n    rules:\n    - lookup:\n        column: email\n        table: {NO: norway}",
            "line 14: attributes.email.rules.0.lookup.table",
        ),
        (
            "attributes:\n  email:\n    rules:\n    - strip_domian: email",
            "line 12: attributes.email.rules.0.strip_domian: there is no such key; did you mean strip_domain?",
        ),
        (
            "attributes:\n  extra:\n    site:\n      rules: []\n      othrewise: drop",
            "line 13: attributes.extra.site.othrewise: there is no such key; did you mean otherwise?",
        ),
        ("attributes:\n  extra:\n    a: {}", "line 11: attributes.extra.a.column: the source has no column 'a'"),
        (
            "people:\n  include:\n  - 'true'\n  - when: usernam = 'x'",
            "line 12: people.include.1: the source has no column 'usernam'",
        ),
        (
            "people:\n  exclude:\n    group: [x]",
            "line 11: people.exclude.group: there is no such key; did you mean groups?",
        ),
        ("people:\n  exclude: 3", "line 10: people.exclude: this must be"),
    ],
    ids=[
        "cut off", "unknown column", "unknown function", "regular expression", "column of a lookup", "YAML's no",
        "unknown way", "further key", "further column", "column of a filter", "key of a filter", "a number",
    ],
)  # fmt: skip
def test_an_impossible_expression_is_a_mistake_of_the_file_with_its_line(office: Office, text: str, said: str) -> None:
    office.write_sync_file(f"{text}\n")
    told = office.usersync("plan", "staff")
    assert told.code == 2
    assert said in " ".join((told.out + told.err).split())
    assert "Traceback" not in told.out + told.err
    assert office.bitbucket.requests.writes == 0


def test_a_misspelt_expression_is_found_by_check(office: Office) -> None:
    office.write_sync_file("people:\n  include: department = \n")
    told = office.usersync("check", "staff")
    assert told.code == 2
    assert "people.include" in told.err


def test_a_secret_that_is_missing_is_named_by_its_reference(office: Office) -> None:
    office.write_sync_file(password="env:NO_SUCH_VARIABLE")
    told = office.usersync("plan", "staff")
    assert told.code == 2
    assert "usersync: env:NO_SUCH_VARIABLE: the environment variable is not set" in told.err


def test_a_secret_written_into_the_file_is_not_repeated(office: Office) -> None:
    office.write_sync_file(password="hunter2-in-the-open")
    told = office.usersync("plan", "staff")
    assert told.code == 2
    assert "target.password" in told.err
    assert "hunter2" not in told.err


def test_a_sync_file_that_is_not_there_is_named(office: Office) -> None:
    told = office.usersync("plan", "stuff")
    assert told.code == 2
    assert "usersync: stuff: the sync file cannot be read" in told.err


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["plan"], ["show"], ["show", "abcdef", "--kind", "x"], ["schema", "x"]]
)
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Usage: usersync" in capsys.readouterr().err


def test_a_defect_is_one_line_and_a_file(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError("by seven")

    monkeypatch.setattr(running, "carry_out", broken)
    told = office.usersync("plan", "staff")
    assert told.code == 1
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("usersync: a defect of usersync, ZeroDivisionError; the traceback is in ")
    (file,) = (office.folder / ".usersync").glob("defect-*.txt")
    assert str(file) in told.err
    assert "by seven" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_every_command_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for command in entry.app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        assert f"\n  {name} " in overview
        assert main([name, "--help"]) == 0
        assert f"Usage: usersync {name}" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_sync_files(path: Path) -> None:
    assert load_sync_file(path).name == path.stem


def test_there_is_an_example_for_every_source() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} >= {"file", "keycloak", "okta"}
