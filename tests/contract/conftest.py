from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger
from tests import postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.server() as url:
        yield url


@pytest.fixture(params=["sqlite"] if postgresql.missing() else ["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be, on either database; nothing is there yet."""
    if request.param == "sqlite":
        return ledger.default_url(tmp_path)
    return postgresql.emptied(request.getfixturevalue("postgresql_server"))
