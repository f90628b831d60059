"""Leases: at most one run writes to a target at a time, and a dead one blocks nobody for long."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, RowMapping, text

from directory.errors import LeaseTaken
from ledger.database import Database
from ledger.instant import moment
from ledger.process import Process, current, known_dead

__all__ = ["TTL", "Lease", "Leases"]

TTL = timedelta(seconds=60)

_RENEWALS_PER_TTL = 3
_GET = text("SELECT * FROM leases WHERE target = :target")
_TAKE = text(
    "INSERT INTO leases (target, run_id, token, host, pid, process, acquired_at, expires_at)"
    " VALUES (:target, :run_id, :token, :host, :pid, :process, :now, :expires_at)"
    " ON CONFLICT (target) DO UPDATE SET run_id = excluded.run_id, token = excluded.token, host = excluded.host,"
    " pid = excluded.pid, process = excluded.process, acquired_at = excluded.acquired_at,"
    " expires_at = excluded.expires_at WHERE leases.expires_at <= :now OR leases.token = :dead"
)
_RENEW = text("UPDATE leases SET expires_at = :expires_at WHERE target = :target AND token = :token")
_RELEASE = text("DELETE FROM leases WHERE target = :target AND token = :token")
_END_RUN = text(
    "UPDATE runs SET status = 'crashed', ended_at = :now, error = :error WHERE id = :run_id AND status = 'running'"
)


class Lease:
    """Held until it is released or runs out. As a context manager it is released at the end."""

    def __init__(
        self, database: Database, *, target: str, run_id: str, token: str, ttl: timedelta, took_over: str | None
    ) -> None:
        self.target = target
        self.run_id = run_id
        self.took_over = took_over
        """The run that held the lease before and did not release it; its plan may have operations in doubt."""
        self._database = database
        self._token = token
        self._ttl = ttl
        self._renewed = time.monotonic()

    def renew(self) -> None:
        """To be called before each request: writes only once a third of the time has gone by.

        Raises LeaseTaken when another run took over, because this one did not renew in time.
        """
        if time.monotonic() - self._renewed < self._ttl.total_seconds() / _RENEWALS_PER_TTL:
            return
        with self._database.write() as connection:
            expires_at = self._database.clock(connection) + _microseconds(self._ttl)
            renewed = connection.execute(
                _RENEW, {"target": self.target, "token": self._token, "expires_at": expires_at}
            )
            holder = None if renewed.rowcount == 1 else _holder(connection, self.target)
        if renewed.rowcount != 1:
            raise _lost(self.target, self.run_id, holder)
        self._renewed = time.monotonic()

    def release(self) -> None:
        """Let others write. Twice is once, and another's lease stays."""
        with self._database.write() as connection:
            connection.execute(_RELEASE, {"target": self.target, "token": self._token})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Leases:
    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(self, target: str, run_id: str, *, ttl: timedelta = TTL) -> Lease:
        """Take the right to write to a target. Raises LeaseTaken while another run has it.

        A lease that ran out is taken over, and at once so is one whose holder was a process of this machine that has
        ended; the run that held it is then noted as crashed.
        """
        me = current()
        token = secrets.token_hex(16)
        with self._database.write() as connection:
            now = self._database.clock(connection)
            before = _holder(connection, target)
            dead = before is not None and known_dead(Process(before["host"], before["pid"], before["process"]))
            taken = connection.execute(
                _TAKE,
                {
                    "target": target,
                    "run_id": run_id,
                    "token": token,
                    "host": me.host,
                    "pid": me.pid,
                    "process": me.identity,
                    "now": now,
                    "expires_at": now + _microseconds(ttl),
                    "dead": before["token"] if before is not None and dead else "",
                },
            )
            if taken.rowcount == 1:
                ended = before if before is not None and before["run_id"] != run_id else None
                if ended is not None:
                    _end_run(connection, ended, now=now)
                took_over = None if ended is None else str(ended["run_id"])
                return Lease(self._database, target=target, run_id=run_id, token=token, ttl=ttl, took_over=took_over)
            holder = _holder(connection, target)
        raise _taken(target, holder)

    def holder(self, target: str) -> str | None:
        """The run that took the lease last and has not released it, whether its time ran out or not."""
        with self._database.read() as connection:
            found = _holder(connection, target)
        return None if found is None else str(found["run_id"])


def _holder(connection: Connection, target: str) -> RowMapping | None:
    return connection.execute(_GET, {"target": target}).mappings().one_or_none()


def _end_run(connection: Connection, lease: RowMapping, *, now: int) -> None:
    error = f"process {lease['pid']} on {lease['host']} stopped without releasing its lease on {lease['target']}"
    connection.execute(_END_RUN, {"run_id": lease["run_id"], "now": now, "error": error})


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _taken(target: str, holder: RowMapping | None) -> LeaseTaken:
    if holder is None:
        return LeaseTaken(
            "another run took the lease and has just released it",
            subject=target,
            not_done="nothing was sent to the target",
            next_step="run again",
        )
    since, until = (f"{moment(holder[name]):%Y-%m-%d %H:%M:%S} UTC" for name in ("acquired_at", "expires_at"))
    return LeaseTaken(
        f"run {holder['run_id']} (process {holder['pid']} on {holder['host']}) has been writing to it since {since}",
        subject=target,
        not_done="nothing was sent to the target",
        next_step=f"wait until that run has ended and run again; if it hangs, end its process: "
        f"what it holds runs out at {until} unless it renews",
    )


def _lost(target: str, run_id: str, holder: RowMapping | None) -> LeaseTaken:
    taker = f"run {holder['run_id']} on {holder['host']}" if holder is not None else "another run"
    return LeaseTaken(
        f"run {run_id} did not renew its lease in time, and {taker} took over",
        subject=target,
        not_done="what the plan had left was not sent",
        next_step="let the other run end, then run again; find out what stopped this one for so long",
    )
