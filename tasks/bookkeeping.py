"""What the ledger is told while a plan is carried out: intents, answers, links, and what was taken from whom."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from ledger.journal import Consequences
from ledger.opening import Ledger
from reconcile.batch import Batch
from reconcile.plan import Plan

__all__ = ["Bookkeeper"]

_PICTURES = ("set_picture", "reset_picture")
_LINKING = ("create", "adopt", "set_aside", "rename", "remove_access", "restore_access", "delete")


class Bookkeeper:
    """Writes the journal of one plan. Every method is one transaction: it is on disk when it returns."""

    def __init__(self, ledger: Ledger, plan: Plan, run_id: str) -> None:
        self._journal = ledger.journal
        self._plan_id = plan.id
        self._sync = plan.header.sync
        self._run_id = run_id
        linking = plan.operations.filter(pl.col("kind").is_in([*_LINKING, *_PICTURES]))
        self._rows: dict[int, dict[str, Any]] = {row["seq"]: row for row in linking.iter_rows(named=True)}

    def intend(self, batch: Batch) -> None:
        """Before the calls go out. What is about to be taken is remembered first: a lost answer loses no memory."""
        memories = self._taken(batch.seqs) if batch.kind == "remove_access" else []
        also = Consequences(self._sync, memories=memories) if memories else None
        self._journal.sent(self._plan_id, self._run_id, batch.seqs, also=also)

    def acknowledge(self, kind: str, seqs: Iterable[int]) -> None:
        """The target said yes, or shows the effect: the journal and the links change together."""
        seqs = tuple(seqs)
        self._journal.done(self._plan_id, self._run_id, seqs, also=self._consequences(kind, seqs))

    def fail(self, seqs: Iterable[int], error: str) -> None:
        """The target said no, or nothing was heard of it."""
        self._journal.failed(self._plan_id, self._run_id, seqs, error)

    def skip(self, seqs: Iterable[int], why: str) -> None:
        """Not sent, because something before it failed."""
        self._journal.skipped(self._plan_id, self._run_id, seqs, why)

    def _taken(self, seqs: Iterable[int]) -> list[dict[str, str]]:
        taken = []
        for row in (self._rows[seq] for seq in seqs):
            before = json.loads(row["before"])
            person = row["external_id"]
            taken += [{"external_id": person, "kind": "group", "name": group} for group in before["groups"]]
            if before["permission"]:
                taken.append({"external_id": person, "kind": "permission", "name": before["permission"]})
        return taken

    def _consequences(self, kind: str, seqs: tuple[int, ...]) -> Consequences | None:
        if kind in _PICTURES:
            return Consequences(self._sync, pictures=[_given(self._rows[seq]) for seq in seqs])
        if kind not in _LINKING:
            return None
        rows = [self._rows[seq] for seq in seqs]
        people = [row["external_id"] for row in rows]
        if kind == "delete":
            return Consequences(self._sync, unlinked=people, forgotten=people)
        links = [{"external_id": row["external_id"], **_link_after(kind, row)} for row in rows]
        # What was taken from an account that is gone must not come back with a new one.
        return Consequences(self._sync, links=links, forgotten=people if kind in {"restore_access", "create"} else ())


def _given(row: dict[str, Any]) -> dict[str, Any]:
    return {"external_id": row["external_id"], "given": json.loads(row["after"] or "{}").get("digest")}


def _link_after(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """What an operation makes of the link."""
    made = {"username": row["username"], "state": "active"}
    renamed = {"username": json.loads(row["after"] or "{}").get("username", row["username"])}
    effects: dict[str, dict[str, Any]] = {
        # The id is not known before the account is read: Bitbucket answers a creation without a body.
        "create": {**made, "account_id": None, "adopted": False},
        "adopt": {**made, "account_id": row["account_id"], "adopted": True},
        "set_aside": renamed,
        "rename": renamed,
        "remove_access": {"state": "access_removed"},
        "restore_access": {"state": "active"},
    }
    return effects[kind]
