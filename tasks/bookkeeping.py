"""What the ledger is told while a plan is carried out: intents, answers, links, and what was taken from whom."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl

from ledger import Ledger, LinkChange, Memory
from reconcile.batch import Batch
from reconcile.plan import Plan

__all__ = ["Bookkeeper"]


class Bookkeeper:
    """Writes the journal of one plan. Every method is one transaction: it is on disk when it returns."""

    def __init__(self, ledger: Ledger, plan: Plan, run_id: str) -> None:
        self._ledger = ledger
        self._plan = plan
        self._run_id = run_id
        self._rows: dict[int, dict[str, Any]] = {}

    def intend(self, batch: Batch) -> None:
        """Before the calls go out. What is about to be taken from a leaver is remembered first, so that a lost answer
        loses no memory."""
        memories = [memory for seq in batch.seqs for memory in self._taken(batch.kind, seq)]
        self._ledger.journal.sent(self._plan.id, self._run_id, batch.seqs, memories=memories)

    def acknowledge(self, batch: Batch) -> None:
        """After the target said yes: the journal and the links change together."""
        self.settle(batch.kind, batch.seqs)

    def settle(self, kind: str, seqs: tuple[int, ...]) -> None:
        """As `acknowledge`, for operations whose effect was found in the target."""
        changes = [change for seq in seqs if (change := self._link_change(kind, self._row(seq))) is not None]
        self._ledger.journal.done(self._plan.id, self._run_id, seqs, links=changes)

    def refuse(self, batch: Batch, error: str) -> None:
        """The target said no, or nothing was heard of it."""
        self.fail(list(batch.seqs), error)

    def fail(self, seqs: list[int], error: str) -> None:
        """Known not to have happened."""
        self._ledger.journal.failed(self._plan.id, self._run_id, seqs, error)

    def skip(self, seqs: list[int], why: str) -> None:
        """Not sent, because something before it failed."""
        self._ledger.journal.skipped(self._plan.id, self._run_id, seqs, why)

    def _row(self, seq: int) -> dict[str, Any]:
        if not self._rows:
            wanted = self._plan.operations.filter(pl.col("kind").is_in(_LINKING))
            self._rows = {row["seq"]: row for row in wanted.iter_rows(named=True)}
        return self._rows.get(seq, {})

    def _taken(self, kind: str, seq: int) -> list[Memory]:
        if kind != "remove_access":
            return []
        row = self._row(seq)
        before = json.loads(row["before"])
        names = [("group", group) for group in before["groups"]]
        if before["permission"]:
            names.append(("permission", before["permission"]))
        return [Memory(self._plan.header.sync, row["external_id"], kind_, name) for kind_, name in names]

    def _link_change(self, kind: str, row: dict[str, Any]) -> LinkChange | None:
        if not row:
            return None
        sync, person, account = self._plan.header.sync, row["external_id"], row["account_id"]
        match kind:
            case "create":
                return LinkChange(sync, person, account_id=None, username=row["username"], state="active")
            case "adopt":
                return LinkChange(
                    sync, person, account_id=account, username=row["username"], state="active", adopted=True
                )
            case "rename":
                return LinkChange(sync, person, username=json.loads(row["after"])["username"])
            case "remove_access":
                return LinkChange(sync, person, state="access_removed")
            case "restore_access":
                return LinkChange(sync, person, state="active", forget=True)
            case "delete":
                return LinkChange(sync, person, removed=True)
            case _:
                return None


_LINKING = ("create", "adopt", "rename", "remove_access", "restore_access", "delete")


def now() -> datetime:
    return datetime.now(UTC)
