"""The outcome of a run: one record a person, and the JSON document that holds them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Any, Literal

import msgspec
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from directory.field_help import described_schema
from reconcile.plan import Finding, LeftBehind, Plan

__all__ = [
    "AT_ONCE",
    "JOURNAL",
    "PEOPLE_RESULTS",
    "GroupResult",
    "OperationResult",
    "PersonResult",
    "PlanDecision",
    "RunDocument",
    "RunHeader",
    "document",
    "group_results",
    "operation_counts",
    "people_results",
    "person_records",
    "schema",
]

Outcome = Literal[
    "created",
    "updated",
    "renamed",
    "reactivated",
    "access_removed",
    "anonymised",
    "deleted",
    "erased",
    "leaving",
    "inactive",
    "unchanged",
    "filtered",
    "conflict",
    "held",
    "failed",
]
OperationStatus = Literal["planned", "held", "done", "failed", "skipped", "not_sent", "unknown"]

JOURNAL = {"seq": pl.UInt32(), "status": pl.String(), "error": pl.String(), "at": pl.Datetime("us", "UTC")}
"""What of a plan was sent and acknowledged; further columns are ignored. `status` is `sent`, `done`, `failed` or
`skipped`."""

_OPERATION = pl.Struct(
    {
        "seq": pl.UInt32(),
        "kind": pl.String(),
        "group": pl.String(),
        "before": pl.String(),
        "after": pl.String(),
        "reason": pl.String(),
        "origin": pl.String(),
        "status": pl.String(),
        "error": pl.String(),
        "at": pl.String(),
    }
)
PEOPLE_RESULTS = {
    "external_id": pl.String(),
    "username": pl.String(),
    "outcome": pl.String(),
    "reason": pl.String(),
    "next_stage": pl.String(),
    "next_stage_on": pl.Date(),
    "attributes": pl.String(),
    "groups": pl.List(pl.Struct({"group": pl.String(), "path": pl.String()})),
    "operations": pl.List(_OPERATION),
}
"""One row a person. `attributes`, `before` and `after` are JSON objects, `at` is ISO 8601 in UTC."""


AT_ONCE = 20_000
"""People who are written together: few enough that a reader waits for none and that memory holds many such, many
enough that Polars is quick."""

Parts = Callable[[], Iterable[pl.DataFrame]]
"""Rows of `PEOPLE_RESULTS`, some at a time; from the first again at each call."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OperationResult(_Record):
    """One operation and what became of it."""

    seq: int
    kind: str
    group: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    origin: Literal["source", "rules", "drift"] | None
    """Why it is due: the source changed, the sync file changed, or the target was changed by hand since the last run
    that ended well; null where no such run tells."""
    status: OperationStatus
    error: str | None
    at: datetime | None
    """When the target acknowledged or refused it."""


class GroupResult(_Record):
    """A group the person should have, and the path through the source's groups that gives it."""

    group: str
    path: str


class PersonResult(_Record):
    """One person of a run."""

    external_id: str
    username: str | None
    outcome: Outcome
    reason: str | None
    """Why: the required group and the path to it, the filter, the cleanup reason, or what is in conflict."""
    next_stage: Literal["remove_access", "strip_groups", "anonymise", "delete", "erase"] | None = None
    """What will be done to a leaver next, unless they come back."""
    next_stage_on: date | None = None
    """On which day, in UTC; the first run from then on does it."""
    attributes: dict[str, str | bool | int | list[str | None] | None] = Field(default_factory=dict)
    """What `attributes.extra` of the sync file carries along; empty for who is gone from the source."""
    groups: list[GroupResult]
    operations: list[OperationResult]


class PlanDecision(_Record):
    """What somebody decided on a held plan."""

    decision: Literal["approve", "approve additions only", "reject"]
    by: str
    """The name that was given; nothing proves it."""
    at: datetime
    comment: str | None = None


class RunHeader(_Record):
    """What a run says about itself."""

    id: str
    sync: str
    mode: Literal["sync", "plan", "apply", "person"]
    status: str
    exit_code: int
    plan_id: str | None
    source: str | None
    target: str | None
    started_at: datetime
    ended_at: datetime | None
    guard: Literal["clear", "held", "approved"] | None
    findings: list[Finding] = Field(default_factory=list)
    """What the guard stopped at."""
    decision: PlanDecision | None = None
    """What was last decided on the plan, if anything was."""
    waiting_plan: str | None = None
    """The plan of what was held back while the rest went on (`guard.on_hold: hold-kinds`)."""
    source_complete: bool | None = None
    source_findings: list[str] = Field(default_factory=list)
    withheld: dict[str, int] = Field(default_factory=dict)
    """Removals that an incomplete read did not justify."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Operations per kind."""
    applied: dict[str, int] = Field(default_factory=dict)
    """Operations per status."""
    done: dict[str, int] = Field(default_factory=dict)
    """Operations that this run had acknowledged, per kind; an earlier run may have done others of the same plan."""
    outcomes: dict[str, int] = Field(default_factory=dict)
    """People per outcome."""
    requests: dict[str, int] = Field(default_factory=dict)
    """Requests made, `source` and `target`."""
    seats: dict[str, int | None] = Field(default_factory=dict)
    left_behind: list[LeftBehind] = Field(default_factory=list)
    """Groups that are assigned no more and keep their members."""
    groups: list[OperationResult] = Field(default_factory=list)
    """Operations on groups, which belong to nobody."""
    error: str | None = None


