"""Prefect's answer to SIGTERM is raised at any line of the process; it has to end the run from all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prefect.exceptions import TerminationSignal

from flows.stopping import orderly_stop


async def in_the_run_itself() -> None:
    raise TerminationSignal(15)


async def in_calls_side_by_side() -> None:
    async with asyncio.TaskGroup() as calls, asyncio.TaskGroup() as inner:
        inner.create_task(in_the_run_itself())
        calls.create_task(asyncio.sleep(60))


async def in_a_callback_of_the_event_loop() -> None:
    def arrived() -> None:
        raise TerminationSignal(15)

    asyncio.get_running_loop().call_soon(arrived)
    await asyncio.sleep(60)


@pytest.mark.parametrize("place", [in_the_run_itself, in_calls_side_by_side, in_a_callback_of_the_event_loop])
async def test_a_termination_leaves_the_run_as_itself(place: Callable[[], Awaitable[None]]) -> None:
    written_down: list[str] = []

    async def run() -> None:
        with orderly_stop():
            try:
                await place()
            finally:
                await asyncio.sleep(0)
                written_down.append("the end")

    with pytest.raises(TerminationSignal):
        await run()
    assert written_down == ["the end"]


async def test_a_cancellation_and_a_group_of_errors_stay_what_they_are() -> None:
    with pytest.raises(asyncio.CancelledError), orderly_stop():
        raise asyncio.CancelledError
    with pytest.raises(BaseExceptionGroup, match="two"), orderly_stop():
        raise BaseExceptionGroup("two", [KeyboardInterrupt(), ValueError()])
