"""Looking for secrets in everything that a server, a worker and a ledger leave: tables, frames, files, logs."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import polars as pl

__all__ = ["found_in_files", "found_in_tables", "spellings"]

_SQLITE = b"SQLite format 3\x00"
_PARQUET = b"PAR1"


def spellings(secret: str) -> frozenset[bytes]:
    """A secret as it is, and as URLs, JSON and Base64 write it, the last at each of its three offsets."""
    raw = secret.encode()
    written = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode()}
    written |= {json.dumps(secret, ensure_ascii=only_ascii)[1:-1].encode() for only_ascii in (True, False)}
    for offset in range(3):
        # The first and the last group of letters depend on what stands before and after it.
        encoded = base64.b64encode(b"\0" * offset + raw)
        written |= {encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]}
    return frozenset(written)


def found_in_tables(database: Path, marks: Mapping[str, Iterable[bytes]]) -> list[str]:
    """Where a mark stands in any column of any table of a SQLite file, also inside of frames kept there as Parquet."""
    found = []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    found += [f"{name} in table {table} of {database.name}" for name in _seen(_bytes(value), marks)]
    return found


def found_in_files(
    folders: Iterable[Path], marks: Mapping[str, Iterable[bytes]], *, spared: Iterable[Path]
) -> list[str]:
    """Where a mark stands in any file below the folders; SQLite's are read table by table as well."""
    left_out = set(spared)
    found = []
    for file in (file for folder in folders for file in folder.rglob("*") if file.is_file() and file not in left_out):
        content = file.read_bytes()
        found += [f"{name} in {file}" for name in _seen(content, marks)]
        if content.startswith(_SQLITE):
            found += found_in_tables(file, marks)
    return found


def _seen(content: bytes, marks: Mapping[str, Iterable[bytes]]) -> Iterator[str]:
    if content.startswith(_PARQUET):
        content = pl.read_parquet(io.BytesIO(content)).write_json().encode()
    for name, written in marks.items():
        if any(spelling in content for spelling in written):
            yield name


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
