"""The ledger as a storage of scim2-server, held to that package's own contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scim2_models import ScimProvider
from scim2_server.testing import ScimStorageContract

import ledger
from ledger.scim.writing import Actor
from service.scim.settings import Limits
from service.scim.shape import Shape, shape_of
from service.scim.storage import LedgerStorage


class TestStorageOfTheLedger(ScimStorageContract):
    @pytest.fixture
    def book(self, ledger_url: str) -> Iterator[ledger.Ledger]:
        with ledger.open(ledger_url) as opened:
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
