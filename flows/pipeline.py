"""The order of a run, once, for Prefect and the command line: extract, normalize, select, diff, guard, load, report.

Nothing is decided here. Whatever happens, a run ends in the ledger with a status, a document and a next step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import polars as pl

from directory.errors import ConfigurationError, LeaseTaken, StalePlan, UnknownRecord, UsersyncError
from directory.snapshot import TargetSnapshot
from ledger.leases import Lease
from ledger.runs import Mode, Run
from reconcile.freshness import freshness
from reconcile.plan import Finding, Plan, Waiting
from reconcile.sanity import source_stats
from reconcile.undo_plan import undo
from tasks.bookkeeping import Bookkeeper
from tasks.consent import Answer, Consent, consented, decided_on
from tasks.crashes import settle_doubts, unreported
from tasks.decide import diff, normalize, scope_of, select
from tasks.drift import with_origins
from tasks.ending import Ending, Status, status_of_error
from tasks.extract import extract_source, extract_target
from tasks.guard import guard
from tasks.lease import holding
from tasks.load import load
from tasks.loading import Loader
from tasks.memory import last_good_source, own_groups, owned_groups, remembered
from tasks.person import decide_person
from tasks.plans import scope_of_plan, stored_plan
from tasks.readings import keep_reading, last_reading
from tasks.report import RunSoFar, report
from tasks.snapshots import keep_acted_on, keep_sides
from tasks.sync_file import placed
from tasks.undoing import done_by_run, scope_of_operations
from tasks.workshop import Workshop

__all__ = ["apply_plan", "end_rejected", "make_plan", "make_undo", "run_sync", "sync_person"]

Outcome = tuple[Status, str, str]
"""Status, what happened, what to do next."""


async def run_sync(shop: Workshop, *, wait_seconds: float = 0.0, answer: Answer | None = None) -> Ending:
    """Plan, guard and apply in one run. A flow run that is tried again goes on with the plan it had begun to apply.

    `answer` is what was said of the plan that an earlier try of this flow run asked about.
    """
    begun = _begun_before(shop)
    if begun is not None:
        ending = await apply_plan(shop, begun, wait_seconds=wait_seconds)
        if not ending.stale:
            return ending

    async def body(so_far: RunSoFar) -> Outcome:
        async with _holding(shop, so_far, wait_seconds) as lease:
            plan = await _decide(shop, so_far)
            consent = Consent(plan) if answer is None else _consented(shop, plan, answer)
            so_far.plan = consent.plan
            status, message, next_step = await _carried_out(shop, so_far, lease, consent.plan)
            if status in {"succeeded", "nothing_to_do"}:
                _keep(shop, so_far)
            return status, f"{consent.note}; {message}" if consent.note else message, next_step

    return await _run(shop, "sync", body)


async def end_rejected(shop: Workshop, answer: Answer) -> Ending:
    """End the run of a plan that somebody rejected: nothing is read and nothing is sent."""
    _, plan = stored_plan(shop.ledger, answer.plan_id)

    async def body(so_far: RunSoFar) -> Outcome:
        so_far.plan = plan
        return "rejected", f"{_rejected(plan, answer)}; nothing of it was applied", _to_change_your_mind(plan.id)

    return await _run(shop, "sync", body, plan_id=plan.id)


def _consented(shop: Workshop, plan: Plan, answer: Answer) -> Consent:
    return consented(shop.ledger, plan, answer, also_the_rest=shop.sync.guard.on_hold == "hold-kinds")


async def sync_person(shop: Workshop, name: str, *, wait_seconds: float = 0.0) -> Ending:
    """As `run_sync`, for the one person of that username, e-mail address or external id; see docs/single-person.md.

    Nobody else is touched, and nothing that was read is kept: no later run goes on from it or is judged by it.
    """

    async def body(so_far: RunSoFar) -> Outcome:
        async with _holding(shop, so_far, wait_seconds) as lease:
            return await _carried_out(shop, so_far, lease, await decide_person(shop, so_far, name))

    return await _run(shop, "person", body)


async def _carried_out(shop: Workshop, so_far: RunSoFar, lease: Lease, plan: Plan) -> Outcome:
    if not await guard(shop.ledger, plan):
        return _still_held(shop, plan)
    so_far.approved = plan.held
    if plan.empty:
        outcome = _nothing_to_do(plan)
        own_groups(shop.ledger, plan)
    else:
        outcome = await _load(shop, so_far, lease, plan.operations)
    if plan.header.waiting is not None and outcome[0] == "succeeded":
        outcome = _rest_held(plan.header.waiting, outcome[1])
    return outcome


async def make_plan(shop: Workshop) -> Ending:
    """Decide and store a plan; nothing is written to the target."""

    async def body(so_far: RunSoFar) -> Outcome:
        plan = await _decide(shop, so_far)
        if not await guard(shop.ledger, plan):
            return _held(plan)
        # A plan applies nothing, so nothing of it is applied in part: what an incomplete read withholds is said.
        also = "" if plan.header.complete else f". {_withheld(plan)}"
        if plan.empty:
            return "nothing_to_do", *_nothing_to_do(plan)[1:]
        planned = _planned(plan, also)
        return planned if plan.header.waiting is None else _rest_held(plan.header.waiting, planned[1])

    return await _run(shop, "plan", body)


async def make_undo(shop: Workshop, run_id: str) -> Ending:
    """Plan to take back what a run changed, and store it; nothing is written to the target."""
    done = done_by_run(shop.ledger, shop.sync.name, run_id)

    async def body(so_far: RunSoFar) -> Outcome:
        target = await extract_target(shop.target, scope_of_operations(done), shop.observer)
        await _close_crashed(shop, target, so_far.run.id)
        present = remembered(shop.ledger, shop.sync.name, target, shop.clock())
        plan = undo(done, target, present, shop.sync.policy, shop.names, run_id=run_id)
        so_far.plan = plan
        shop.observer.planned(plan)
        if not await guard(shop.ledger, plan):
            return _held(plan)
        if plan.empty:
            return "nothing_to_do", f"nothing of run {run_id} is left that can be undone", "nothing needs to be done"
        return _planned(plan)

    return await _run(shop, "plan", body)


async def apply_plan(
    shop: Workshop, plan_id: str, *, approved_by: str | None = None, wait_seconds: float = 0.0
) -> Ending:
    """Apply a stored plan exactly as it is. A held one passes only with the name of who approves it."""
    stored, plan = stored_plan(shop.ledger, plan_id)
    _same_parties(shop, plan)

    async def body(so_far: RunSoFar) -> Outcome:
        so_far.plan = plan
        if plan.held and stored.state not in {"approved", "applying", "partial"}:
            if approved_by is None:
                return _held(plan)
            shop.ledger.plans.approve(plan.id, by=approved_by)
        so_far.approved = plan.held
        if stored.state == "applied":
            # Of an applied plan nothing is in doubt, but a run that was killed at its very end left no results.
            await _report_crashed(shop, plan_id=plan.id)
            so_far.sent = True
            return "nothing_to_do", f"plan {plan.id[:8]} was applied before", "make a new plan with `usersync plan`"
        async with _holding(shop, so_far, wait_seconds) as lease:
            target = await extract_target(shop.target, scope_of_plan(plan), shop.observer)
            await _close_crashed(shop, target, so_far.run.id)
            pending = _pending(shop, so_far, plan, target)
            return await _load(shop, so_far, lease, pending)

    return await _run(shop, "apply", body, plan_id=stored.id)


async def _run(
    shop: Workshop,
    mode: Mode,
    body: Callable[[RunSoFar], Awaitable[Outcome]],
    *,
    plan_id: str | None = None,
) -> Ending:
    shop.ledger.runs.bury_crashed()
    run = shop.ledger.runs.start(
        sync=shop.sync.name,
        mode=mode,
        target=shop.names.target,
        plan_id=plan_id,
        flow_run_id=shop.flow_run_id,
    )
    so_far = RunSoFar(run, before=shop.target.requests)
    try:
        status, message, next_step = await body(so_far)
    except UsersyncError as error:
        status, message = status_of_error(error), str(error)
        so_far.stale, so_far.busy = isinstance(error, StalePlan), isinstance(error, LeaseTaken)
        so_far.unknown = isinstance(error, UnknownRecord)
        next_step = error.next_step or "see the message, then run it again"
    except Exception as error:
        defect = f"a defect of usersync: {type(error).__name__}: {error}"
        await report(shop, so_far, "crashed", defect, "report it, with the traceback")
        raise
    except GeneratorExit:
        raise
    except BaseException:
        # Ctrl-C, a cancellation, or Prefect's answer to SIGTERM, alone or in a group.
        await report(shop, so_far, "cancelled", _cancelled(shop, so_far), _AGAIN)
        raise
    return await report(shop, so_far, status, message, next_step)


_NAMED = 3
_AGAIN = "run it again; only what is missing is done"


def _holding(shop: Workshop, so_far: RunSoFar, wait_seconds: float) -> AbstractAsyncContextManager[Lease]:
    return holding(shop.ledger, shop.names.target, so_far.run.id, shop.observer, wait_seconds=wait_seconds)


async def _decide(shop: Workshop, so_far: RunSoFar) -> Plan:
    policy = shop.sync.policy
    hours = 0.0 if shop.whole else shop.sync.reading.full_every_hours
    last = last_reading(shop.ledger, shop.sync.name, most_hours=hours)
    so_far.extracted = await extract_source(shop.source, last, shop.observer)
    raw = so_far.extracted.reading.snapshot
    so_far.requests["source"] = raw.requests
    source = await normalize(raw)
    try:
        selection = await select(source, policy)
    except ConfigurationError as error:
        raise placed(error, shop.path) from None
    if source.completeness.complete:
        # What later reads are judged by must not come from a read that missed something.
        so_far.source_stats = source_stats(source, selection)
    owned = owned_groups(shop.ledger, shop.sync.name)
    target = await extract_target(shop.target, scope_of(selection, owned, policy), shop.observer)
    await _close_crashed(shop, target, so_far.run.id)
    present = remembered(shop.ledger, shop.sync.name, target, shop.clock())
    last_good = last_good_source(shop.ledger, shop.sync.name)
    plan = await diff(source, selection, target, present, policy, shop.names, last_good)
    try:
        if shop.sync.pictures is not None:
            from tasks.pictures import pictures  # noqa: PLC0415 -- Pillow, which most syncs do without

            plan = await pictures(shop, plan, source, target)
    except ConfigurationError as error:
        raise placed(error, shop.path) from None
    plan = with_origins(shop.ledger, plan, selection, policy)
    so_far.plan, so_far.source = plan, source
    keep_sides(shop.ledger, shop.sync.name, source, target)
    shop.observer.planned(plan)
    return plan


def _keep(shop: Workshop, so_far: RunSoFar) -> None:
    """Where the next run goes on from, and what it compares with."""
    if so_far.extracted is not None:
        keep_reading(shop.ledger, shop.sync.name, so_far.extracted)
    if so_far.source is not None:
        keep_acted_on(shop.ledger, shop.sync.name, so_far.source, shop.sync.policy)


async def _close_crashed(shop: Workshop, target: TargetSnapshot, run_id: str) -> None:
    """Complete the records of runs that were killed: what they had sent, and what became of every person."""
    settle_doubts(shop.ledger, shop.sync.name, target, run_id, shop.clock)
    await _report_crashed(shop)


async def _report_crashed(shop: Workshop, *, plan_id: str | None = None) -> None:
    for run in unreported(shop.ledger, shop.sync.name):
        if plan_id not in {None, run.plan_id}:
            continue
        _, plan = stored_plan(shop.ledger, str(run.plan_id))
        await report(
            shop,
            RunSoFar(run, plan=plan, approved=plan.held, sent=True, requests={"target": 0}),
            "crashed",
            "the process ended without a word; what it had sent was looked up in the target",
            "nothing: the next run does what is missing",
        )


def _pending(shop: Workshop, so_far: RunSoFar, plan: Plan, target: TargetSnapshot) -> pl.DataFrame:
    """What is still to do of a plan. Raises `StalePlan` where the target is not what the plan starts from."""
    done = shop.ledger.journal.entries(plan.id).filter(pl.col("status") == "done")
    left = plan.operations.join(done.select("seq"), on="seq", how="anti", maintain_order="left")
    standing = left.join(freshness(left, target), on="seq", maintain_order="left")
    stale = standing.filter(pl.col("standing") == "stale")
    if stale.height:
        first = stale.row(0, named=True)
        raise StalePlan(
            f"the target moved on since plan {plan.id[:8]} was made: {stale.height:,} operations do not fit any more, "
            f"the first: {first['kind']} {first['username'] or first['group']}, {first['because']}",
            not_done="nothing of what was left of the plan was applied",
            next_step="make a new plan with `usersync plan`",
        )
    books = Bookkeeper(shop.ledger, plan, so_far.run.id, clock=shop.clock)
    for kind, seq in standing.filter(pl.col("standing") == "already").select("kind", "seq").iter_rows():
        books.acknowledge(kind, [seq])
    return standing.filter(pl.col("standing") == "pending").select(plan.operations.columns)


async def _load(shop: Workshop, so_far: RunSoFar, lease: Lease, operations: pl.DataFrame) -> Outcome:
    plan = so_far.plan
    if plan is None:
        raise TypeError("a run loads a plan that it made or was given")
    so_far.sent = True
    shop.ledger.runs.attach_plan(so_far.run.id, plan.id)
    shop.ledger.plans.set_state(plan.id, "applying")
    own_groups(shop.ledger, plan)
    settings = shop.sync.target
    loader = Loader(
        operations,
        shop.target,
        Bookkeeper(shop.ledger, plan, so_far.run.id, clock=shop.clock),
        shop.observer,
        keep_lease=lease.renew,
        concurrency=getattr(settings, "concurrency", 1),
        most_members=getattr(settings, "max_members_per_call", 1000),
    )
    await load(loader)
    return _loaded(shop, so_far, plan, loader)


def _loaded(shop: Workshop, so_far: RunSoFar, plan: Plan, loader: Loader) -> Outcome:
    done = shop.ledger.journal.entries(plan.id).filter(pl.col("status") == "done").height
    total = plan.operations.height
    again = loader.stopped.next_step if loader.stopped and loader.stopped.next_step else _AGAIN
    if done < total:
        shop.ledger.plans.set_state(plan.id, "partial")
        why = f" {loader.stopped}" if loader.stopped else ""
        status: Status = "partial" if done else "failed"
        return status, f"{done:,} of {total:,} operations are applied.{why}", again
    shop.ledger.plans.set_state(plan.id, "applied")
    shop.ledger.pictures.prune()
    if not plan.header.complete:
        return "partial", f"all {total:,} operations are applied. {_withheld(plan)}", _MEND_SOURCE
    next_step = f"`usersync results {so_far.run.id}` tells who got what"
    conflicts = plan.header.outcomes.get("conflict", 0)
    also = (f"; {_in_conflict(conflicts)}" if conflicts else "") + _pictures_left(plan)
    return "succeeded", f"all {total:,} operations are applied{also}", next_step


_MEND_SOURCE = "mend the source or what it says above, then run the sync again"


def _nothing_to_do(plan: Plan) -> Outcome:
    if not plan.header.complete:
        return "partial", f"nothing to do. {_withheld(plan)}", _MEND_SOURCE
    conflicts = plan.header.outcomes.get("conflict", 0)
    if conflicts:
        said = f"nothing to do that could be done: {_in_conflict(conflicts)}{_pictures_left(plan)}"
        return "nothing_to_do", said, "see why with `usersync results`, and mend the source or the accounts"
    if plan.header.pictures_left:
        return "nothing_to_do", f"nothing to do{_pictures_left(plan)}", "see why with `usersync results`"
    return "nothing_to_do", "nothing to do: the target is as the source says", "nothing needs to be done"


def _pictures_left(plan: Plan) -> str:
    """Pictures that could not be had are left as they are; `usersync results` says of each why."""
    people = plan.header.pictures_left
    return f"; {people:,} pictures could not be had and stay as they are" if people else ""


def _in_conflict(people: int) -> str:
    """People whose account could not be decided on; they are no operations of the plan."""
    return "1 person is in conflict" if people == 1 else f"{people:,} people are in conflict"


def _withheld(plan: Plan) -> str:
    removals = sum(plan.header.withheld.values())
    findings = "; ".join(plan.header.source_findings[:_NAMED])
    return f"The source was read incompletely ({findings}), so {removals:,} removals were withheld."


def _planned(plan: Plan, also: str = "") -> Outcome:
    return "planned", f"plan {plan.id[:8]} is stored, nothing was written{also}", f"usersync apply {plan.id[:8]}"


def _held(plan: Plan) -> Outcome:
    said = f"plan {plan.id[:8]} is held and nothing of it was applied: {_reasons(plan.header.held)}"
    return "held", said, _to_approve(plan.id)


def _still_held(shop: Workshop, plan: Plan) -> Outcome:
    """As `_held`; of a plan that was rejected, by whom."""
    said = decided_on(shop.ledger, plan.id)
    if said is None or shop.ledger.plans.get(plan.id).state != "rejected":
        return _held(plan)
    return "held", f"{_rejected(plan, Answer(plan.id, said))}; nothing of it was applied", _to_change_your_mind(plan.id)


def _rejected(plan: Plan, answer: Answer) -> str:
    said = answer.decided
    why = f" ({said.comment})" if said.comment else ""
    return f"plan {plan.id[:8]} was rejected by {said.by} on {said.at:%Y-%m-%d %H:%M} UTC{why}"


def _to_change_your_mind(plan_id: str) -> str:
    return (
        f"mend the source or the target; to let the plan through after all, `usersync approve {plan_id[:8]} --by NAME`"
    )


def _cancelled(shop: Workshop, so_far: RunSoFar) -> str:
    if so_far.plan is None or not so_far.sent:
        return "the run was cancelled; nothing of a plan had been sent"
    done = shop.ledger.journal.entries(so_far.plan.id).filter(pl.col("status") == "done").height
    total = so_far.plan.operations.height
    return f"the run was cancelled: {done:,} of {total:,} operations had been acknowledged and are done"


def _rest_held(waiting: Waiting, done: str) -> Outcome:
    """What may go on went on, and the rest waits as a plan of its own."""
    rest = f"{waiting.operations:,} more wait as plan {waiting.plan[:8]}: {_reasons(waiting.findings)}"
    return "held", f"{done}; {rest}", _to_approve(waiting.plan)


def _reasons(found: tuple[Finding, ...]) -> str:
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(finding.message for finding in found[:_NAMED]) + more


def _to_approve(plan_id: str) -> str:
    return (
        f"look at it with `usersync show {plan_id[:8]}`; if it is right, "
        f"`usersync apply {plan_id[:8]} --approved-by NAME`; if not, mend the source and run the sync again"
    )


def _begun_before(shop: Workshop) -> str | None:
    """The plan that an earlier try of this flow run began to apply, or that was approved since."""
    if shop.flow_run_id is None:
        return None
    earlier: Run | None = shop.ledger.runs.find_by_flow_run(shop.flow_run_id)
    if earlier is None or earlier.plan_id is None or earlier.mode == "plan":
        return None
    state = shop.ledger.plans.get(earlier.plan_id).state
    # Where somebody was asked, what was approved is made again first: the source may have moved on since.
    begun = {"applying", "partial"} if shop.sync.approval.on_hold == "ask" else {"applying", "partial", "approved"}
    return earlier.plan_id if state in begun else None


def _same_parties(shop: Workshop, plan: Plan) -> None:
    for what, planned, now in (
        ("sync", plan.header.sync, shop.sync.name),
        ("target", plan.header.target, shop.names.target),
    ):
        if planned != now:
            raise ConfigurationError(
                f"plan {plan.id[:8]} was made for the {what} {planned}, the sync file says {now}",
                subject=str(shop.path),
                not_done="nothing was applied",
                next_step="name the sync file that the plan was made with",
            )
