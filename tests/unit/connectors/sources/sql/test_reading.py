"""One read-only transaction on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import time

import pytest
from sqlalchemy import Engine, text

from connectors.sources.sql import SqlSource
from connectors.sources.sql.database import Database
from directory.errors import CredentialsRefused, SourceUnavailable, SourceUnreadable
from tests.unit.connectors.sources.sql.conftest import Declared

COUNTING = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000000)"
ENDLESS = (
    f"{COUNTING} SELECT count(*) AS external_id, '' AS username, '' AS email, '' AS display_name, 1 AS active FROM c"
)


async def test_numbers_as_keys_and_native_flags_are_read(engine: Engine, declared: Declared) -> None:
    snapshot = await SqlSource(declared(engine)).read()
    assert snapshot.completeness.findings == ()
    assert snapshot.people.rows() == [
        ("1", "jane", "jane@example.com", "Jane", True),
        ("2", "john", None, "John", False),
    ]
    assert snapshot.memberships.rows() == [("crew", "1", False), ("crew", "2", False)]
    assert snapshot.groups.rows() == [("crew", "crew")]


async def test_every_type_of_postgresql_becomes_one_of_ours(postgresql_engine: Engine, declared: Declared) -> None:
    people = (
        "SELECT id AS external_id, login AS username, mail AS email, name AS display_name, works AS active,"
        " id::numeric(10,2) AS money, '{\"b\": 1}'::jsonb AS doc, '[\"x\", \"y\"]'::jsonb AS list, array['a'] AS tags,"
        " '2026-01-02 03:04:05+01'::timestamptz AS moment, gen_random_uuid() IS NULL AS odd, '50%' AS percent,"
        " 'a:b' AS colon FROM staff"
    )
    frame = (await SqlSource(declared(postgresql_engine, people=people)).read()).people
    assert frame.drop("external_id", "username", "email", "display_name", "active").row(0) == (
        "1",
        '{"b": 1}',
        ["x", "y"],
        ["a"],
        "2026-01-02T02:04:05+00:00",
        False,
        "50%",
        "a:b",
    )


async def test_both_queries_see_the_same_moment(postgresql_engine: Engine, declared: Declared) -> None:
    settings = declared(postgresql_engine)
    database = Database(settings)
    with database.transaction():
        people = [columns.frame() for columns in database.batches("people", settings.people)][-1]
        with postgresql_engine.begin() as connection:
            connection.execute(text("INSERT INTO seats VALUES ('crew', 3)"))
        members = [columns.frame() for columns in database.batches("memberships", settings.memberships)][-1]
    assert (people.height, members.height) == (2, 2)


@pytest.mark.parametrize("write", ["DELETE FROM staff RETURNING 1 AS external_id", "DROP TABLE staff"])
async def test_a_query_that_writes_is_refused_by_the_database(engine: Engine, declared: Declared, write: str) -> None:
    with pytest.raises((SourceUnreadable, SourceUnavailable)):
        await SqlSource(declared(engine, people=write), waits=()).read()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM staff")).scalar_one() == 2


async def test_a_function_that_writes_is_refused_and_says_so(postgresql_engine: Engine, declared: Declared) -> None:
    with postgresql_engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION fire() RETURNS integer LANGUAGE sql AS $$ DELETE FROM staff RETURNING 1 $$"
        )
    query = "SELECT fire() AS external_id, '' AS username, '' AS email, '' AS display_name, true AS active"
    with pytest.raises(SourceUnreadable, match="it would write"):
        await SqlSource(declared(postgresql_engine, people=query)).read()


async def test_check_proves_that_nothing_can_be_written_and_shows_each_query(
    engine: Engine, declared: Declared
) -> None:
    findings = await SqlSource(declared(engine)).check()
    said = "\n".join(finding.what for finding in findings)
    assert "refuses writes" in said
    assert "`people` gives 2 rows; columns external_id, username, email, display_name, active" in said
    assert "`memberships` is run as: " in said
    assert {finding.level for finding in findings} == {"ok", "note"}


async def test_check_says_what_a_read_would_find(engine: Engine, declared: Declared) -> None:
    findings = await SqlSource(declared(engine, people=f"{declared(engine).people} WHERE id = 1")).check()
    problems = [finding for finding in findings if finding.level == "problem"]
    assert [
        "1 membership was left out, since the query `people` does not give the member, such as 2" in problem.what
        for problem in problems
    ] == [True]
    assert problems[0].next_step


async def test_a_query_that_takes_too_long_is_ended_and_not_tried_again(engine: Engine, declared: Declared) -> None:
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="statement_timeout") as caught:
        await SqlSource(declared(engine, people=ENDLESS, statement_timeout=0.3)).read()
    assert time.monotonic() - started < 15
    assert "the query `people`" in str(caught.value)


async def test_a_cancelled_read_ends_its_query(engine: Engine, declared: Declared) -> None:
    reading = asyncio.create_task(SqlSource(declared(engine, people=ENDLESS)).read())
    await asyncio.sleep(0.5)
    started = time.monotonic()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert time.monotonic() - started < 8
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%RECURSIVE%'"
            assert connection.execute(text(f"{running} AND pid <> pg_backend_pid()")).scalar_one() == 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT id AS external_id, emial FROM staff", "the database cannot run it"),
        ("SELECT id AS external_id FROM staff", "no column 'username'"),
        ("SELECT 1 AS external_id, 2 AS external_id", "'external_id' twice"),
        ("SELECT * FROM nowhere", "nowhere"),
    ],
)
async def test_a_query_that_does_not_fit_is_named(engine: Engine, declared: Declared, query: str, said: str) -> None:
    with pytest.raises(SourceUnreadable, match=said) as caught:
        await SqlSource(declared(engine, people=query)).read()
    assert caught.value.subject == "the query `people`"
    assert caught.value.next_step
    assert "SELECT" not in str(caught.value)


async def test_a_wrong_password_stops_at_once_and_is_not_shown(
    postgresql_engine: Engine, declared: Declared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "MARKED-9c1")
    source = SqlSource(declared(postgresql_engine))
    with pytest.raises(CredentialsRefused) as caught:
        await source.read()
    findings = await source.check()
    assert [finding.level for finding in findings] == ["problem"]
    assert "MARKED" not in f"{caught.value} {caught.value!r} {findings} {caught.value.__cause__} {source!r}"


async def test_a_table_that_may_not_be_read_is_not_an_empty_one(postgresql_engine: Engine, declared: Declared) -> None:
    with postgresql_engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS stranger")
        connection.exec_driver_sql("CREATE ROLE stranger LOGIN PASSWORD 'other'")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO stranger")
        connection.exec_driver_sql("GRANT SELECT ON staff TO stranger")
    settings = declared(postgresql_engine, username="stranger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DB_PASSWORD", "other")
        with pytest.raises(CredentialsRefused, match="may not read"):
            await SqlSource(settings).read()
    with postgresql_engine.begin() as connection:
        connection.exec_driver_sql("DROP OWNED BY stranger")
        connection.exec_driver_sql("DROP ROLE stranger")


async def test_a_database_that_is_not_there_is_tried_again(declared: Declared, sqlite_engine: Engine) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    settings = declared(sqlite_engine, url="sqlite:////nowhere/at/all.db")
    with pytest.raises(SourceUnavailable, match="no connection"):
        await SqlSource(settings, waits=(1, 2), sleep=wait).read()
    assert waited == [1, 2]
