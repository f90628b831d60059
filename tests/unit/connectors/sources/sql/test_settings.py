"""Addresses, and that no password gets into a sync file."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.catalog import parse_settings
from connectors.sources.sql import SqlSettings, SqlSource
from directory.errors import ConfigurationError

QUERIES = {"people": "SELECT 1", "memberships": "SELECT 2;"}


def declared(**settings: Any) -> SqlSettings:
    return SqlSettings.model_validate({**QUERIES, **settings})


def test_parts_and_a_url_name_the_same_database() -> None:
    whole = declared(url="postgresql://reader@db.example.com:5433/hr?sslmode=require")
    parts = declared(
        dialect="postgresql",
        host="db.example.com",
        port=5433,
        database="hr",
        username="reader",
        options={"sslmode": "require"},
    )
    assert whole.address == parts.address


def test_a_semicolon_at_the_end_is_taken_off() -> None:
    assert declared(url="sqlite:///x.db").memberships == "SELECT 2"


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "postgresql://reader:MARKED@db/hr"},
        {"url": "mssql+pyodbc:///?odbc_connect=PWD%3DMARKED"},
        {"url": "postgresql://db/hr?password=MARKED"},
        {"url": "postgresql://db/hr", "options": {"sslpassword": "MARKED"}},
        {"url": "postgresql://db/hr", "password": "MARKED"},
        {"url": "MARKED no url"},
        {"dialect": "MARKED no dialect!"},
    ],
)
def test_a_password_in_the_sync_file_is_refused_and_not_repeated(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings("source", {"kind": "sql", **QUERIES, **settings})
    assert "MARKED" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"url": "sqlite:///x.db", "dialect": "sqlite"},
        {"url": "sqlite:///x.db", "people": " ; "},
        {"url": "sqlite:///x.db", "active_values": ["no"]},
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        parse_settings("source", {"kind": "sql", **QUERIES, **settings})


@pytest.mark.parametrize("url", ["oracle+nothing://db/hr", "sqlite+aiosqlite:///x.db", "sqlite://"])
async def test_a_database_that_nothing_can_speak_to_is_a_mistake_of_the_sync_file(url: str) -> None:
    source = SqlSource(declared(url=url))
    with pytest.raises(ConfigurationError) as caught:
        await source.read()
    assert caught.value.next_step
    assert [finding.level for finding in await source.check()] == ["problem"]
