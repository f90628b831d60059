"""From a path to a table, whatever the format."""

from __future__ import annotations

import codecs
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from connectors.sources.file.csv_rows import read_csv
from connectors.sources.file.json_rows import read_json, read_ndjson
from connectors.sources.file.settings import FileSettings
from connectors.sources.file.table import LINE, RUN_AGAIN, Rows, Table, Wanted, reading, unreadable

__all__ = ["Stamp", "read_table", "stamp"]


class Stamp(NamedTuple):
    """What differs after somebody wrote to a file or put another in its place."""

    size: int
    modified_ns: int
    inode: int

    @property
    def modified(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)


def stamp(path: Path) -> Stamp:
    """Raises `SourceUnreadable` where there is no such file."""
    try:
        found = path.stat()
    except OSError as error:
        raise _closed(path, error) from None
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


def read_table(path: Path, settings: FileSettings, wanted: Wanted) -> Table:
    """Read one file whole. Raises `SourceUnreadable`.

    The bytes are taken at once: Polars would map the file, and a map of a file that somebody cuts kills the process.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _closed(path, error) from None
    if not data:
        raise unreadable(path, "the file is empty (0 bytes), which an export of nobody would not be", RUN_AGAIN)
    if settings.format_of(path) == "parquet":
        return _table(path, _read_parquet(data, path), "row")
    return _read_text(data, path, settings, wanted)


def _read_text(data: bytes, path: Path, settings: FileSettings, wanted: Wanted) -> Table:
    form = settings.format_of(path)
    text = _decoded(data, path, settings.encoding)
    if not text.strip():
        raise unreadable(path, "the file holds nothing but blanks", RUN_AGAIN)
    if form == "json":
        return _table(path, read_json(text, path, wanted), "row")
    if settings.require_final_newline and not text.endswith("\n"):
        raise unreadable(path, "its last line does not end with a line break, so the file was cut", RUN_AGAIN)
    if form == "ndjson":
        return _table(path, read_ndjson(text, path, wanted), "line")
    return _table(path, read_csv(text, path, settings.separator), "line")


def _decoded(data: bytes, path: Path, encoding: str) -> str:
    plain = codecs.lookup(encoding).name == "utf-8"
    try:
        return data.decode("utf-8-sig" if plain else encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unreadable(
            path,
            f"line {line} holds the byte 0x{data[error.start]:02X}, which is not {encoding}",
            "set `encoding` to what the export writes, such as cp1252, or let it write UTF-8",
        ) from None


def _read_parquet(data: bytes, path: Path) -> Rows:
    with reading(path, "parquet"):
        frame = pl.read_parquet(io.BytesIO(data))
    return Rows(frame.with_row_index(LINE, offset=1), tuple(frame.columns), [])


def _table(path: Path, rows: Rows, unit: Literal["line", "row"]) -> Table:
    return Table(path, unit, rows.frame, rows.columns, rows.broken)


def _closed(path: Path, error: OSError) -> Exception:
    return unreadable(
        path,
        f"the file cannot be read ({error.strerror})",
        f"put it there, or give it to the user that runs usersync; it is looked for at {path.absolute()}",
    )
