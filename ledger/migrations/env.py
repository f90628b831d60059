"""Alembic's entry: runs the migrations in the transaction of the connection that `upgrade` hands over."""

from __future__ import annotations

from alembic import context

from ledger.migrations import VERSION_TABLE
from ledger.schema import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
