"""Looks at the outboxes of the receiver's connectors and starts runs of the syncs that read them.

What was touched is taken off an outbox only when the runs that were started for it ended well, or when a run for
everybody that somebody else started did. Whoever is touched meanwhile stays in it. A service that is stopped forgets
nothing: the outbox is in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio.to_thread import run_sync

from connectors.sources.scim import ScimSettings, Wake
from directory.errors import UnknownRecord, UsersyncError
from flows.orders import Order
from ledger.instant import now
from ledger.opening import Ledger
from ledger.runs import Run
from ledger.scim.store import Touched
from service.person_syncs import PersonSyncs
from service.starting import Started
from service.syncs import KnownSync, Syncs
from service.waking.decision import Due, due, pause_after
from tasks.ending import Ending

__all__ = ["Waking"]

_LOOK_SECONDS = 2.0
_ALL = 1_000_000
_PATIENCE = timedelta(hours=6)
"""A run that did not end by then is taken for lost."""
_SILENCE = timedelta(minutes=10)
"""How long a process may need to begin a run."""
_APART = timedelta(minutes=1)
"""How far the clocks of machines that run syncs may be apart."""
_LATEST = 20
_WELL = frozenset({"succeeded", "nothing_to_do"})
_log = logging.getLogger("usersync.waking")


@dataclass
class _Outbox:
    since: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    covered: datetime | None = None
    """When the latest run for everybody began that was taken into account."""


class Waking:
    """`start` begins a run for everybody and blocks until it did; `PersonSyncs` bring single people up to date."""

    def __init__(
        self,
        ledger: Ledger,
        syncs: Syncs,
        person_syncs: PersonSyncs,
        start: Callable[[Order, str], Started],
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._ledger = ledger
        self._syncs = syncs
        self._person_syncs = person_syncs
        self._start = start
        self._look_seconds = look_seconds
        self._outboxes: dict[str, _Outbox] = {}
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._told = ""

    async def watch(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await self._looked()
                await asyncio.sleep(self._look_seconds)
        finally:
            for task in self._at_work.values():
                task.cancel()
            await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    async def _looked(self) -> None:
        told = ""
        try:
            for connector, readers in (await run_sync(self._readers)).items():
                if connector not in self._at_work:
                    await self._look(connector, readers)
        except UsersyncError as error:
            told = str(error)
        except Exception as defect:  # noqa: BLE001 -- a defect must not end the watch; it is told once
            told = type(defect).__name__
            if told != self._told:
                _log.exception("a defect of usersync; pushes start no runs")
        if told and told != self._told:
            _log.warning("pushes start no runs at the moment: %s", told)
        self._told = told

    def _readers(self) -> dict[str, list[KnownSync]]:
        """By connector, the syncs that pushes to it wake."""
        found: dict[str, list[KnownSync]] = {}
        for known in self._syncs.all():
            source = None if known.understood is None else known.understood.source
            if isinstance(source, ScimSettings) and source.wake is not None:
                found.setdefault(source.connector, []).append(known)
        return found

    async def _look(self, connector: str, readers: Sequence[KnownSync]) -> None:
        try:
            connector_id = (await run_sync(self._ledger.scim.connectors.get, connector)).id
        except UnknownRecord:
            return
        outbox = self._outboxes.setdefault(connector, _Outbox())
        touched = await run_sync(self._ledger.scim.touched, connector_id)
        if touched:
            touched = await run_sync(self._uncovered, connector_id, touched, readers, outbox)
        if not touched:
            self._outboxes[connector] = _Outbox(covered=outbox.covered)
            return
        outbox.since = min(touched[0].at, outbox.since or touched[0].at)
        found = due(touched, _wake_of(readers), since=outbox.since, now=now(), not_before=outbox.not_before)
        if found is None:
            return
        if found.everybody:
            touched = await run_sync(self._ledger.scim.touched, connector_id, _ALL)
        work = asyncio.create_task(self._woken(connector, connector_id, touched, found, readers))
        self._at_work[connector] = work
        work.add_done_callback(lambda _done: self._at_work.pop(connector, None))

    def _uncovered(
        self, connector_id: str, touched: list[Touched], readers: Sequence[KnownSync], outbox: _Outbox
    ) -> list[Touched]:
        """Without those whom every sync has looked at since, in a run for everybody that somebody else started."""
        began = [self._last_for_everybody(known.name) for known in readers]
        since = min((one for one in began if one is not None), default=None)
        if since is None or None in began or (outbox.covered is not None and since <= outbox.covered):
            return touched
        outbox.covered = since
        everything = self._ledger.scim.touched(connector_id, _ALL)
        self._ledger.scim.seen(connector_id, [one for one in everything if one.at < since - _APART])
        return self._ledger.scim.touched(connector_id)

    def _last_for_everybody(self, sync: str) -> datetime | None:
        runs = self._ledger.runs.ended(sync, limit=_LATEST)
        return next((run.started_at for run in runs if run.mode == "sync" and run.status in _WELL), None)

    async def _woken(
        self, connector: str, connector_id: str, touched: list[Touched], found: Due, readers: Sequence[KnownSync]
    ) -> None:
        outbox = self._outboxes[connector]
        try:
            well = True
            for known in readers:
                alone = not found.everybody and _knows_ids(known)
                well &= await (self._people(known, found.people) if alone else self._everybody(known))
            if well:
                await run_sync(self._ledger.scim.seen, connector_id, touched)
        except UsersyncError as error:
            _log.warning("a push to %s could not start a run: %s", connector, error)
            well = False
        except Exception:  # noqa: BLE001 -- the push stays in the outbox and is tried again
            _log.exception("a defect of usersync; a push to %s was not dealt with", connector)
            well = False
        outbox.since = None
        outbox.failures = 0 if well else outbox.failures + 1
        outbox.not_before = None if well else now() + pause_after(outbox.failures)
        if not well:
            _log.warning(
                "what was pushed to %s is tried again after %s", connector, f"{outbox.not_before:%H:%M:%S} UTC"
            )

    async def _people(self, known: KnownSync, people: Sequence[str]) -> bool:
        begun = [self._person_syncs.start(str(known.path), person) for person in people]
        runs = [one for one in begun if one is not None]
        if runs:
            await asyncio.wait(runs)
        ended_well = [_ended_well(known, run) for run in runs]
        return len(runs) == len(begun) and all(ended_well)

    async def _everybody(self, known: KnownSync) -> bool:
        begun = now()
        started = await run_sync(self._start, Order("sync", str(known.path)), known.name)
        run = None
        while now() - begun < (_PATIENCE if run is not None or started.flow_run_id is not None else _SILENCE):
            run = await run_sync(self._run, started, known.name, begun)
            if run is not None and run.ended_at is not None:
                return run.status in _WELL
            await asyncio.sleep(self._look_seconds)
        return False

    def _run(self, started: Started, sync: str, begun: datetime) -> Run | None:
        self._ledger.runs.bury_crashed()
        if started.run_id is not None:
            return self._ledger.runs.get(started.run_id)
        if started.flow_run_id is not None:
            return self._ledger.runs.find_by_flow_run(started.flow_run_id)
        # A process on this machine that was slow to say its id; any run for everybody since then does as well.
        since = self._ledger.runs.latest(sync=sync, limit=_LATEST)
        return next((run for run in since if run.mode == "sync" and run.started_at >= begun), None)


def _wake_of(readers: Sequence[KnownSync]) -> Wake:
    """Of several syncs that read one connector, the one that waits for the longest decides."""
    found = [known.understood.source for known in readers if known.understood is not None]
    wakes = [source.wake for source in found if isinstance(source, ScimSettings) and source.wake is not None]
    return max(wakes, key=lambda wake: wake.quiet_seconds)


def _knows_ids(known: KnownSync) -> bool:
    """Whether somebody who was deleted is still known by the id that the outbox has of them."""
    source = None if known.understood is None else known.understood.source
    return isinstance(source, ScimSettings) and source.identify_by == "id"


def _ended_well(known: KnownSync, run: asyncio.Future[Ending]) -> bool:
    with suppress(asyncio.CancelledError):
        error = run.exception()
        if error is not None:
            _log.warning("sync %s: somebody who was pushed was not brought up to date: %s", known.name, error)
            return False
        ending = run.result()
        # Whom neither side knows was pushed and deleted again.
        return ending.exit_code == 0 or ending.unknown
    return False