class RunDocument(_Record):
    """The JSON document of one run."""

    format: Literal[1] = 1
    run: RunHeader
    people: list[PersonResult]


def schema() -> dict[str, Any]:
    """The JSON Schema of a run's document."""
    return described_schema(RunDocument)


def operation_counts(plan: Plan, journal: pl.DataFrame) -> dict[str, int]:
    """Operations per journal status; `pending` for those that the journal does not know."""
    if plan.empty:
        return {}
    statuses = plan.operations.select("seq").join(journal.select("seq", "status"), on="seq", how="left")
    counted = statuses.select(pl.col("status").fill_null("pending"))["status"].value_counts()
    return dict(sorted(counted.iter_rows()))


def people_results(
    plan: Plan, journal: pl.DataFrame, *, unsent: Literal["planned", "held", "not_sent"]
) -> pl.DataFrame:
    """One row a person, schema `PEOPLE_RESULTS`. `unsent` is the status of operations that the journal does not know.

    A person with an operation that failed, was skipped or never sent has the outcome `failed`; where the guard held
    the plan, everybody with an operation is `held`.
    """
    operations = _operations(plan.operations, plan.origins, journal, unsent).filter(pl.col("external_id").is_not_null())
    bad = pl.col("status").is_in(["failed", "skipped", "not_sent", "unknown"])
    per_person = operations.group_by("external_id", maintain_order=True).agg(
        pl.struct(_OPERATION.to_schema().keys()).alias("operations"),
        bad.any().alias("failed"),
        (pl.col("status") == "held").any().alias("held"),
    )
    outcome = pl.when("failed").then(pl.lit("failed")).when("held").then(pl.lit("held")).otherwise("outcome")
    return (
        plan.verdicts.join(per_person, on="external_id", how="left", maintain_order="left")
        .join(_groups(plan), on="external_id", how="left", maintain_order="left")
        .with_columns(
            outcome.alias("outcome"),
            pl.col("attributes").fill_null("{}"),
            pl.col("operations").fill_null([]),
            pl.col("groups").fill_null([]),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in PEOPLE_RESULTS.items())
    )


def group_results(
    operations: pl.DataFrame,
    origins: pl.DataFrame,
    journal: pl.DataFrame,
    *,
    unsent: Literal["planned", "held", "not_sent"],
) -> list[OperationResult]:
    """Those of a plan's operations that concern no person; what else is given of the plan is ignored."""
    rows = _operations(operations.filter(pl.col("external_id").is_null()), origins, journal, unsent)
    return [
        OperationResult(**{**row, "before": None, "after": None})
        for row in rows.select(_OPERATION.to_schema().keys()).iter_rows(named=True)
    ]


def _operations(operations: pl.DataFrame, origins: pl.DataFrame, journal: pl.DataFrame, unsent: str) -> pl.DataFrame:
    entries = journal.select(
        pl.col("seq").cast(pl.UInt32),
        pl.col("status").replace("sent", "unknown"),
        "error",
        pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
    )
    return (
        operations.join(entries, on="seq", how="left", maintain_order="left")
        .join(origins, on="seq", how="left", maintain_order="left")
        .with_columns(pl.col("status").fill_null(unsent))
    )


def _groups(plan: Plan) -> pl.DataFrame:
    return (
        plan.verdicts.select("external_id", pl.col("grants").alias("grant"))
        .explode("grant", empty_as_null=True)
        .join(plan.grants, on="grant")
        .sort("external_id", "group")
        .group_by("external_id", maintain_order=True)
        .agg(pl.struct("group", "path").alias("groups"))
    )


def document(header: RunHeader, people: Parts) -> Iterator[bytes]:
    """The JSON document (`RunDocument`) in pieces, one person a line; those with operations come first.

    Goes through the people twice, and holds one part of them at a time.
    """
    yield b'{"format":1,"run":' + header.model_dump_json().encode() + b',"people":['
    touched = pl.col("operations").list.len() > 0
    separator = b"\n"
    for part in people():
        for record in person_records(part.filter(touched)):
            yield separator + msgspec.json.encode(record)
            separator = b",\n"
    for part in people():
        rest = part.filter(~touched)
        if not rest.is_empty():
            yield separator + ",\n".join(_untouched(rest)).encode()
            separator = b",\n"
    yield b"\n]}\n"


def _untouched(people: pl.DataFrame) -> pl.Series:
    """People without operations as JSON objects. The attributes are JSON already, so they are put in as they are."""
    plain = people.drop("attributes", "operations").columns
    opened = pl.struct(plain).struct.json_encode().str.strip_suffix("}")
    return people.select(
        pl.concat_str([opened, pl.lit(',"attributes":'), "attributes", pl.lit(',"operations":[]}')])
    ).to_series()


def person_records(people: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of `PEOPLE_RESULTS` as JSON-ready records."""
    for row in people.iter_rows(named=True):
        row["attributes"] = msgspec.Raw(row["attributes"].encode())
        for operation in row["operations"]:
            for side in ("before", "after"):
                if operation[side] is not None:
                    operation[side] = msgspec.Raw(operation[side].encode())
        yield row
