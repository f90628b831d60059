"""A small directory in a SQLite file and in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from connectors.sources.sql import SqlSettings
from tests import postgresql

SETUP = (
    "CREATE TABLE staff (id integer, login text, mail text, name text, works boolean)",
    "INSERT INTO staff VALUES (1, 'jane', 'jane@example.com', 'Jane', true), (2, 'john', NULL, 'John', false)",
    "CREATE TABLE seats (team text, member integer)",
    "INSERT INTO seats VALUES ('crew', 1), ('crew', 2)",
)
QUERIES = {
    "people": "SELECT id AS external_id, login AS username, mail AS email, name AS display_name, works AS active"
    " FROM staff",
    "memberships": "SELECT team AS group_id, member AS member_id FROM seats",
}
Declared = Callable[..., SqlSettings]


@pytest.fixture
def postgresql_engine(postgresql_server: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    url = make_url(postgresql.emptied(postgresql_server)).set(drivername="postgresql+psycopg")
    monkeypatch.setenv("DB_PASSWORD", str(url.password))
    return filled(create_engine(url, poolclass=NullPool))


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Engine:
    return filled(create_engine(f"sqlite:///{tmp_path / 'staff.db'}", poolclass=NullPool))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


@pytest.fixture
def declared() -> Declared:
    return declare


def filled(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for statement in SETUP:
            connection.execute(text(statement))
    return engine


def declare(engine: Engine, **settings: Any) -> SqlSettings:
    url = engine.url
    secret = {} if url.password is None else {"password": "env:DB_PASSWORD"}
    address = url._replace(password=None).render_as_string()
    return SqlSettings.model_validate({"url": address, **secret, **QUERIES, **settings})
