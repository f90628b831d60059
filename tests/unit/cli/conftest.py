"""The small office, and the command line in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.small_office import SmallOffice, small_office


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Office(SmallOffice):
    capture: pytest.CaptureFixture[str]

    def usersync(self, *arguments: str) -> Told:
        self.capture.readouterr()
        code = main(arguments)
        captured = self.capture.readouterr()
        return Told(code, captured.out, captured.err)

    def planned(self) -> str:
        """Make a plan; returns its id."""
        found: str = self.usersync("plan", "staff", "--json").json["plan"]["id"]
        return found


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Office]:
    with small_office(tmp_path, monkeypatch) as plain:
        yield Office(plain.folder, plain.bitbucket, plain.url, capsys)
