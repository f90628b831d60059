"""What the ledger is told while a plan is carried out: intents, answers, links, and what was taken from whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import polars as pl

from directory.call import Call, SetPicture
from directory.errors import OperationRefused
from ledger.instant import now
from ledger.journal import Consequences
from ledger.opening import Ledger
from reconcile.batch import Batch
from reconcile.plan import Plan

__all__ = ["Bookkeeper", "Clock"]

Clock = Callable[[], datetime]
"""Says what time it is, in UTC."""

_TAKING = ("remove_access", "strip_groups", "anonymise")
_LINKING = (*_TAKING, "create", "adopt", "set_aside", "rename", "leave", "restore_access", "delete", "erase", "release")
_NAMES = ("username", "email", "display_name")
_PICTURES = ("set_picture", "reset_picture")


class Bookkeeper:
    """Writes the journal of one plan. Every method is one transaction: it is on disk when it returns."""

    def __init__(self, ledger: Ledger, plan: Plan, run_id: str, *, clock: Clock = now) -> None:
        self._journal = ledger.journal
        self._pictures = ledger.pictures
        self._plan_id = plan.id
        self._sync = plan.header.sync
        self._run_id = run_id
        self._clock = clock
        linking = plan.operations.filter(pl.col("kind").is_in([*_LINKING, *_PICTURES]))
        self._rows: dict[int, dict[str, Any]] = {row["seq"]: row for row in linking.iter_rows(named=True)}

    def intend(self, batch: Batch) -> None:
        """Before the calls go out. What is about to be taken is remembered first: a lost answer loses no memory."""
        memories = self._taken(batch.seqs) if batch.kind in _TAKING else []
        also = Consequences(self._sync, memories=memories) if memories else None
        self._journal.sent(self._plan_id, self._run_id, batch.seqs, also=also)

    def acknowledge(self, kind: str, seqs: Iterable[int]) -> None:
        """The target said yes, or shows the effect: the journal and the links change together."""
        seqs = tuple(seqs)
        self._journal.done(self._plan_id, self._run_id, seqs, also=self._consequences(kind, seqs))

    def fail(self, seqs: Iterable[int], error: str) -> None:
        """The target said no, or nothing was heard of it."""
        self._journal.failed(self._plan_id, self._run_id, seqs, error)

    def filled(self, call: Call) -> Call:
        """The call with its picture, as it was when the plan was made. Raises `OperationRefused` where it is gone."""
        if not isinstance(call, SetPicture):
            return call
        content = self._pictures.content(call.digest)
        if content is None:
            raise OperationRefused(
                "the picture of this plan is not kept any more, since the source has had another one",
                subject=f"account {call.username}",
                not_done="its picture was not set",
                next_step="make a new plan with `usersync plan`",
            )
        return replace(call, content=content)

    def skip(self, seqs: Iterable[int], why: str) -> None:
        """Not sent, because something before it failed."""
        self._journal.skipped(self._plan_id, self._run_id, seqs, why)

    def _taken(self, seqs: Iterable[int]) -> list[dict[str, str]]:
        return [
            {"external_id": row["external_id"], "kind": kind, "name": name}
            for row in (self._rows[seq] for seq in seqs)
            for kind, name in _memories_of(row)
        ]

    def _consequences(self, kind: str, seqs: tuple[int, ...]) -> Consequences | None:
        if kind in _PICTURES:
            return Consequences(self._sync, pictures=[_given(self._rows[seq]) for seq in seqs])
        if kind not in _LINKING:
            return None
        rows = [self._rows[seq] for seq in seqs]
        people = [row["external_id"] for row in rows]
        if kind == "erase":
            return Consequences(self._sync, unlinked=people, forgotten=people)
        if kind == "release":
            return Consequences(self._sync, unlinked=people)
        if kind == "delete":
            # A link whose account is still to be erased stays: nothing else knows of it any more.
            kept = [row for row in rows if _link_stays(row)]
            links = [{"external_id": row["external_id"], **_deleted(row)} for row in kept]
            unlinked = [row["external_id"] for row in rows if not _link_stays(row)]
            return Consequences(self._sync, links=links, unlinked=unlinked, forgotten=people)
        links = [{"external_id": row["external_id"], **_link_after(kind, row, self._clock())} for row in rows]
        # What was taken from an account that is gone must not come back with a new one.
        return Consequences(self._sync, links=links, forgotten=people if kind in {"restore_access", "create"} else ())


def _given(row: dict[str, Any]) -> dict[str, Any]:
    return {"external_id": row["external_id"], "given": json.loads(row["after"] or "{}").get("digest")}


def _memories_of(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What an operation takes away, as `kind` and `name` of memories."""
    before, after = json.loads(row["before"]), json.loads(row["after"] or "{}")
    if row["kind"] == "anonymise":
        # One that was interrupted and is done again must not remember the pseudonym.
        yield from ((name, before[name]) for name in _NAMES if before[name] and before[name] != after[name])
        return
    yield from (("group", group) for group in before["groups"])
    if before.get("permission"):
        yield "permission", before["permission"]


def _link_stays(row: dict[str, Any]) -> bool:
    return json.loads(row["after"] or "{}").get("state") is not None


def _deleted(row: dict[str, Any]) -> dict[str, Any]:
    return {"username": row["username"], "state": json.loads(row["after"])["state"]}


def _link_after(kind: str, row: dict[str, Any], at: datetime) -> dict[str, Any]:
    """What an operation makes of the link."""
    after = json.loads(row["after"] or "{}")
    here = {"state": "active", "left_at": None, "access_since": at}
    made = {"username": row["username"], **here}
    renamed = {"username": after.get("username", row["username"])}
    effects: dict[str, dict[str, Any]] = {
        # The id is not known before the account is read: Bitbucket answers a creation without a body.
        "create": {**made, "account_id": None, "adopted": False},
        "adopt": {**made, "account_id": row["account_id"], "adopted": True},
        "set_aside": renamed,
        "rename": renamed,
        "leave": {"state": after.get("state", "active"), "left_at": at},
        "remove_access": {"state": after.get("state", "access_removed")},
        "strip_groups": {"state": "access_removed"},
        "anonymise": {"username": after.get("username"), "state": after.get("state")},
        "restore_access": here,
    }
    return effects[kind]
