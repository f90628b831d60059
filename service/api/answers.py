"""What the API answers with. Documents of runs are described in `reconcile.results`, plans in `reconcile.plan`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger.plans import Decision, PlanState
from ledger.runs import Mode, RunStatus
from reconcile.plan import PlanHeader
from reconcile.results import PersonResult
from tasks.ending import Status

__all__ = [
    "AuditLine",
    "DecisionAnswer",
    "DecisionGiven",
    "DecisionTaken",
    "DirectoryAnswer",
    "FlowRunAnswer",
    "ListedPlan",
    "PersonAnswer",
    "PlanAnswer",
    "PlanPerson",
    "RunAnswer",
    "RunOrder",
    "StartedRun",
    "SyncAnswer",
]


_WRITABLE = r"^[^\x00]*$"
"""PostgreSQL keeps no text with this in it."""


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class RunAnswer(_Answer):
    """A run. It has ended where `ended_at` is given."""

    id: str
    sync: str
    mode: Mode
    status: RunStatus
    plan_id: str | None
    target: str
    started_at: datetime
    ended_at: datetime | None
    flow_run_id: str | None
    error: str | None
    header: dict[str, Any]
    """Counts, requests, the guard's verdict; empty until the run ends."""


class SyncAnswer(_Answer):
    """A sync file of the service's folder, or a sync that only the ledger knows."""

    name: str
    file: str | None
    target: str | None
    """The directory that it manages."""
    trouble: str | None
    """What is wrong with the file, as `usersync check` says it."""
    last_run: RunAnswer | None


class DirectoryAnswer(_Answer):
    """Where accounts are kept, and which syncs manage people there."""

    name: str
    syncs: list[str]
    managed_accounts: int
    """Accounts that are linked to a person, of all these syncs."""
    managed_groups: list[str]
    last_run: RunAnswer | None


class RunOrder(BaseModel):
    """What shall be run."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    mode: Literal["sync", "plan"] = "sync"
    """`plan` stores a plan and writes nothing to the target."""
    full: bool = False
    """Read everything, also where the source can tell what changed since last time."""


class StartedRun(_Answer):
    """A run that was started and goes on by itself."""

    run: str | None
    """Its id, if it was known in time; under Prefect it is not."""
    flow_run_id: str | None
    address: str
    """Where to look what became of it, the same as the header Location."""


class FlowRunAnswer(_Answer):
    """A flow run of Prefect, which may still wait for a worker."""

    flow_run_id: str
    state: str | None
    """As Prefect calls it; null where no server is named or it does not answer."""
    message: str | None
    run: str | None
    """The run of the ledger, once it began."""


class PersonAnswer(_Answer):
    """How the run for one person ended, and what it meant for them."""

    run: str
    status: Status
    exit_code: int
    message: str
    next: str
    plan_id: str | None
    person: PersonResult | None
    """Null where the run failed before it knew them."""


class DecisionTaken(_Answer):
    decision: Decision
    by: str
    at: datetime
    comment: str | None


class ListedPlan(_Answer):
    id: str
    sync: str
    state: PlanState
    created_at: datetime
    asked_by_flow_run: str | None
    """The flow run that waits for a decision."""
    asked_until: datetime | None
    decisions: list[DecisionTaken]


class PlanAnswer(ListedPlan):
    """A plan without its operations."""

    approved_by: str | None
    header: PlanHeader
    operations: int


class PlanPerson(_Answer):
    """What a plan makes of one person, and why; rows as `usersync show --why --json` has them."""

    people: list[dict[str, Any]]
    operations: list[dict[str, Any]]


class DecisionGiven(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    decision: Decision
    by: Annotated[str | None, Field(max_length=200, pattern=_WRITABLE)] = None
    """Who decided, where it is not the token's owner; the token is kept with it."""
    comment: Annotated[str | None, Field(max_length=2000, pattern=_WRITABLE)] = None


class DecisionAnswer(_Answer):
    plan: ListedPlan
    said: list[str]
    """What `usersync approve` and `reject` say."""


class AuditLine(_Answer):
    """A request to change something."""

    at: datetime
    token_id: str | None
    who: str | None
    client: str
    what: str
    status: int | None
    """What was answered; null where the service ended before it did."""
    details: dict[str, Any]
