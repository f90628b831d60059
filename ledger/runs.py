"""Runs: one row each, from its start to its honest end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import RowMapping, TextClause, text

from directory.errors import UnknownRecord
from ledger import process
from ledger.database import Database
from ledger.instant import micros, moment, now
from ledger.record import by_prefix

__all__ = ["Mode", "Run", "RunStatus", "Runs"]

Mode = Literal["sync", "plan", "apply", "person"]
"""`person`: as `sync`, for one person."""
EndStatus = Literal[
    "succeeded", "partial", "held", "rejected", "failed", "cancelled", "crashed", "nothing_to_do", "planned"
]
RunStatus = Literal["running"] | EndStatus

_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""Characters that are told apart when read aloud."""

_START = text(
    "INSERT INTO runs (id, sync, mode, target, status, plan_id, started_at, host, pid, process, flow_run_id, header)"
    " VALUES (:id, :sync, :mode, :target, 'running', :plan_id, :started_at, :host, :pid, :process, :flow_run_id, '{}')"
)
_FINISH = text(
    "UPDATE runs SET status = :status, ended_at = :ended_at, error = :error, header = :header,"
    " plan_id = COALESCE(:plan_id, plan_id), source_stats = COALESCE(:source_stats, source_stats) WHERE id = :id"
)
_ATTACH = text("UPDATE runs SET plan_id = :plan_id WHERE id = :id")
_BY_PREFIX = text("SELECT * FROM runs WHERE substr(id, 1, length(:prefix)) = :prefix")
_LATEST = text(
    "SELECT * FROM runs WHERE (CAST(:sync AS VARCHAR) IS NULL OR sync = :sync)"
    " AND (CAST(:before AS BIGINT) IS NULL OR started_at < :before)"
    " ORDER BY started_at DESC, id DESC LIMIT :limit"
)
_LAST_OF_EACH = text(
    "SELECT runs.* FROM runs JOIN (SELECT sync, MAX(started_at) AS at FROM runs GROUP BY sync) AS last"
    " ON runs.sync = last.sync AND runs.started_at = last.at ORDER BY runs.sync, runs.id"
)
_ENDED = text(
    "SELECT * FROM runs WHERE sync = :sync AND mode IN ('sync', 'apply') AND ended_at IS NOT NULL"
    " ORDER BY started_at DESC, id DESC LIMIT :limit"
)
_LAST_GOOD = text(
    "SELECT * FROM runs WHERE sync = :sync AND source_stats IS NOT NULL"
    " AND (status IN ('succeeded', 'partial', 'nothing_to_do') OR EXISTS ("
    "SELECT 1 FROM plans WHERE plans.id = runs.plan_id AND plans.state IN ('applied', 'partial')))"
    " ORDER BY started_at DESC, id DESC LIMIT 1"
)
_RUNNING = text("SELECT * FROM runs WHERE target = :target AND status = 'running' ORDER BY started_at DESC, id DESC")
_BY_FLOW_RUN = text("SELECT * FROM runs WHERE flow_run_id = :flow_run_id ORDER BY started_at DESC, id DESC LIMIT 1")
_BY_PROCESS = text(
    "SELECT * FROM runs WHERE host = :host AND pid = :pid AND started_at >= :since ORDER BY started_at, id LIMIT 1"
)
_UNFINISHED = text("SELECT id, host, pid, process FROM runs WHERE status = 'running'")
_CRASHED = text(
    "UPDATE runs SET status = 'crashed', ended_at = :ended_at, error = :error WHERE id = :id AND status = 'running'"
)


@dataclass(frozen=True)
class Run:
    """One execution of a sync."""

    id: str
    sync: str
    mode: Mode
    target: str
    """URL of the target."""
    status: RunStatus
    plan_id: str | None
    started_at: datetime
    ended_at: datetime | None
    host: str
    pid: int
    process: str
    """Tells the process from a later one of the same number."""
    flow_run_id: str | None
    error: str | None
    header: dict[str, Any]
    """What the run says about itself: counts, requests, the guard's verdict. Empty until it ends."""
    source_stats: dict[str, Any] | None
    """What the source looked like, to judge the next read by; None for runs that read no source."""


