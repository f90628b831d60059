from __future__ import annotations

import json
import shutil
import sqlite3
import textwrap
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import ledger
from directory.errors import ConfigurationError
from ledger.database import Database
from ledger.migrations import FOLDER, REVISIONS, VERSION_TABLE, bring_up_to_date, upgrade
from ledger.plans import Decided
from ledger.results import Document
from ledger.schema import Table
from tests.unit.ledger.entries import PLAN, TARGET, a_run

VERSIONS = Path(__file__).parent / "versions"
AT = datetime(2026, 11, 24, 6, 5, 12, 345678, tzinfo=UTC)
RUN = "20261124-060512-7k3f"
NEXT = f"{int(REVISIONS[-1]) + 1:04}"


def old_ledger(folder: Path, script: Path) -> str:
    """The URL of a ledger as the program of that version left it."""
    url = ledger.default_url(folder)
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script.read_text())
    return url


def with_a_further_revision(folder: Path, body: str) -> Path:
    """The shipped migrations, followed by one that only the test knows."""
    migrations = folder / "migrations"
    shutil.copytree(FOLDER, migrations)
    (migrations / "versions" / f"v{NEXT}_test.py").write_text(
        textwrap.dedent(f"""\
            import sqlalchemy as sa
            from alembic import op

            revision = "{NEXT}"
            down_revision = "{REVISIONS[-1]}"


            def upgrade() -> None:
            """)
        + textwrap.indent(body, "    ")
    )
    return migrations


def version_of(database: Database) -> str:
    with database.read() as connection:
        return str(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one())


def test_the_versions_that_are_known_are_those_there_are_migrations_for():
    script = ScriptDirectory(str(FOLDER))

    assert [revision.revision for revision in script.walk_revisions()][::-1] == list(REVISIONS)
    assert {path.stem for path in VERSIONS.glob("*.sql")} == {f"v{revision}" for revision in REVISIONS}


def test_migrations_from_nothing_make_the_declared_tables(url: str):
    database = Database(url)
    with database.write() as connection:
        upgrade(connection)
    with database.read() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Table.metadata) == []
    assert version_of(database) == REVISIONS[-1]
    database.close()


def test_sqlite_keeps_the_same_tables_whether_fresh_or_migrated(tmp_path: Path):
    def declared(database: Database) -> set[tuple[str, str]]:
        with database.read() as connection:
            found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            rows = {(name, " ".join(sql.split())) for name, sql in found}
        database.close()
        return {(name, sql) for name, sql in rows if name != VERSION_TABLE}

    migrated = Database(tmp_path / "migrated.db")
    with migrated.write() as connection:
        upgrade(connection)
    ledger.open(tmp_path / "fresh.db").close()

    assert declared(migrated) == declared(Database(tmp_path / "fresh.db"))


