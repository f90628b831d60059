"""The ledger as a storage of scim2-server, held to that package's own contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scim2_models import ScimProvider
from scim2_server.testing import ScimStorageContract

import ledger
from ledger.scim.writing import Actor
from service.scim.settings import Limits
from service.scim.shape import Shape, shape_of
from service.scim.storage import LedgerStorage
from tests import postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.server() as url:
        yield url


class StorageOfTheLedger(ScimStorageContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return ledger.default_url(tmp_path)

    @pytest.fixture
    def book(self, url: str) -> Iterator[ledger.Ledger]:
        with ledger.open(url) as opened:
            yield opened

    @pytest.fixture
    def shape(self, book: ledger.Ledger) -> Shape:
        return shape_of(book.scim.connectors.add("entra"), Limits())

    @pytest.fixture
    def provider(self, shape: Shape) -> ScimProvider:
        return shape.provider

    @pytest.fixture
    def storage(self, book: ledger.Ledger, shape: Shape) -> Iterator[LedgerStorage]:
        connector = book.scim.connectors.get("entra")
        with book.scim.write() as transaction:
            writer = transaction.writer(connector.id, Actor("token", None, "request", "test"))
            yield LedgerStorage(shape, writer, transaction)


class TestStorageInSqlite(StorageOfTheLedger):
    pass


@pytest.mark.skipif(postgresql.missing() is not None, reason=str(postgresql.missing()))
class TestStorageInPostgresql(StorageOfTheLedger):
    @pytest.fixture
    def url(self, postgresql_server: str) -> str:
        return postgresql.emptied(postgresql_server)
