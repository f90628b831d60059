"""A held plan asks somebody: the flow run waits without a process and without a lease until there is an answer.

Measured with Prefect 3.8.8: a run that is resumed starts from the top of the flow under the same id and the same
`run_count`; the key of a question that was asked before lets the run through without asking (and a form without a
required field then answers itself), so every question has a key of its own; the answer is read by that key, and a run
that was started again for another reason (Retry, a crash) finds none and asks anew. A resume without the required
fields is refused by the server. When the time is over the server fails the run within seconds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from httpx import HTTPStatusError
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput
from prefect.input.run_input import keyset_from_base_key
from prefect.logging import get_run_logger
from prefect.states import Failed
from pydantic import Field

from flows.pipeline import end_rejected, run_sync
from flows.state import SUPERSEDED
from ledger.plans import Decision
from ledger.questions import Question
from reconcile.additions import divide
from reconcile.plan import Plan
from reconcile.question import question as in_words
from tasks.consent import Answer, decided_on
from tasks.ending import Ending
from tasks.plans import stored_plan
from tasks.workshop import Workshop

__all__ = ["Approval", "answer_question", "sync_or_ask", "waiting"]

_SAID_OF_OLDER = "a later run made another plan, or needs none; nothing of this one was applied"


class Approval(RunInput):
    """The form on Prefect's pages. No field has a default that says yes."""

    decision: Annotated[
        Literal["approve", "approve additions only", "reject"], Field(description="What shall become of the plan.")
    ]
    approved_by: Annotated[
        str, Field(title="Your name", min_length=1, pattern=r"\S", description="Kept in the ledger with the decision.")
    ]
    comment: Annotated[str | None, Field(description="Kept as well.")] = None


async def sync_or_ask(shop: Workshop, *, wait_seconds: float) -> Ending:
    """As `run_sync`. A plan that is held then suspends a deployed flow run, if the sync file says so."""
    if not _may_ask(shop):
        return await run_sync(shop, wait_seconds=wait_seconds)
    answer = await _answer(shop)
    if answer is not None and answer.decided.decision == "reject":
        return await end_rejected(shop, answer)
    ending = await run_sync(shop, wait_seconds=wait_seconds, answer=answer)
    asked = _to_ask_about(shop, ending, answer)
    if ending.status in {"held", "succeeded", "nothing_to_do"}:
        other = await _supersede_others(shop, asked)
        if other is not None:
            return replace(
                ending,
                message=f"{ending.message}; flow run {other.flow_run_id} asks about it already",
                next_step=f"answer there, or with `usersync approve {other.plan_id[:8]} --by NAME`",
            )
    return ending if asked is None else await _ask(shop, ending, asked)


def _may_ask(shop: Workshop) -> bool:
    # Prefect suspends only runs of deployments.
    deployment: Any = runtime.deployment.id
    return shop.sync.approval.on_hold == "ask" and shop.flow_run_id is not None and deployment is not None


def _to_ask_about(shop: Workshop, ending: Ending, answer: Answer | None) -> str | None:
    if ending.status != "held" or ending.plan is None:
        return None
    if answer is not None and answer.decided.decision == "approve additions only" and _told(shop, ending.plan, answer):
        return None
    waits = ending.plan.header.waiting
    plan_id = ending.plan.id if waits is None else waits.plan
    return plan_id if shop.ledger.plans.get(plan_id).state == "held" else None


def _told(shop: Workshop, plan: Plan, answer: Answer) -> bool:
    """Whether this is the plan that was asked about, or its additions: whoever said so knows that the rest waits."""
    additions, _ = divide(stored_plan(shop.ledger, answer.plan_id)[1])
    return plan.id in {answer.plan_id, None if additions is None else additions.id}


