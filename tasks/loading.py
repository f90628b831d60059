"""Carrying a plan out: calls side by side, each intent written down before it is sent, each answer when it came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter

import polars as pl

from connectors.contract import Target
from directory.call import Call
from directory.errors import (
    AlreadyExists,
    Fatal,
    NotFound,
    OperationRefused,
    OutcomeUnknown,
    Retryable,
    Skippable,
    TargetUnavailable,
    UsersyncError,
)
from reconcile.batch import Batch, pack, split
from reconcile.names import slot
from reconcile.plan import KINDS
from tasks.bookkeeping import Bookkeeper
from tasks.observer import Observer

__all__ = ["Loader"]

_GIVE_UP_AFTER = 10
"""Calls in a row that stayed without an answer through all their retries; then the target is down, the rest is left."""

_GONE_IS_DONE = frozenset({"remove_access", "strip_groups", "delete", "erase", "remove_membership"})
_DEPENDENT = frozenset(
    {
        "delete",
        "erase",
        "rename",
        "create",
        "update",
        "restore_access",
        "add_membership",
        "remove_membership",
        "release",
        "set_picture",
        "reset_picture",
    }
)
_FREES_NAME = frozenset({"set_aside", "delete", "rename"})
_TAKES_NAME = frozenset({"rename", "create"})


class Loader:
    """Carries out the pending operations of one plan. Nothing is sent twice by one loader."""

    def __init__(
        self,
        operations: pl.DataFrame,
        target: Target,
        books: Bookkeeper,
        observer: Observer,
        *,
        keep_lease: Callable[[], None],
        concurrency: int,
        most_members: int,
    ) -> None:
        self._operations = operations
        self._target = target
        self._books = books
        self._observer = observer
        self._keep_lease = keep_lease
        self._concurrency = concurrency
        self._most_members = most_members
        self._settled = 0
        self._unanswered = 0
        self._lost_people: set[str] = set()
        self._lost_groups: set[str] = set()
        self._kept_names: set[str] = set()
        """Folded usernames that were to be given up and were not."""
        self.stopped: UsersyncError | None = None
        """Why the rest was left: the target is down or refused the credentials."""

    async def carry_out(self) -> None:
        """Send everything, kind by kind in order, since later ones depend on how earlier ones went.

        Returns when all is settled, or soon after something stopped the load.
        """
        for kind in KINDS:
            if self.stopped is not None:
                return
            chosen = self._without_lost(kind, self._operations.filter(pl.col("kind") == kind))
            packed = pack(kind, chosen, most_members=self._most_members)
            for _, wave in groupby(packed, key=attrgetter("wave")):
                await self._side_by_side(kind, [batch for batch in wave if not self._is_hopeless(batch)])

    async def _side_by_side(self, kind: str, packed: list[Batch]) -> None:
        waiting = iter(packed)

        async def work() -> None:
            for batch in waiting:
                if self.stopped is not None:
                    return
                await self._settle(batch)
                self._settled += len(batch.seqs)
                self._observer.loading(kind, self._settled, self._operations.height)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(packed))):
                    group.create_task(work())
        except BaseExceptionGroup as several:
            # Only the ledger fails here, and it fails every worker alike: the first says it for all.
            raise several.exceptions[0] from None

    async def _settle(self, batch: Batch) -> None:
        try:
            self._keep_lease()
            self._books.intend(batch)
            for call in batch.calls:
                await self._send(batch.kind, call)
        except OperationRefused as refusal:
            await self._refused(batch, refusal)
        except Skippable as problem:
            self._lost(batch, problem)
        except Retryable as outage:
            self._unanswered += 1
            if isinstance(outage, OutcomeUnknown):
                # It stays `sent` in the journal: in doubt, until a later run has looked at the target.
                self._leave_out_dependents(batch)
            else:
                self._lost(batch, outage)
            if self._unanswered >= _GIVE_UP_AFTER:
                self.stopped = TargetUnavailable(
                    f"{self._unanswered} calls in a row stayed without an answer; the last one: {outage.what}",
                    not_done="the rest of the plan was not tried",
                    next_step="see to the target, then run the sync again; it does only what is missing",
                )
        except Fatal as error:
            # Nothing of this batch is known to be done, and nobody else may go on.
            self._lost(batch, error)
            self.stopped = error
        else:
            self._unanswered = 0
            self._books.acknowledge(batch.kind, batch.seqs)

    async def _send(self, kind: str, call: Call) -> None:
        try:
            await self._target.apply(self._books.filled(call))
        except NotFound:
            if kind not in _GONE_IS_DONE:
                raise
        except AlreadyExists:
            if kind != "create_group":
                raise

    async def _refused(self, batch: Batch, refusal: OperationRefused) -> None:
        """Find the membership at fault by halving, so that one bad name costs nobody else anything."""
        self._unanswered = 0
        if len(batch.seqs) == 1:
            self._lost(batch, refusal)
            return
        for half in split(batch):
            if self.stopped is None:
                await self._settle(half)

    def _lost(self, batch: Batch, error: UsersyncError) -> None:
        self._books.fail(batch.seqs, str(error))
        self._leave_out_dependents(batch)

    def _leave_out_dependents(self, batch: Batch) -> None:
        rows = self._operations.filter(pl.col("seq").is_in(batch.seqs))
        if batch.kind == "create_group":
            self._lost_groups.update(rows["group"].str.to_lowercase())
        elif batch.kind in {"create", "set_aside", "rename", "adopt", "delete"}:
            self._lost_people.update(rows["external_id"])
        if batch.kind in _FREES_NAME:
            self._kept_names.update(rows["username"].str.to_lowercase())

    def _is_hopeless(self, batch: Batch) -> bool:
        """Whether a rename waits for another that came to nothing; then it is left out, with all that follows."""
        if batch.kind != "rename" or not self._kept_names:
            return False
        return self._without_lost(batch.kind, self._operations.filter(pl.col("seq").is_in(batch.seqs))).is_empty()

    def _without_lost(self, kind: str, chosen: pl.DataFrame) -> pl.DataFrame:
        """Leave out what cannot work because something before it did not, and say so in the journal."""
        if kind not in _DEPENDENT or not (self._lost_people or self._lost_groups or self._kept_names):
            return chosen
        orphaned = pl.col("external_id").is_in(list(self._lost_people))
        homeless = pl.col("group").str.to_lowercase().is_in(list(self._lost_groups)).fill_null(value=False)
        lost = (orphaned | homeless | self._wants_kept_name(kind)).fill_null(value=False)
        left = chosen.filter(lost)
        if left.height:
            self._books.skip(left["seq"].to_list(), "the account, the name or the group that it needs could not be had")
            self._settled += left.height
            if kind in _TAKES_NAME:
                self._leave_out_dependents(Batch(kind, (), tuple(left["seq"])))
        return chosen.filter(~lost)

    def _wants_kept_name(self, kind: str) -> pl.Expr:
        if kind not in _TAKES_NAME or not self._kept_names:
            return pl.lit(value=False)
        kept = pl.DataFrame({"name": sorted(self._kept_names)}).select(slot(pl.col("name"))).to_series()
        wished = slot(pl.col("after").str.json_path_match("$.username").str.to_lowercase())
        return wished.is_in(kept.implode())
