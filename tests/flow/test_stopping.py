"""Prefect's answer to SIGTERM is raised at any line of the process; it has to end the run from all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect.exceptions import TerminationSignal

import ledger
from flows.stopping import orderly_stop
from ledger.leases import Lease
from tasks.lease import holding
from tasks.observer import Unobserved
from tests.e2e.stage import Stage
from tests.flow.server import FlowHost, PrefectServer, flow_host, wait_for


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


async def test_a_run_does_not_go_on_when_the_renewal_of_its_lease_is_broken_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renew(self: Lease) -> None:
        raise TerminationSignal(15)

    monkeypatch.setattr(Lease, "renew", renew)
    monkeypatch.setattr("tasks.lease.RENEW_SECONDS", 0.01)
    with ledger.open(tmp_path / "ledger.db") as book:

        async def run() -> None:
            async with holding(book, "bitbucket", "run", Unobserved()):
                await asyncio.sleep(60)

        with pytest.raises(TerminationSignal):
            await run()
        book.leases.acquire("bitbucket", "another").release()


def test_a_process_that_is_asked_to_end_in_mid_load_notes_its_end_in_the_ledger(
    server: PrefectServer, stage: Stage
) -> None:
    stage.bitbucket.faults.slow(0.2, method="WRITE", times=None)
    with flow_host(server, "asked-to-end") as doomed, ThreadPoolExecutor() as aside:
        ended = aside.submit(doomed.sync, stage)
        wait_for(lambda: stage.effects or None, "the first change in Bitbucket")
        doomed.process.terminate()
        with pytest.raises(AssertionError, match="has ended"):
            ended.result()
    assert doomed.process.returncode != 0
    with stage.ledger() as book:
        (run,) = book.runs.latest()
        statuses = book.journal.entries(str(run.plan_id))["status"].to_list()
    assert (run.status, run.header["applied"]["done"]) == ("cancelled", statuses.count("done"))
    assert "cancelled" in str(run.error)
    assert server.flow_run(str(run.flow_run_id))["state_type"] == "CRASHED"
    stage.bitbucket.faults.clear()
    assert stage.sync().ending.exit_code == 0
    assert stage.repeated() == []


def test_a_flow_run_that_was_killed_with_all_its_keepers_does_not_run_for_ever(
    server: PrefectServer, host: FlowHost, stage: Stage
) -> None:
    stage.bitbucket.faults.slow(0.2, method="WRITE", times=None)
    with flow_host(server, "killed") as doomed, ThreadPoolExecutor() as aside:
        ended = aside.submit(doomed.sync, stage)
        wait_for(lambda: stage.effects or None, "the first change in Bitbucket")
        doomed.process.kill()
        with pytest.raises(AssertionError, match="has ended"):
            ended.result()
    with stage.ledger() as book:
        (run,) = book.runs.latest()
    assert server.flow_run(str(run.flow_run_id))["state_type"] == "RUNNING"
    stage.bitbucket.faults.clear()
    assert host.sync(stage).type == "COMPLETED"
    assert server.flow_run(str(run.flow_run_id))["state_type"] == "CRASHED"
    assert stage.repeated() == []
    stage.assert_settled()
