"""Pushes start runs, and are forgotten when those ended well and not before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from directory.errors import Fatal
from flows.orders import Order
from ledger.instant import now
from ledger.scim.writing import Actor, Draft
from service.person_syncs import PersonSyncs
from service.starting import Started
from service.syncs import Syncs
from service.waking.watch import Waking
from tasks.ending import Ending, Status
from tests.unit.service.conftest import Office, on_both_databases

PATIENCE = 30


def ending(status: Status, *, unknown: bool = False) -> Ending:
    return Ending("r1", status, None, "", "", {}, None, unknown=unknown)


@dataclass
class Pushed:
    """A connector whose pushes wake, and what they started."""

    office: Office
    connector: str
    people: list[str] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    tells: bool = True
    """Whether a run for everybody says its id in time."""
    result: Ending | Exception = field(default_factory=lambda: ending("succeeded"))

    def push(self, *names: str, group: str | None = None) -> list[str]:
        with self.office.ledger.scim.write() as transaction:
            writer = transaction.writer(self.connector, Actor("token", "192.0.2.7", "request", "create"))
            ids = [writer.insert(Draft("User", name, None, f'{{"userName":"{name}"}}', "{}")).id for name in names]
            if group is not None:
                writer.insert(Draft("Group", group, None, f'{{"displayName":"{group}"}}', "{}"))
        return ids

    def outbox(self) -> set[str]:
        return {one.resource_id for one in self.office.ledger.scim.touched(self.connector)}

    def one(self, _file: str, person: str) -> Ending:
        self.people.append(person)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def everybody(self, order: Order, sync: str) -> Started:
        self.orders.append(order)
        if isinstance(self.result, Exception):
            raise self.result
        run_id = self.office.ledger.runs.start(sync=sync, mode="sync", target="bitbucket").id
        status = self.result.status
        assert status in {"succeeded", "failed"}
        self.office.ledger.runs.finish(run_id, "succeeded" if status == "succeeded" else "failed")
        return Started(run_id=run_id if self.tells else None)


@pytest.fixture
def pushed(office: Office) -> Pushed:
    write(office)
    return Pushed(office, office.ledger.scim.connectors.add("entra").id)


def write(office: Office, source: str = "", wake: str = "{quiet_seconds: 0.05, people: 2}") -> None:
    path = office.write_sync_file()
    text = path.read_text(encoding="utf-8").split("target:")[1]
    path.write_text(
        f"source:\n  kind: scim\n  connector: entra\n  wake: {wake}\n{source}target:{text}", encoding="utf-8"
    )


@asynccontextmanager
async def watched(pushed: Pushed) -> AsyncIterator[None]:
    office = pushed.office
    person_syncs = PersonSyncs(pushed.one)
    waking = Waking(office.ledger, Syncs(office.settings.syncs), person_syncs, pushed.everybody, look_seconds=0.02)
    task = asyncio.create_task(waking.watch())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(person_syncs.close)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 -- what is waited for is in a database
            await asyncio.sleep(0.02)


@on_both_databases
async def test_a_handful_is_brought_up_to_date_and_taken_off_the_outbox(pushed: Pushed) -> None:
    ids = pushed.push("ann", "ben")
    async with watched(pushed):
        await until(lambda: not pushed.outbox())
        assert (sorted(pushed.people), pushed.orders) == (sorted(ids), [])
        (again,) = pushed.push("cleo")
        await until(lambda: not pushed.outbox())
    assert pushed.people[2:] == [again]


@on_both_databases
@pytest.mark.parametrize("group", [None, "bb-dev"], ids=["many people", "a group"])
async def test_for_more_or_for_a_group_everybody_is_brought_up_to_date(pushed: Pushed, group: str | None) -> None:
    pushed.push("ann", *(("ben", "cleo") if group is None else ()), group=group)
    async with watched(pushed):
        await until(lambda: not pushed.outbox())
    assert ([order.mode for order in pushed.orders], pushed.people) == (["sync"], [])


async def test_a_run_that_did_not_say_its_id_in_time_is_found(pushed: Pushed) -> None:
    pushed.tells = False
    pushed.push("ann", "ben", "cleo")
    async with watched(pushed):
        await until(lambda: not pushed.outbox())
    assert len(pushed.orders) == 1


async def test_people_who_are_known_by_another_id_are_brought_up_to_date_with_everybody(pushed: Pushed) -> None:
    write(pushed.office, "  identify_by: externalId\n")
    pushed.push("ann")
    async with watched(pushed):
        await until(lambda: not pushed.outbox())
    assert (len(pushed.orders), pushed.people) == (1, [])


@pytest.mark.parametrize("names", [("ann",), ("ann", "ben", "cleo")], ids=["one", "everybody"])
@pytest.mark.parametrize("result", [ending("failed"), Fatal("the target is away")], ids=["failed", "never began"])
async def test_what_did_not_end_well_stays_and_is_not_tried_again_at_once(
    pushed: Pushed, names: tuple[str, ...], result: Ending | Exception
) -> None:
    pushed.result = result
    ids = pushed.push(*names)
    async with watched(pushed):
        await until(lambda: bool(pushed.people or pushed.orders))
        await asyncio.sleep(0.3)
    assert pushed.outbox() == set(ids)
    assert len(pushed.people) + len(pushed.orders) == 1


async def test_who_was_pushed_and_deleted_again_is_dealt_with(pushed: Pushed) -> None:
    pushed.result = ending("failed", unknown=True)
    pushed.push("ann")
    async with watched(pushed):
        await until(lambda: not pushed.outbox())


@on_both_databases
async def test_who_is_touched_while_the_run_goes_on_stays(pushed: Pushed) -> None:
    (ann,) = pushed.push("ann")
    done = False

    def meanwhile(_file: str, person: str) -> Ending:
        nonlocal done
        if not done:
            done = True
            with pushed.office.ledger.scim.write() as transaction:
                writer = transaction.writer(pushed.connector, Actor("token", None, "request", "replace"))
                found = writer.get("User", person)
                assert found is not None
                writer.update(found, Draft("User", "ann", None, '{"userName":"ann","title":"x"}', "{}"))
        pushed.people.append(person)
        return ending("succeeded")

    pushed.one = meanwhile  # type: ignore[method-assign]
    async with watched(pushed):
        await until(lambda: len(pushed.people) == 2 and not pushed.outbox())
    assert pushed.people == [ann, ann]


@pytest.mark.parametrize("wake", ["null", "{quiet_seconds: 3600, longest_seconds: 3600}"], ids=["off", "not quiet yet"])
async def test_nothing_is_started_otherwise(pushed: Pushed, wake: str) -> None:
    write(pushed.office, wake=wake)
    pushed.push("ann")
    async with watched(pushed):
        await asyncio.sleep(0.3)
    assert (pushed.people, pushed.orders, len(pushed.outbox())) == ([], [], 1)


@on_both_databases
async def test_whom_a_run_that_somebody_else_started_has_looked_at_needs_no_other(pushed: Pushed) -> None:
    write(pushed.office, wake="{quiet_seconds: 3600, longest_seconds: 3600}")
    ids = pushed.push("ann", "ben")
    runs = pushed.office.ledger.runs
    later = now() + timedelta(minutes=5)
    runs.finish(runs.start(sync="staff", mode="sync", target="bitbucket", started_at=later).id, "failed")
    async with watched(pushed):
        await asyncio.sleep(0.2)
        assert pushed.outbox() == set(ids)
        runs.finish(runs.start(sync="staff", mode="sync", target="bitbucket", started_at=later).id, "nothing_to_do")
        await until(lambda: not pushed.outbox())
    assert (pushed.people, pushed.orders) == ([], [])