@pytest.mark.parametrize("script", sorted(VERSIONS.glob("*.sql")), ids=lambda path: path.stem)
def test_everything_in_an_old_ledger_can_be_read(tmp_path: Path, script: Path):
    with ledger.open(old_ledger(tmp_path, script)) as book:
        run = book.runs.get(RUN)
        assert (run.status, run.host, run.header, run.source_stats) == (
            "partial",
            "old-host",
            {"counts": {"create": 1}},
            {"people": 2},
        )
        plan = book.plans.get(PLAN)
        assert (plan.state, plan.approved_by, plan.approved_at) == ("approved", "jane", AT)
        assert book.plans.frame(PLAN, "operations").collect().rows() == [(0, "create"), (1, "add_membership")]
        assert book.journal.entries(PLAN).select("seq", "status").rows() == [(0, "done"), (1, "sent")]
        assert book.links.frame("okta").rows() == [
            ("00u1", "101", "jane", "active", True, AT, AT, *((None, None) if script.stem < "v0004" else (AT, AT)))
        ]
        assert book.memories.frame("okta").rows() == [("00u2", "group", "joe's devs", AT, RUN, PLAN)]
        assert book.ownership.groups("okta") == {"devs"}
        assert book.watermarks.get("okta", "users") == "2026-11-24T06:05:12Z"
        assert book.results.person(RUN, "jane").rows() == [("00u1", "jane", "created")]
        assert book.results.document(RUN) == Document("results/run.json", 1234, "a" * 64)
        assert book.leases.acquire(TARGET, a_run(book)).took_over == RUN
        reading = book.readings.get("okta")
        assert (reading is None) == (script.stem < "v0002")
        assert reading is None or (reading.watermark, reading.frames["people"].rows()) == ("mark", [("00u1",)])
        snapshot = book.snapshots.get("okta", "source")
        assert (snapshot is None) == (script.stem < "v0003")
        assert snapshot is None or (snapshot.about, snapshot.frames["people"].rows()) == ({"policy": {}}, [("00u1",)])
        picture = [("00u1", "96", "b" * 64, None, AT)]
        assert book.pictures.frame("okta").rows() == ([] if script.stem < "v0005" else picture)
        assert book.pictures.content("b" * 64) == (None if script.stem < "v0005" else b"png")
        assert book.ownership.feeds("okta").rows() == ([("devs", "g1", "Devs")] if snapshot else [])
        decided = [Decided("approve", "jane", AT, "as agreed")]
        assert book.plans.decisions(PLAN) == ([] if script.stem < "v0006" else decided)
        assert [q.plan_id for q in book.questions.open("okta")] == ([] if script.stem < "v0006" else [PLAN])
        pushed = book.scim.connectors.all()
        assert [each.slug for each in pushed] == ([] if script.stem < "v0007" else ["entra"])
        allowed = [str(network) for each in pushed for network in each.allowed]
        assert allowed == ([] if script.stem < "v0009" else ["192.0.2.0/24", "2001:db8::/32"])
        for each in pushed:
            assert_pushed(book, each.id)
        tokens = [(token.name, token.scopes) for token in book.tokens.all()]
        assert tokens == ([] if script.stem < "v0008" else [("old", ("read", "run"))])
        written = [(entry.who, entry.client, entry.status, entry.details) for entry in book.audit.latest()]
        assert written == ([] if script.stem < "v0008" else [("old", "192.0.2.7", 202, {"run": RUN})])


def assert_pushed(book: ledger.Ledger, connector_id: str) -> None:
    shown = book.scim.connectors.authenticate("entra", f"scim_0123456789ab_{'x' * 43}")
    assert shown is not None
    assert shown.token.last_used_at == AT
    found = book.scim.pushed(connector_id)
    assert [json.loads(document)["userName"] for _, document in found.people] == ["Jane"]
    assert (found.memberships, found.promised) == ([("g1", "u1", False)], {"Group": 1, "User": 1})
    assert [each.resource_id for each in book.scim.touched(connector_id)] == ["u1"]
    assert [(each.client, each.changed) for each in book.scim.audit(connector_id)] == [("192.0.2.7", ("userName",))]


def test_an_older_ledger_is_upgraded_when_it_is_opened(url: str, tmp_path: Path):
    with ledger.open(url) as book:
        run_id = a_run(book)
    folder = with_a_further_revision(
        tmp_path,
        """op.add_column("runs", sa.Column("note", sa.String(), server_default="none", nullable=False))\n""",
    )
    database = Database(url)

    for _ in range(2):
        bring_up_to_date(database, revisions=(*REVISIONS, NEXT), folder=folder)

    assert version_of(database) == NEXT
    with database.read() as connection:
        assert connection.execute(text("SELECT id, note FROM runs")).all() == [(run_id, "none")]
    database.close()


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(url: str, tmp_path: Path):
    ledger.open(url).close()
    folder = with_a_further_revision(
        tmp_path,
        """op.add_column("runs", sa.Column("note", sa.String()))\nraise RuntimeError("no further")\n""",
    )
    database = Database(url)

    with pytest.raises(RuntimeError, match="no further"):
        bring_up_to_date(database, revisions=(*REVISIONS, NEXT), folder=folder)

    assert version_of(database) == REVISIONS[-1]
    with database.read() as connection:
        assert "note" not in {column["name"] for column in inspect(connection).get_columns("runs")}
    database.close()
    with ledger.open(url) as book:
        a_run(book)


def test_a_ledger_that_a_newer_program_wrote_is_refused_and_left_alone(url: str):
    ledger.open(url).close()
    database = Database(url)
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'"))

    with pytest.raises(ConfigurationError) as caught:
        ledger.open(url)

    said = str(caught.value)
    assert f"the ledger has version 0099, and this program knows versions up to {REVISIONS[-1]}" in said
    assert "Not done: nothing was read from it or written to it. Next: run the newer usersync" in said
    assert version_of(database) == "0099"
    database.close()
