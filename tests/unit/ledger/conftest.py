from __future__ import annotations

from collections.abc import Iterator

import pytest

import ledger


@pytest.fixture
def url(ledger_url: str) -> str:
    """Where a ledger may be; nothing is there yet."""
    return ledger_url


@pytest.fixture
def book(url: str) -> Iterator[ledger.Ledger]:
    """A fresh ledger."""
    with ledger.open(url) as opened:
        yield opened
