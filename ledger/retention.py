"""What of the past may be removed, and removing it. Links, memories, readings, snapshots and watermarks have no age.

The audit logs have an age of their own: nothing rests on them, and who looks at them comes rarely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from ledger.database import Database
from ledger.instant import micros

__all__ = ["KEPT_RUNS", "Outdated", "PastPlan", "PastRun", "Retention", "outdated"]

KEPT_RUNS = 30
"""Of each sync the latest runs stay, whatever their age: so many the trend shows."""
_OPEN = frozenset({"held", "approved", "applying", "partial"})
_ACTED = frozenset({"succeeded", "partial", "nothing_to_do"})


@dataclass(frozen=True)
class PastRun:
    id: str
    sync: str
    status: str
    started_at: int
    """Microseconds since 1970, as every instant here."""
    plan_id: str | None
    judges: bool
    """Whether it has what the next read of the source is judged by."""
    reported: bool
    """Whether its end is told; of a run that crashed, the next one tells it."""


@dataclass(frozen=True)
class PastPlan:
    id: str
    sync: str
    state: str
    created_at: int


@dataclass(frozen=True)
class Outdated:
    """Ids, oldest first."""

    runs: tuple[str, ...]
    plans: tuple[str, ...]


def outdated(runs: Sequence[PastRun], plans: Sequence[PastPlan], *, before: int) -> Outdated:
    """What is older than `before` and needed by nothing.

    Needed are, of each sync: its latest runs, its latest plan, and the run that the next read of the source is judged
    by; runs that have not ended, or crashed and whose report the next run completes; plans that somebody may still
    approve or that have begun to be applied; and the plans of runs that stay, and the runs of such plans.
    """
    newest_first = sorted(runs, key=lambda run: (run.started_at, run.id), reverse=True)
    states = {plan.id: plan.state for plan in plans}
    kept_runs: set[str] = set()
    seen: dict[str, int] = {}
    judged: set[str] = set()
    for run in newest_first:
        seen[run.sync] = seen.get(run.sync, 0) + 1
        acted = run.status in _ACTED or states.get(run.plan_id or "") in {"applied", "partial"}
        judging = run.judges and acted and run.sync not in judged
        if judging:
            judged.add(run.sync)
        unfinished = run.status == "running" or (run.status == "crashed" and run.plan_id and not run.reported)
        if run.started_at >= before or seen[run.sync] <= KEPT_RUNS or judging or unfinished:
            kept_runs.add(run.id)
    latest_plans: dict[str, PastPlan] = {}
    for plan in sorted(plans, key=lambda plan: (plan.created_at, plan.id)):
        latest_plans[plan.sync] = plan
    kept_plans = {plan.id for plan in plans if plan.created_at >= before or plan.state in _OPEN}
    kept_plans |= {plan.id for plan in latest_plans.values()}
    kept_plans |= {run.plan_id for run in runs if run.id in kept_runs and run.plan_id}
    kept_runs |= {run.id for run in runs if run.plan_id in kept_plans}
    return Outdated(
        tuple(run.id for run in reversed(newest_first) if run.id not in kept_runs),
        tuple(plan.id for plan in sorted(plans, key=lambda plan: plan.created_at) if plan.id not in kept_plans),
    )


_RUNS = text(
    "SELECT id, sync, status, started_at, plan_id, source_stats IS NOT NULL AS judges,"
    " header <> '{}' AS reported FROM runs"
)
_PLANS = text("SELECT id, sync, state, created_at FROM plans")
_DOCUMENT = text("SELECT location FROM documents WHERE run_id = :id")
_OF_RUNS = {
    "runs": ("length(header) + COALESCE(length(source_stats), 0)", "runs", "id"),
    "results": ("length(people)", "results", "run_id"),
    "documents": ("size", "documents", "run_id"),
}
_OF_PLANS = {
    "plans": ("length(header)", "plans", "id"),
    "plan frames": ("length(content)", "plan_frames", "plan_id"),
    "journal entries": ("60 + COALESCE(length(error), 0)", "journal", "plan_id"),
}
"""How much a row weighs, about, in which table, found by what."""
_AUDITS = {
    "audit entries": ("60 + length(what) + length(details)", "audit"),
    "SCIM audit entries": ("120 + length(changed) + length(mended)", "scim_audit"),
}
_DELETE_RUN = tuple(
    text(statement)
    for statement in (
        "DELETE FROM documents WHERE run_id = :id",
        "DELETE FROM results WHERE run_id = :id",
        "DELETE FROM runs WHERE id = :id",
    )
)
_DELETE_PLAN = tuple(
    text(statement)
    for statement in (
        "DELETE FROM journal WHERE plan_id = :id",
        "DELETE FROM plan_frames WHERE plan_id = :id",
        "DELETE FROM plans WHERE id = :id",
    )
)


class Retention:
    def __init__(self, database: Database) -> None:
        self._database = database

    def outdated(self, before: datetime) -> Outdated:
        with self._database.read() as connection:
            return _outdated(connection, before)

    def documents(self, runs: Iterable[str]) -> dict[str, str]:
        """Where the documents of those runs lie, by run; runs without one are left out."""
        with self._database.read() as connection:
            found = {each: connection.execute(_DOCUMENT, {"id": each}).scalar_one_or_none() for each in runs}
        return {run_id: str(location) for run_id, location in found.items() if location is not None}

    def weigh(self, found: Outdated) -> dict[str, tuple[int, int]]:
        """Rows and bytes by what they are; of documents, the files. Rows are weighed by what is long in them."""
        with self._database.read() as connection:
            return _weigh(connection, found)

    def remove(self, found: Outdated, before: datetime) -> dict[str, tuple[int, int]]:
        """Remove what is still outdated of it, in one transaction; returns what was removed, as `weigh`."""
        with self._database.write() as connection:
            now = _outdated(connection, before)
            runs, plans = set(found.runs), set(found.plans)
            # A plan whose run stays because its document could not be removed stays with it.
            held = {run.plan_id for run in _runs(connection) if run.id not in runs}
            removed = Outdated(
                tuple(each for each in now.runs if each in runs),
                tuple(each for each in now.plans if each in plans and each not in held),
            )
            weights = _weigh(connection, removed)
            for ids, statements in ((removed.runs, _DELETE_RUN), (removed.plans, _DELETE_PLAN)):
                rows: list[Mapping[str, str]] = [{"id": each} for each in ids]
                for statement in statements if rows else ():
                    connection.execute(statement, rows)
        return weights

    def weigh_audit(self, before: datetime) -> dict[str, tuple[int, int]]:
        """Entries of the audit logs that are older, and bytes, as `weigh`."""
        with self._database.read() as connection:
            return _weigh_audit(connection, before)

    def forget_audit(self, before: datetime) -> dict[str, tuple[int, int]]:
        """Remove them, in one transaction; returns what was removed, as `weigh_audit`."""
        with self._database.write() as connection:
            weights = _weigh_audit(connection, before)
            for _, table in _AUDITS.values():
                connection.execute(
                    text(f"DELETE FROM {table} WHERE at < :before"),  # noqa: S608 -- constants
                    {"before": micros(before)},
                )
        return weights

    def compact(self) -> int:
        """Give the room back to the file system, where the database does not by itself; returns bytes."""
        return self._database.compact()


def _outdated(connection: Connection, before: datetime) -> Outdated:
    plans = [PastPlan(**row) for row in connection.execute(_PLANS).mappings()]
    return outdated(_runs(connection), plans, before=micros(before))


def _runs(connection: Connection) -> list[PastRun]:
    return [PastRun(**row) for row in connection.execute(_RUNS).mappings()]


def _weigh(connection: Connection, found: Outdated) -> dict[str, tuple[int, int]]:
    weights: dict[str, tuple[int, int]] = {}
    for ids, tables in ((found.runs, _OF_RUNS), (found.plans, _OF_PLANS)):
        for name, (weight, table, key) in tables.items():
            statement = text(
                f"SELECT COUNT(*), COALESCE(SUM({weight}), 0) FROM {table} WHERE {key} = :id"  # noqa: S608 -- constants
            )
            rows = [connection.execute(statement, {"id": each}).one() for each in ids]
            weights[name] = (sum(int(row[0]) for row in rows), sum(int(row[1]) for row in rows))
    return weights


def _weigh_audit(connection: Connection, before: datetime) -> dict[str, tuple[int, int]]:
    weights: dict[str, tuple[int, int]] = {}
    for name, (weight, table) in _AUDITS.items():
        statement = text(
            f"SELECT COUNT(*), COALESCE(SUM({weight}), 0) FROM {table} WHERE at < :before"  # noqa: S608 -- constants
        )
        row = connection.execute(statement, {"before": micros(before)}).one()
        weights[name] = (int(row[0]), int(row[1]))
    return weights
