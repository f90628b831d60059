"""Carry out a run: in this process, or as a flow run of the Prefect server that PREFECT_API_URL names."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import ledger as ledgers
from cli.failures import Interrupted
from cli.watching import Watcher
from directory.errors import ConfigurationError, Fatal
from flows.orders import Order, carried_out
from tasks.ending import Ending

if TYPE_CHECKING:
    from ledger.runs import Run

__all__ = ["Order", "conduct"]

_NO_SERVER = "Failed to reach API"
"""How Prefect's RuntimeError begins where its server does not answer; there is no class for it (3.8)."""


def conduct(order: Order, watcher: Watcher) -> Ending:
    """Run it to its end. Raises `UsersyncError` where it could not begin, `Interrupted` after Ctrl-C."""
    try:
        # An undo writes nothing, so no flow run has to show for it; the plan that it makes is applied by one.
        if os.environ.get("PREFECT_API_URL") and order.mode != "undo":
            return _on_prefect(order)
        return asyncio.run(carried_out(order, watcher))
    except KeyboardInterrupt:
        raise Interrupted(_acknowledged(order, watcher)) from None


def _acknowledged(order: Order, watcher: Watcher) -> str:
    if watcher.load is None:
        return "nothing had been sent to the target"
    with ledgers.open(order.ledger_url or ledgers.default_url()) as ledger:
        plan_id = watcher.plan.id if watcher.plan is not None else ledger.plans.get(order.plan_id).id
        statuses = ledger.journal.entries(plan_id)["status"].to_list()
        total = ledger.plans.frame(plan_id, "operations").collect().height
    doubtful = statuses.count("sent")
    unknown = f" ({doubtful:,} were sent without an answer and are looked up by the next run)" if doubtful else ""
    return (
        f"{statuses.count('done'):,} of {total:,} operations of plan {plan_id[:8]} are acknowledged{unknown}; "
        "run it again and only what is missing is done"
    )


def _on_prefect(order: Order) -> Ending:
    """The same run as a flow run; what became of it is read from the ledger, which the flow shares."""
    if order.ledger_url:
        os.environ["USERSYNC_LEDGER"] = order.ledger_url
    try:
        state: Any = asyncio.run(_flow_run(order))
    except RuntimeError as error:
        if not str(error).startswith(_NO_SERVER):
            raise
        raise Fatal(
            "the Prefect server that PREFECT_API_URL names does not answer",
            not_done="nothing was run",
            next_step="see to the server, or unset PREFECT_API_URL to run without one",
        ) from None
    flow_run_id = str(state.state_details.flow_run_id)
    with ledgers.open(order.ledger_url or ledgers.default_url()) as ledger:
        run = ledger.runs.find_by_flow_run(flow_run_id)
        if run is not None and run.ended_at is not None:
            return _ending_of(ledger, run, str(state.message))
    if state.name == "Refused":
        raise ConfigurationError(str(state.message))
    raise Fatal(
        f"the flow run ended as {state.name}: {state.message}",
        subject=f"flow run {flow_run_id}",
        next_step="look at it in the Prefect UI",
    )


async def _flow_run(order: Order) -> object:
    # Prefect takes two seconds to import, and none of these where no server is named.
    match order.mode:
        case "plan":
            from flows.plan import plan  # noqa: PLC0415

            return await plan(order.sync_file, full=order.full, return_state=True)
        case "apply":
            from flows.apply import apply  # noqa: PLC0415

            return await apply(order.sync_file, order.plan_id, order.approved_by, return_state=True)
        case "person":
            from flows.sync_person import sync_person  # noqa: PLC0415

            return await sync_person(order.sync_file, order.person, return_state=True)
        case _:
            from flows.sync import sync  # noqa: PLC0415

            return await sync(order.sync_file, full=order.full, return_state=True)


def _ending_of(ledger: Any, run: Run, message: str) -> Ending:
    from tasks.plans import stored_plan  # noqa: PLC0415

    header = run.header
    document = ledger.results.document(run.id)
    return Ending(
        run.id,
        header.get("status", run.status),
        stored_plan(ledger, run.plan_id)[1] if run.plan_id else None,
        message.removesuffix(f". Next: {header.get('next', '')}"),
        header.get("next", ""),
        header.get("applied") or {},
        document.location if document else None,
    )