class Runs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self,
        *,
        sync: str,
        mode: Mode,
        target: str,
        plan_id: str | None = None,
        flow_run_id: str | None = None,
        started_at: datetime | None = None,
    ) -> Run:
        """Begin a run in this process. `flow_run_id` is Prefect's, the same for each attempt at one flow run."""
        begun = started_at or now()
        me = process.current()
        run = Run(
            id=_new_id(begun),
            sync=sync,
            mode=mode,
            target=target,
            status="running",
            plan_id=plan_id,
            started_at=begun,
            ended_at=None,
            host=me.host,
            pid=me.pid,
            process=me.identity,
            flow_run_id=flow_run_id,
            error=None,
            header={},
            source_stats=None,
        )
        with self._database.write() as connection:
            connection.execute(
                _START,
                {
                    "id": run.id,
                    "sync": sync,
                    "mode": mode,
                    "target": target,
                    "plan_id": plan_id,
                    "started_at": micros(begun),
                    "host": me.host,
                    "pid": me.pid,
                    "process": me.identity,
                    "flow_run_id": flow_run_id,
                },
            )
        return run

    def finish(
        self,
        run_id: str,
        status: EndStatus,
        *,
        error: str | None = None,
        plan_id: str | None = None,
        header: Mapping[str, object] | None = None,
        source_stats: Mapping[str, object] | None = None,
        ended_at: datetime | None = None,
    ) -> None:
        """End a run. `plan_id` and `source_stats` keep what they are where None. Raises UnknownRecord.

        `source_stats` are to come from a complete read: the next one is judged by them.
        """
        with self._database.write() as connection:
            changed = connection.execute(
                _FINISH,
                {
                    "id": run_id,
                    "status": status,
                    "ended_at": micros(ended_at),
                    "error": error,
                    "plan_id": plan_id,
                    "header": json.dumps(header or {}),
                    "source_stats": None if source_stats is None else json.dumps(source_stats),
                },
            )
            if changed.rowcount != 1:
                raise UnknownRecord(f"the ledger has no run {run_id!r}", not_done=f"its end ({status}) was not noted")

    def attach_plan(self, run_id: str, plan_id: str) -> None:
        """Note early which plan a run made, so that it is known even of a run that is killed."""
        with self._database.write() as connection:
            connection.execute(_ATTACH, {"id": run_id, "plan_id": plan_id})

    def get(self, run_id: str) -> Run:
        """By the id, or a beginning of it that no other run shares. Raises UnknownRecord."""
        with self._database.read() as connection:
            return _run(by_prefix(connection, _BY_PREFIX, run_id, noun="run", shortest=1))

    def latest(self, *, sync: str | None = None, limit: int = 20, before: datetime | None = None) -> list[Run]:
        """The latest runs, of one sync or of all, that began before an instant; newest first."""
        instant = None if before is None else micros(before)
        return self._select(_LATEST, sync=sync, limit=limit, before=instant)

    def last_of_each(self) -> list[Run]:
        """The latest run of every sync."""
        return self._select(_LAST_OF_EACH)

    def ended(self, sync: str, *, limit: int) -> list[Run]:
        """The latest runs of a sync that were to bring everybody up to date and have ended, newest first."""
        return self._select(_ENDED, sync=sync, limit=limit)

    def last_good(self, sync: str) -> Run | None:
        """The latest run whose read of the source was acted upon: by itself, or by applying its plan later."""
        return next(iter(self._select(_LAST_GOOD, sync=sync)), None)

    def running(self, target: str) -> list[Run]:
        """Runs that have not ended, newest first. See `bury_crashed` for those that never will."""
        return self._select(_RUNNING, target=target)

    def find_by_flow_run(self, flow_run_id: str) -> Run | None:
        """The latest attempt at a flow run."""
        return next(iter(self._select(_BY_FLOW_RUN, flow_run_id=flow_run_id)), None)

    def find_by_process(self, host: str, pid: int, *, since: datetime) -> Run | None:
        """The first run that a process began, for who started the process."""
        return next(iter(self._select(_BY_PROCESS, host=host, pid=pid, since=micros(since))), None)

    def bury_crashed(self) -> list[str]:
        """Note the end of runs whose process died on this machine without a word; returns their ids."""
        with self._database.write() as connection:
            unfinished = connection.execute(_UNFINISHED).all()
            dead = [
                run_id
                for run_id, host, pid, identity in unfinished
                if process.known_dead(process.Process(host, pid, identity))
            ]
            for run_id in dead:
                connection.execute(
                    _CRASHED, {"id": run_id, "ended_at": micros(None), "error": "the process ended without a word"}
                )
        return dead

    def _select(self, statement: TextClause, **parameters: object) -> list[Run]:
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(statement, parameters).mappings()]


def _run(row: RowMapping) -> Run:
    stats = row["source_stats"]
    return Run(
        **{
            **row,
            "started_at": moment(row["started_at"]),
            "ended_at": moment(row["ended_at"]),
            "header": json.loads(row["header"]),
            "source_stats": None if stats is None else json.loads(stats),
        }
    )


def _new_id(begun: datetime) -> str:
    """Sorts by time, can be read aloud, and the day is enough to find it: `20261124-060512-7k3f`."""
    return f"{begun:%Y%m%d-%H%M%S}-{''.join(secrets.choice(_ALPHABET) for _ in range(4))}"
