"""Between rows of the database and Polars frames, without an object a row."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl
from sqlalchemy import Connection, Dialect, TextClause

__all__ = ["Rows", "columns_of", "dump", "load", "load_in_parts", "read_frame", "records", "write_rows"]

Rows = pl.DataFrame | Sequence[Mapping[str, object]]
"""A frame, or as many mappings with the same keys."""


def read_frame(
    connection: Connection,
    statement: TextClause,
    parameters: Mapping[str, object],
    schema: Mapping[str, pl.DataType],
) -> pl.DataFrame:
    """All rows of a query, its columns in the order of `schema`; instants come as microseconds, truths as 0 and 1."""
    result = connection.execute(statement, dict(parameters))
    # The driver's own tuples: an object of SQLAlchemy for each row would double the time.
    rows = result.cursor.fetchall()
    result.close()
    numbers = {name: dtype if dtype == pl.String else pl.Int64() for name, dtype in schema.items()}
    return pl.DataFrame(rows, schema=numbers, orient="row").cast(pl.Schema(schema))


def write_rows(connection: Connection, statement: TextClause, rows: list[dict[str, Any]]) -> None:
    """Execute a statement once for each row of parameters.

    Hands the rows to the driver as they are: SQLAlchemy's own handling of them takes longer than SQLite's writing.
    """
    if rows:
        connection.exec_driver_sql(_driver_sql(statement, connection.dialect), rows)


@cache
def _driver_sql(statement: TextClause, dialect: Dialect) -> str:
    return str(statement.compile(dialect=dialect))


def columns_of(rows: Rows) -> frozenset[str]:
    """The names that the rows give values for."""
    if isinstance(rows, pl.DataFrame):
        return frozenset(rows.columns)
    return frozenset(rows[0]) if rows else frozenset()


def records(rows: Rows, **constants: object) -> list[dict[str, Any]]:
    """The rows as parameters of a statement, with the constants in each."""
    named = rows.iter_rows(named=True) if isinstance(rows, pl.DataFrame) else rows
    return [{**row, **constants} for row in named]


def dump(frame: pl.DataFrame, *, rows_together: int | None = None) -> bytes:
    """The frame as Parquet. So many rows are decoded together later on; Polars' own choice, if not given."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", row_group_size=rows_together)
    return buffer.getvalue()


def load(content: bytes) -> pl.LazyFrame:
    """The frame that `dump` wrote; what is not asked for is not decoded."""
    return pl.scan_parquet(io.BytesIO(content))


def load_in_parts(content: bytes, rows: int) -> Iterator[pl.DataFrame]:
    """The frame that `dump` wrote, so many rows at a time. Decodes least where it was written with as many together."""
    whole = load(content)
    for first in range(0, whole.select(pl.len()).collect().item(), rows):
        yield whole.slice(first, rows).collect()
