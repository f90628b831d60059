"""The file source against exports of the invented company, in every format and both shapes."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest

from connectors.contract import CheckFinding, Progress
from connectors.sources.file import FileSettings, FileSource
from directory.errors import SourceUnreadable
from directory.snapshot import SourceSnapshot
from sandbox.company import Company, Standing
from sandbox.population import company as found_company
from tests.contract.source_contract import Sleeps, SourceContract, Stage

OUT = {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}
WORDS = {
    "active_values": [standing.value for standing in Standing if standing not in OUT],
    "inactive_values": [standing.value for standing in Standing if standing in OUT],
}
Rows = Sequence[Mapping[str, Any]]


def write_csv(path: Path, columns: Sequence[str], rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, columns: Sequence[str], rows: Rows) -> None:
    path.write_text(json.dumps(list(rows), indent=2), encoding="utf-8")


def write_ndjson(path: Path, columns: Sequence[str], rows: Rows) -> None:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8", newline="")


def write_parquet(path: Path, columns: Sequence[str], rows: Rows) -> None:
    pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String())).write_parquet(path)


@dataclass
class Export:
    """What a nightly job of the company's would write."""

    company: Company
    folder: Path
    suffix: str
    write: Callable[[Path, Sequence[str], Rows], None]
    knots: list[tuple[str, str]] = field(default_factory=list)

    def path(self, what: str) -> Path:
        return self.folder / f"{what}.{self.suffix}"

    def people(self, groups: Callable[[str], str] | None = None) -> None:
        """One row a person, with their groups in a column where `groups` says which."""
        columns = ["nr", "login", "mail", "name", "standing", "city", *(["groups"] if groups else [])]
        rows = []
        for person in self.company.people.values():
            row = {
                "nr": f"nr-{person.id}",
                "login": person.login,
                "mail": person.email,
                "name": person.display_name,
                "standing": person.standing.value,
                "city": person.city,
            }
            rows.append({**row, "groups": groups(person.id)} if groups else row)
        self.write(self.path("people"), columns, rows)

    def groups(self) -> None:
        rows = [{"group_id": group.id, "name": group.name} for group in self.company.groups.values()]
        self.write(self.path("groups"), ["group_id", "name"], rows)

    def memberships(self) -> None:
        """Who was put into a group, and which group lies in which."""
        rows = [
            {"group": group, "member": f"nr-{person}", "member_group": ""}
            for group, people in self.company.direct.items()
            for person in people
        ]
        inside = [(group.parent, group.id) for group in self.company.groups.values() if group.parent] + self.knots
        rows += [{"group": outer, "member": "", "member_group": inner} for outer, inner in inside]
        self.write(self.path("memberships"), ["group", "member", "member_group"], rows)

    def tie_a_knot(self) -> None:
        first, second = list(self.company.groups)[:2]
        self.knots = [(first, second), (second, first)]


class ExportedFirst(FileSource):
    """The files are written before each read, as what changed in the company would be by the next night."""

    def __init__(self, settings: FileSettings, export: Callable[[], None]) -> None:
        super().__init__(settings)
        self._export = export

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        self._export()
        return await super().read(progress)

    async def check(self) -> list[CheckFinding]:
        self._export()
        return await super().check()


class FileSourceContract(SourceContract):
    nests = True
    suffix: ClassVar[str]
    write: ClassVar[Callable[[Path, Sequence[str], Rows], None]]

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        with tempfile.TemporaryDirectory() as folder:
            export = Export(company, Path(folder), self.suffix, type(self).write)
            settings = FileSettings.model_validate(
                {
                    "people": export.path("people"),
                    "groups": export.path("groups"),
                    "memberships": export.path("memberships"),
                    "nested": True,
                    "columns": {
                        "external_id": "nr",
                        "username": "login",
                        "email": "mail",
                        "display_name": "name",
                        "active": "standing",
                    },
                    **WORDS,
                }
            )

            def write_all() -> None:
                export.people()
                export.groups()
                export.memberships()

            yield Stage(
                ExportedFirst(settings, write_all),
                company,
                external_id=lambda person: f"nr-{person.id}",
                tie_a_knot=export.tie_a_knot,
            )


class TestCsv(FileSourceContract):
    suffix = "csv"
    write = write_csv


class TestJson(FileSourceContract):
    suffix = "json"
    write = write_json


class TestParquet(FileSourceContract):
    suffix = "parquet"
    write = write_parquet


class TestNdjson(FileSourceContract):
    suffix = "ndjson"
    write = write_ndjson

    async def test_a_company_of_nobody_is_complete_and_empty(self, sleeps: Sleeps) -> None:
        """NDJSON has no way to say so: the file has no bytes, as one has that was cut, and is refused."""
        with (
            self.staged(found_company(people=0, groups=6), sleeps) as stage,
            pytest.raises(SourceUnreadable, match="0 bytes"),
        ):
            await stage.source.read()


class TestGroupsInAColumn(SourceContract):
    """One CSV file, flat: the export has put everybody into the groups above as well."""

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        with tempfile.TemporaryDirectory() as folder:
            export = Export(company, Path(folder), "csv", write_csv)
            settings = FileSettings.model_validate(
                {
                    "people": export.path("people"),
                    "groups": export.path("groups"),
                    "groups_separator": "|",
                    "columns": {
                        "external_id": "nr",
                        "username": "login",
                        "email": "mail",
                        "display_name": "name",
                        "active": "standing",
                    },
                    **WORDS,
                }
            )

            def write_all() -> None:
                members = {group: company.effective_members(group) for group in company.groups}
                export.people(lambda person: "|".join(group for group, people in members.items() if person in people))
                export.groups()

            yield Stage(
                ExportedFirst(settings, write_all),
                company,
                external_id=lambda person: f"nr-{person.id}",
            )
