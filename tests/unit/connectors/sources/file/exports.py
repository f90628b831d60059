"""Writes exports with other code than the source reads them with, except Parquet, which only Polars writes here."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from connectors.sources.file import FileSettings, FileSource
from directory.snapshot import SourceSnapshot

PERSON = {
    "external_id": "u1",
    "username": "jane",
    "email": "jane@example.com",
    "display_name": "Jane Doe",
    "active": True,
    "groups": ["staff"],
}
HEADER = "external_id,username,email,display_name,active,groups"


def person(external_id: str, **other: Any) -> dict[str, Any]:
    """A row of a people file, `username` after the id unless told otherwise."""
    return {**PERSON, "external_id": external_id, "username": external_id, **other}


def export(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Path:
    """Write the rows in the format that the suffix names."""
    writers = {".csv": _csv, ".json": _json, ".ndjson": _ndjson, ".parquet": _parquet}
    writers[path.suffix](path, rows, columns)
    return path


def text(path: Path, *lines: str) -> Path:
    """Write lines as they are, each with a line break."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
    return path


async def read(**settings: Any) -> SourceSnapshot:
    """Read by settings."""
    return await FileSource(FileSettings(**settings)).read()


def ids(snapshot: SourceSnapshot) -> list[str]:
    return snapshot.people["external_id"].to_list()


def _csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: Any) -> Any:
    return ";".join(value) if isinstance(value, list) else value


def _json(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    path.write_text(json.dumps([{c: row[c] for c in columns} for row in rows], indent=1), encoding="utf-8")


def _ndjson(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    lines = (json.dumps({c: row[c] for c in columns}, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")


def _parquet(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    kinds: dict[str, pl.DataType] = {"active": pl.Boolean(), "groups": pl.List(pl.String())}
    schema = {column: kinds.get(column, pl.String()) for column in columns}
    pl.DataFrame([[row[column] for column in columns] for row in rows], schema=schema, orient="row").write_parquet(path)
