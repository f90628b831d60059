"""The database source against SQLite and a real PostgreSQL that hold the invented company."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from connectors.contract import CheckFinding, Progress
from connectors.sources.sql import SqlSettings, SqlSource
from directory.snapshot import SourceSnapshot
from sandbox.company import Company, Standing
from tests import postgresql
from tests.contract.source_contract import Sleeps, SourceContract, Stage

OUT = {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}
QUERIES = {
    "people": "SELECT nr AS external_id, login AS username, mail AS email, full_name AS display_name,"
    " standing AS active, city FROM staff",
    "groups": "SELECT id AS group_id, title AS name FROM teams;",
    "memberships": "SELECT team AS group_id, member AS member_id, member_is_team AS member_is_group FROM seats",
    "nested": True,
    "active_values": [standing.value for standing in Standing if standing not in OUT],
    "inactive_values": [standing.value for standing in Standing if standing in OUT],
    "batch_rows": 100,
}
TABLES = (
    "CREATE TABLE staff (nr text, login text, mail text, full_name text, standing text, city text)",
    "CREATE TABLE teams (id varchar(40), title varchar(200))",
    "CREATE TABLE seats (team varchar(40), member varchar(40), member_is_team boolean)",
)


class Payroll:
    """The database that the company's people are kept in."""

    def __init__(self, company: Company, url: str) -> None:
        self.company = company
        self.knots: list[tuple[str, str]] = []
        self._engine = create_engine(url, poolclass=NullPool)

    def tie_a_knot(self) -> None:
        first, second = list(self.company.groups)[:2]
        self.knots = [(first, second), (second, first)]

    def fill(self) -> None:
        with self._engine.begin() as connection:
            for table in ("staff", "teams", "seats"):
                connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
            for table in TABLES:
                connection.execute(text(table))
            self._write(connection)

    def _write(self, connection: Connection) -> None:
        company = self.company
        staff = [
            {
                "nr": f"nr-{person.id}",
                "login": person.login,
                "mail": person.email,
                "full_name": person.display_name,
                "standing": person.standing.value,
                "city": person.city,
            }
            for person in company.people.values()
        ]
        teams = [{"id": group.id, "title": group.name} for group in company.groups.values()]
        inside = [(group.parent, group.id) for group in company.groups.values() if group.parent] + self.knots
        seats: list[dict[str, Any]] = [
            {"team": team, "member": f"nr-{person}", "inner": False}
            for team, people in company.direct.items()
            for person in people
        ]
        seats += [{"team": outer, "member": inner, "inner": True} for outer, inner in inside]
        for statement, rows in (
            ("INSERT INTO staff VALUES (:nr, :login, :mail, :full_name, :standing, :city)", staff),
            ("INSERT INTO teams VALUES (:id, :title)", teams),
            ("INSERT INTO seats VALUES (:team, :member, :inner)", seats),
        ):
            if rows:
                connection.execute(text(statement), rows)


class FilledFirst(SqlSource):
    """The database is filled before each read, as what changed in the company would be by the next night."""

    def __init__(self, settings: SqlSettings, fill: Callable[[], None]) -> None:
        super().__init__(settings)
        self._fill = fill

    async def read(self, progress: Progress | None = None) -> SourceSnapshot:
        self._fill()
        return await super().read(progress)

    async def check(self) -> list[CheckFinding]:
        self._fill()
        return await super().check()


def stage_of(company: Company, url: str, settings: SqlSettings, *secrets: str) -> Stage:
    payroll = Payroll(company, url)
    return Stage(
        FilledFirst(settings, payroll.fill),
        company,
        external_id=lambda person: f"nr-{person.id}",
        secrets=secrets,
        tie_a_knot=payroll.tie_a_knot,
    )


class TestSqlite(SourceContract):
    nests = True

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'payroll.db'}"
            yield stage_of(company, url, SqlSettings.model_validate({"url": url, **QUERIES}))


class TestPostgresql(SourceContract):
    nests = True

    @pytest.fixture(autouse=True)
    def _server(self, postgresql_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = make_url(postgresql.emptied(postgresql_server)).set(drivername="postgresql+psycopg")
        monkeypatch.setenv("PAYROLL_PASSWORD", str(self.server.password))

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        url = self.server
        parts = {
            "dialect": "postgresql",
            "host": url.host,
            "port": url.port,
            "database": url.database,
            "username": url.username,
            "password": "env:PAYROLL_PASSWORD",
        }
        settings = SqlSettings.model_validate({**parts, **QUERIES})
        yield stage_of(company, url.render_as_string(hide_password=False), settings, str(url.password))
