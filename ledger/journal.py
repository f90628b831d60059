"""The journal: for each operation of a plan, whether it was sent and what the target said.

Written around every request, so each method is one short transaction. An operation that is `sent` without an answer is
in doubt: the target has to be read before it is sent again. `done` is final, whatever is written after it; among the
others the last word counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl
from sqlalchemy import Connection, TextClause, bindparam, text

from ledger.database import Database
from ledger.frame import Rows, read_frame, write_rows
from ledger.instant import micros
from ledger.links import delete_links, write_links
from ledger.memories import delete_memories, write_memories
from ledger.pictures import write_given

__all__ = ["ENTRIES", "Consequences", "Journal", "JournalStatus"]

JournalStatus = Literal["sent", "done", "failed", "skipped"]

ENTRIES: Mapping[str, pl.DataType] = {
    "seq": pl.UInt32(),
    "status": pl.String(),
    "error": pl.String(),
    "sent_at": pl.Datetime("us", "UTC"),
    "at": pl.Datetime("us", "UTC"),
    "call": pl.UInt32(),
}
"""`at` is when the target acknowledged or refused the operation, or when it was skipped; null while it is in doubt.
`sent_at` and `call` are null for one that was never sent. `call` numbers the requests of a run."""

_SENT = text(
    "INSERT INTO journal (plan_id, seq, status, run_id, call, sent_at)"
    " VALUES (:plan_id, :seq, 'sent', :run_id, :call, :at)"
    " ON CONFLICT (plan_id, seq) DO UPDATE SET status = 'sent', run_id = excluded.run_id, call = excluded.call,"
    " sent_at = excluded.sent_at, at = NULL, error = NULL WHERE journal.status <> 'done'"
)
_ENDED = text(
    "INSERT INTO journal (plan_id, seq, status, run_id, error, at)"
    " VALUES (:plan_id, :seq, :status, :run_id, :error, :at)"
    " ON CONFLICT (plan_id, seq) DO UPDATE SET status = excluded.status, run_id = excluded.run_id,"
    " error = excluded.error, at = excluded.at WHERE journal.status <> 'done'"
)
_ENTRIES = text("SELECT seq, status, error, sent_at, at, call FROM journal WHERE plan_id = :plan_id ORDER BY seq")
_ENTRIES_OF = text(
    "SELECT seq, status, error, sent_at, at, call FROM journal WHERE plan_id = :plan_id AND seq IN :seqs ORDER BY seq"
).bindparams(bindparam("seqs", expanding=True))
_AT_ONCE = 1000
_IN_DOUBT = text(
    "SELECT seq, status, error, sent_at, at, call FROM journal"
    " WHERE plan_id = :plan_id AND status = 'sent' ORDER BY seq"
)
_DONE_IN = text(
    "SELECT seq FROM journal WHERE plan_id = :plan_id AND run_id = :run_id AND status = 'done' ORDER BY seq"
)


@dataclass(frozen=True)
class Consequences:
    """What a call changes in what the ledger remembers of people; written in the transaction that journals it."""

    sync: str
    links: Rows = ()
    """As for `ledger.links.Links.put`."""
    unlinked: Collection[str] = ()
    """External ids that lose their link."""
    memories: Rows = ()
    """As for `ledger.memories.Memories.remember`."""
    forgotten: Collection[str] = ()
    """External ids whose memories are dropped."""
    pictures: Rows = ()
    """Rows of `external_id` and `given`, the digest of the picture that the account has now, null for none."""


class Journal:
    def __init__(self, database: Database) -> None:
        self._database = database

    def sent(
        self,
        plan_id: str,
        run_id: str,
        seqs: Iterable[int],
        *,
        call: int | None = None,
        at: datetime | None = None,
        also: Consequences | None = None,
    ) -> None:
        """Note that a request with these operations is about to leave. To be called before it does."""
        moment = micros(at)
        rows = [{"plan_id": plan_id, "seq": seq, "run_id": run_id, "call": call, "at": moment} for seq in seqs]
        self._write(_SENT, rows, also, run_id=run_id, plan_id=plan_id, at=moment)

    def done(
        self,
        plan_id: str,
        run_id: str,
        seqs: Iterable[int],
        *,
        at: datetime | None = None,
        also: Consequences | None = None,
    ) -> None:
        """Note that the target acknowledged these operations, or was found to have them."""
        self._ended("done", plan_id, run_id, seqs, None, at, also)

    def failed(self, plan_id: str, run_id: str, seqs: Iterable[int], error: str, *, at: datetime | None = None) -> None:
        """Note that the target refused these operations, and why."""
        self._ended("failed", plan_id, run_id, seqs, error, at, None)

    def skipped(
        self, plan_id: str, run_id: str, seqs: Iterable[int], reason: str, *, at: datetime | None = None
    ) -> None:
        """Note that these operations are not sent, and why: one that they depend on failed."""
        self._ended("skipped", plan_id, run_id, seqs, reason, at, None)

    def entries(self, plan_id: str) -> pl.DataFrame:
        """All that is known of a plan's operations, schema `ENTRIES`, sorted by `seq`."""
        return self._read(_ENTRIES, plan_id)

    def entries_of(self, plan_id: str, seqs: Sequence[int]) -> pl.DataFrame:
        """As `entries`, of these operations."""
        parts = [
            self._read(_ENTRIES_OF, plan_id, seqs=list(seqs[first : first + _AT_ONCE]))
            for first in range(0, len(seqs), _AT_ONCE)
        ]
        return pl.concat([pl.DataFrame(schema=ENTRIES), *parts]).sort("seq")

    def done_in(self, plan_id: str, run_id: str) -> pl.DataFrame:
        """The numbers, `seq`, of a plan's operations that became done in that one of its runs, sorted."""
        with self._database.read() as connection:
            parameters = {"plan_id": plan_id, "run_id": run_id}
            return read_frame(connection, _DONE_IN, parameters, {"seq": ENTRIES["seq"]})

    def in_doubt(self, plan_id: str) -> pl.DataFrame:
        """Operations that were sent and not answered, schema `ENTRIES`, sorted by `seq`."""
        return self._read(_IN_DOUBT, plan_id)

    def _read(self, statement: TextClause, plan_id: str, **more: object) -> pl.DataFrame:
        with self._database.read() as connection:
            return read_frame(connection, statement, {"plan_id": plan_id, **more}, ENTRIES)

    def _ended(
        self,
        status: JournalStatus,
        plan_id: str,
        run_id: str,
        seqs: Iterable[int],
        error: str | None,
        at: datetime | None,
        also: Consequences | None,
    ) -> None:
        moment = micros(at)
        same = {"plan_id": plan_id, "status": status, "run_id": run_id, "error": error, "at": moment}
        rows = [{"seq": seq, **same} for seq in seqs]
        self._write(_ENDED, rows, also, run_id=run_id, plan_id=plan_id, at=moment)

    def _write(
        self,
        statement: TextClause,
        rows: list[dict[str, Any]],
        also: Consequences | None,
        *,
        run_id: str,
        plan_id: str,
        at: int,
    ) -> None:
        with self._database.write() as connection:
            write_rows(connection, statement, rows)
            if also is not None:
                _carry_out(connection, also, run_id=run_id, plan_id=plan_id, at=at)


def _carry_out(connection: Connection, also: Consequences, *, run_id: str, plan_id: str, at: int) -> None:
    write_links(connection, also.sync, also.links, at=at)
    delete_links(connection, also.sync, also.unlinked)
    write_memories(connection, also.sync, also.memories, run_id=run_id, plan_id=plan_id, at=at)
    delete_memories(connection, also.sync, also.forgotten)
    write_given(connection, also.sync, also.pictures)
