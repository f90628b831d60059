"""A small office: an export of six people, a simulated Bitbucket, and the command line in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from sandbox.bitbucket import BitbucketSimulator
from sandbox.serving import served

PASSWORD = "Correct-Horse-2917"
STAFF = """\
external_id,username,email,display_name,active,groups
1,ann,ann@example.com,Ann Ash,true,bb-dev;bb-ops
2,ben,ben@example.com,Ben Beech,true,bb-dev
3,cleo,cleo@example.com,Cleo Cedar,true,bb-dev
4,dan,dan@example.com,Dan Doum,true,bb-ops
5,eve,eve@example.com,Eve Elm,false,bb-ops
6,fay,fay@example.com,Fay Fir,true,
"""


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Office:
    folder: Path
    bitbucket: BitbucketSimulator
    url: str
    capture: pytest.CaptureFixture[str]

    def usersync(self, *arguments: str) -> Told:
        self.capture.readouterr()
        code = main(arguments)
        captured = self.capture.readouterr()
        return Told(code, captured.out, captured.err)

    def write_sync_file(self, text: str = "", *, name: str = "staff", password: str = "env:OFFICE_PASSWORD") -> Path:
        """The ordinary sync file, and what follows it."""
        path = self.folder / "syncs" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"source:\n  kind: file\n  people: people.csv\n"
            f"target:\n  kind: bitbucket\n  url: {self.url}\n  username: admin\n  password: {password}\n{text}",
            encoding="utf-8",
        )
        return path

    def write_people(self, text: str = STAFF) -> None:
        (self.folder / "people.csv").write_text(text, encoding="utf-8")

    def planned(self) -> str:
        """Make a plan; returns its id."""
        found: str = self.usersync("plan", "staff", "--json").json["plan"]["id"]
        return found


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Office]:
    monkeypatch.chdir(tmp_path)
    for name in ("USERSYNC_LEDGER", "USERSYNC_HOME", "PREFECT_API_URL", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OFFICE_PASSWORD", PASSWORD)
    simulator = BitbucketSimulator(admin=("admin", PASSWORD))
    with served(simulator.app) as url:
        made = Office(tmp_path, simulator, url, capsys)
        made.write_people()
        made.write_sync_file()
        yield made
