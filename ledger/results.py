"""Results: what a run meant for every person, and where its JSON document lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
from sqlalchemy import text

from directory.errors import UnknownRecord
from ledger.database import Database
from ledger.frame import dump, load, load_in_parts

__all__ = ["Document", "Results"]

_ROWS_TOGETHER = 20_000
_PUT = text(
    "INSERT INTO results (run_id, people) VALUES (:run_id, :people)"
    " ON CONFLICT (run_id) DO UPDATE SET people = excluded.people"
)
_GET = text("SELECT people FROM results WHERE run_id = :run_id")
_PUT_DOCUMENT = text(
    "INSERT INTO documents (run_id, location, size, sha256) VALUES (:run_id, :location, :size, :sha256)"
    " ON CONFLICT (run_id) DO UPDATE SET location = excluded.location, size = excluded.size, sha256 = excluded.sha256"
)
_GET_DOCUMENT = text("SELECT location, size, sha256 FROM documents WHERE run_id = :run_id")


@dataclass(frozen=True)
class Document:
    """The JSON document of a run, which lies outside of the ledger."""

    location: str
    """A path or a URL."""
    size: int
    """Bytes."""
    sha256: str


class Results:
    """Runs are named by their full id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, run_id: str, people: pl.DataFrame) -> None:
        """Keep a run's results, one row a person, with at least `external_id` and `username`."""
        content = dump(people, rows_together=_ROWS_TOGETHER)
        with self._database.write() as connection:
            connection.execute(_PUT, {"run_id": run_id, "people": content})

    def people(self, run_id: str) -> pl.LazyFrame:
        """The frame that was put. Raises UnknownRecord for a run without results."""
        return load(self._content(run_id))

    def parts(self, run_id: str) -> Callable[[], Iterator[pl.DataFrame]]:
        """The frame that was put, from the first row on at each call, 20,000 rows at a time: memory holds one such
        part, and the whole as it is compressed. Raises UnknownRecord for a run without results, here and not later."""
        content = self._content(run_id)
        return lambda: load_in_parts(content, _ROWS_TOGETHER)

    def _content(self, run_id: str) -> bytes:
        with self._database.read() as connection:
            content = connection.execute(_GET, {"run_id": run_id}).scalar_one_or_none()
        if content is None:
            raise UnknownRecord(
                f"the ledger has no results of a run {run_id!r}",
                not_done="nothing was shown",
                next_step="`usersync runs` tells which runs there are; one that crashed leaves no results",
            )
        return bytes(content)

    def person(self, run_id: str, who: str) -> pl.DataFrame:
        """The rows of one person, by external id, or else by username in any case; empty when there is none."""
        people = self.people(run_id)
        found = people.filter(pl.col("external_id") == who).collect()
        if found.is_empty():
            found = people.filter(pl.col("username").str.to_lowercase() == who.lower()).collect()
        return found

    def put_document(self, run_id: str, document: Document) -> None:
        with self._database.write() as connection:
            connection.execute(
                _PUT_DOCUMENT,
                {
                    "run_id": run_id,
                    "location": document.location,
                    "size": document.size,
                    "sha256": document.sha256,
                },
            )

    def document(self, run_id: str) -> Document | None:
        with self._database.read() as connection:
            row = connection.execute(_GET_DOCUMENT, {"run_id": run_id}).one_or_none()
        return None if row is None else Document(*row)
