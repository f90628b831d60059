"""What shall be run, and running it in this process without Prefect."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Literal, NamedTuple

from tasks.ending import Ending
from tasks.observer import Observer
from tasks.workshop import Workshop, find_sync_file, open_workshop

__all__ = ["Order", "carried_out"]


class Order(NamedTuple):
    """What shall be run."""

    mode: Literal["sync", "plan", "apply", "undo", "person"]
    sync_file: str
    ledger_url: str | None = None
    plan_id: str = ""
    """For an undo the run's id."""
    approved_by: str | None = None
    full: bool = False
    person: str = ""
    """What the one person is called."""


async def carried_out(order: Order, observer: Observer) -> Ending:
    """Run it to its end in this process. Raises `UsersyncError` where it could not begin."""
    path = find_sync_file(order.sync_file)
    async with open_workshop(path, ledger_url=order.ledger_url, observer=observer, whole=order.full) as shop:
        return await _run(order, shop)


def _run(order: Order, shop: Workshop) -> Awaitable[Ending]:
    # SciPy and all the decisions.
    from flows.pipeline import apply_plan, make_plan, make_undo, run_sync, sync_person  # noqa: PLC0415

    match order.mode:
        case "plan":
            return make_plan(shop)
        case "undo":
            return make_undo(shop, order.plan_id)
        case "apply":
            return apply_plan(shop, order.plan_id, approved_by=order.approved_by)
        case "person":
            return sync_person(shop, order.person)
        case _:
            return run_sync(shop)
