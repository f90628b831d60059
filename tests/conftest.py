"""What holds for every test: hypothesis' profiles, skips that are failures where everything is meant to run, and one
PostgreSQL for whoever asks."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import ledger
from tests import postgresql

settings.register_profile("local", max_examples=100, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

DOES_NOT_APPLY = "does not apply"
"""A skip whose reason begins so is about the test, not about something that is missing on the machine."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With USERSYNC_NO_SKIPS set, a part that could not run fails, so that nobody takes a hole for a pass."""
    report = yield
    if report.skipped and os.environ.get("USERSYNC_NO_SKIPS") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(DOES_NOT_APPLY):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} is meant to run here, but it skipped: {reason}"
    return report


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be, on either database; nothing is there yet."""
    if request.param == "sqlite":
        return ledger.default_url(tmp_path)
    return postgresql.emptied(request.getfixturevalue("postgresql_server"))
