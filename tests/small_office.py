"""A small office: an export of six people, a simulated Bitbucket, and a sync file between them, in one folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.bitbucket import BitbucketSimulator
from sandbox.serving import served

__all__ = ["PASSWORD", "STAFF", "SmallOffice", "small_office"]

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
_OURS = ("USERSYNC_LEDGER", "USERSYNC_HOME", "PREFECT_API_URL", "COLUMNS", "FORCE_COLOR")


@dataclass
class SmallOffice:
    folder: Path
    """The working folder, too: sync files name what lies in it."""
    bitbucket: BitbucketSimulator
    url: str
    """Of Bitbucket."""

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


@contextmanager
def small_office(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallOffice]:
    monkeypatch.chdir(folder)
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OFFICE_PASSWORD", PASSWORD)
    simulator = BitbucketSimulator(admin=("admin", PASSWORD))
    with served(simulator.app) as url:
        made = SmallOffice(folder, simulator, url)
        made.write_people()
        made.write_sync_file()
        yield made
