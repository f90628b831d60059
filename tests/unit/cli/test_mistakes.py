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
    ("expression", "said"),
    [
        ("lower(username", "attributes.username"),
        ("lower(usernam)", "did you mean 'username'?"),
        ("no_such_function(username)", "attributes.username"),
    ],
)
def test_an_impossible_expression_is_a_mistake_of_the_file(office: Office, expression: str, said: str) -> None:
    office.write_sync_file(f"attributes:\n  username: {expression}\n")
    told = office.usersync("plan", "staff")
    assert told.code == 2
    assert said in told.out + told.err
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
