"""What every table of the ledger is made of."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

__all__ = ["CLUSTERED", "Table"]

CLUSTERED: Final = {"sqlite_with_rowid": False}
"""The primary key is the table: for rows that are found by their key alone."""

_METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)
"""Migrations name what they change, so everything has a name of ours on both databases."""


class Table(SQLModel, registry=registry(metadata=_METADATA)):
    """Apart from any other SQLModel of the process, whose tables do not belong into the ledger."""