async def _ask(shop: Workshop, ending: Ending, plan_id: str) -> Ending:
    """Suspend the run: this raises Prefect's `Pause`, which ends the process."""
    flow_run_id = str(shop.flow_run_id)
    for_hours = shop.sync.approval.ask_for_hours
    until = shop.clock() + timedelta(hours=for_hours)
    _, plan = stored_plan(shop.ledger, plan_id)
    asked = shop.ledger.questions.ask(flow_run_id, plan_id, sync=shop.sync.name, open_until=until)
    form = Approval.with_initial_data(description=in_words(plan, open_until=until))
    seconds = max(1, round(for_hours * 3600))
    try:
        await asuspend_flow_run(wait_for_input=form, timeout=seconds, key=_key(asked))
    except RuntimeError as error:
        get_run_logger().warning("nobody could be asked about plan %s: %s", plan_id[:8], error)
    shop.ledger.questions.close(asked, "lapsed")
    return ending


def _key(asked: Question) -> str:
    return f"plan-{asked.plan_id[:8]}-{asked.number}-{asked.asked_at:%Y%m%d%H%M%S}"


async def _answer(shop: Workshop) -> Answer | None:
    """What was said since this flow run asked last, also by the command line; None where it has nothing to go by."""
    ledger = shop.ledger
    asked = ledger.questions.last_of(str(shop.flow_run_id))
    if asked is None:
        return None
    if asked.outcome is None:
        said = await _said(asked)
        if said is None:
            ledger.questions.close(asked, "lapsed")
            return None
        ledger.plans.decide(asked.plan_id, said.decision, by=said.approved_by.strip(), comment=said.comment)
        ledger.questions.close(asked, "answered")
    elif asked.outcome != "answered":
        return None
    decided = decided_on(ledger, asked.plan_id)
    last = ledger.runs.find_by_flow_run(str(shop.flow_run_id))
    told = last is not None and last.status == "rejected"
    if decided is None or told or ledger.plans.get(asked.plan_id).state not in {"held", "approved", "rejected"}:
        return None
    return Answer(asked.plan_id, decided)


async def _said(asked: Question) -> Approval | None:
    keys = keyset_from_base_key(f"suspended-{_key(asked)}")
    async with get_client() as client:
        try:
            given = await client.read_flow_run_input(UUID(asked.flow_run_id), keys["response"])
        except HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            return None
    return Approval.model_validate_json(given) if given else None


async def _supersede_others(shop: Workshop, plan_id: str | None) -> Question | None:
    """Let no questions pile up. Returns the one of another flow run that asks about this very plan.

    The others are about plans that nobody makes any more: their flow runs end, and the plans are refused.
    """
    same = None
    for asked in shop.ledger.questions.open(shop.sync.name):
        if asked.flow_run_id == shop.flow_run_id:
            continue
        waits = await waiting(asked)
        if waits and asked.plan_id == plan_id:
            same = asked
            continue
        shop.ledger.questions.close(asked, "superseded" if waits else "lapsed")
        if asked.plan_id != plan_id and shop.ledger.plans.get(asked.plan_id).state == "held":
            shop.ledger.plans.set_state(asked.plan_id, "superseded")
        if waits:
            message = f"plan {asked.plan_id[:8]} is refused by flow run {shop.flow_run_id}: {_SAID_OF_OLDER}"
            async with get_client() as client:
                ended: Any = Failed(name=SUPERSEDED, message=message)
                await client.set_flow_run_state(UUID(asked.flow_run_id), ended, force=True)
    return same


async def waiting(asked: Question) -> bool:
    """Whether the flow run of a question still waits."""
    async with get_client() as client:
        try:
            run = await client.read_flow_run(UUID(asked.flow_run_id))
        except ObjectNotFound:
            return False
    return run.state is not None and run.state.is_paused()


async def answer_question(asked: Question, decision: Decision, *, by: str, comment: str | None) -> bool:
    """Resume the flow run that asks, as its form would; False where it does not wait any more."""
    given = {"decision": decision, "approved_by": by, **({} if comment is None else {"comment": comment})}
    async with get_client() as client:
        result = await client.resume_flow_run(UUID(asked.flow_run_id), run_input=given)
    return result.status.value == "ACCEPT"
