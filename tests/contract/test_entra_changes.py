"""Incremental reads of Entra: delta after delta equals a full read, whatever happened in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.contract import IncrementalSource, Reading
from connectors.sources.entra import EntraSource
from directory.errors import SourceUnavailable, SourceUnreadable
from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.graph.delta import Forgotten
from sandbox.graph.state import Link
from sandbox.population import company as found_company
from tests.contract.entra_stage import MARKED_SECRET, entra
from tests.contract.equal_readings import assert_equal


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRA_SECRET", MARKED_SECRET)


@pytest.fixture
def firm() -> Company:
    return found_company(people=150, groups=20)


async def changes(source: EntraSource, last: Reading) -> Reading:
    found = await source.read_changes(last)
    assert found is not None
    return found


async def test_it_is_a_source_that_reports_changes(firm: Company):
    with entra(firm) as (_, source, _sleeps):
        assert isinstance(source, IncrementalSource)
        assert source.blind_to == ()
        first = await source.read_all()
        assert_equal(first.snapshot, await source.read())
        again = await changes(source, first)
        assert_equal(again.snapshot, first.snapshot)
        assert again.snapshot.requests == 2
        await source.close()


async def test_ten_people_who_changed_cost_at_most_five_requests(firm: Company):
    with entra(firm) as (simulator, source, _):
        first = await source.read_all()
        hired = firm.hire(3)
        for person in firm.pick(7):
            firm.rename(person.id)
        firm.leave(hired[0].id)
        simulator.expire_tokens()
        sent = len(simulator.requests)
        second = await changes(source, first)
        assert len(simulator.requests) - sent <= 5
        assert_equal(second.snapshot, await source.read())
        await source.close()


@pytest.mark.parametrize("answer", ["410", "syncStateNotFound"])
async def test_a_watermark_that_graph_has_forgotten_asks_for_a_full_read(firm: Company, answer: Forgotten):
    with entra(firm) as (simulator, source, _):
        first = await source.read_all()
        simulator.forget_deltas(answer)
        assert await source.read_changes(first) is None
        assert (await source.read_all()).watermark is not None
        await source.close()


async def test_a_watermark_of_other_settings_is_not_used(firm: Company):
    with entra(firm) as (_, source, _sleeps):
        first = await source.read_all()
        await source.close()
    with entra(firm, attributes=["department"]) as (simulator, source, _sleeps):
        assert await source.read_changes(first) is None
        assert await source.read_changes(Reading(first.snapshot, None)) is None
        assert len(simulator.requests) == 0
        await source.close()


@pytest.mark.parametrize("given", [{"groups_filter": "startswith(displayName,'bb')"}, {"attributes": ["manager"]}])
async def test_what_deltas_cannot_do_is_always_a_full_read(firm: Company, given: dict[str, Any]):
    with entra(firm, **given) as (_, source, _sleeps):
        whole = await source.read_all()
        assert whole.watermark is None
        assert_equal(whole.snapshot, await source.read())
        await source.close()


async def test_a_large_group_over_several_pages_with_replays_is_read_whole(firm: Company):
    switches = {"delta_page": 7, "delta_members_page": 5, "delta_replays": 3}
    with entra(firm, switches=switches) as (simulator, source, _):
        first = await source.read_all()
        assert_equal(first.snapshot, await source.read())
        simulator.company.empty_group(next(iter(firm.groups)))
        assert_equal((await changes(source, first)).snapshot, await source.read())
        await source.close()


async def test_a_guest_who_becomes_a_member_regains_their_groups(firm: Company):
    person = next(person for person in firm.employed() if firm.memberships[person.id])
    guests = {person.id}
    switches = {"is_guest": lambda each: each.id in guests}
    with entra(firm, switches=switches, guests="exclude") as (_, source, _sleeps):
        first = await source.read_all()
        assert first.snapshot.people.height == len(firm.people) - 1
        guests.clear()
        firm.rename(person.id)
        second = await changes(source, first)
        assert second.snapshot.people.height == len(firm.people)
        assert_equal(second.snapshot, await source.read())
        guests.add(person.id)
        firm.rename(person.id)
        assert_equal((await changes(source, second)).snapshot, await source.read())
        await source.close()


async def test_what_happens_while_the_deltas_are_read_is_told_by_the_next(firm: Company):
    with entra(firm, switches={"delta_page": 6}) as (simulator, source, _):
        steps: list[Callable[[], object]] = [
            lambda: firm.hire(5),
            lambda: firm.lose(0.05),
            lambda: firm.empty_group(next(iter(firm.groups))),
        ]
        for number, step in enumerate(steps):
            simulator.faults.add(Fault(FaultKind.CHANGE, "/users/delta$", skip=3 + number, change=step))
        first = await source.read_all()
        second = first if first.watermark is None else await changes(source, first)
        if first.watermark is None:
            second = await source.read_all()
        assert_equal((await changes(source, second)).snapshot, await source.read())
        await source.close()


@pytest.mark.parametrize("kind", [FaultKind.REPEATED_PAGE, FaultKind.TRUNCATED, FaultKind.STATUS])
async def test_a_delta_that_fails_for_good_is_no_reading(firm: Company, kind: FaultKind):
    with entra(firm) as (simulator, source, _):
        first = await source.read_all()
        simulator.faults.add(Fault(kind, "/groups/delta$", status=500, times=1000))
        with pytest.raises((SourceUnavailable, SourceUnreadable)):
            await source.read_changes(first)
        await source.close()


async def test_a_first_delta_that_leaves_somebody_out_has_no_watermark(firm: Company):
    with entra(firm) as (simulator, source, _):
        simulator.faults.add(Fault(FaultKind.LOST_ROW, "/groups/delta$"))
        reading = await source.read_all()
        await source.close()
    assert not reading.snapshot.completeness.complete
    assert reading.watermark is None


class Histories(RuleBasedStateMachine):
    """Anything may happen to the company between two readings, and now and then the deltas are read."""

    def __init__(self) -> None:
        super().__init__()
        self.firm = found_company(people=30, groups=12)
        self.loop = asyncio.new_event_loop()
        switches = {"delta_page": 5, "delta_members_page": 2, "delta_replays": 2}
        self.held = entra(self.firm, switches=switches)
        self.simulator, self.source, _ = self.held.__enter__()
        self.last = self.loop.run_until_complete(self.source.read_all())

    def teardown(self) -> None:
        self.loop.run_until_complete(self.source.close())
        self.held.__exit__(None, None, None)
        self.loop.close()

    def person(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.people)))

    def group(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.groups)))

    @rule(count=st.integers(1, 3))
    def hire(self, count: int) -> None:
        self.firm.hire(count)

    @rule(data=st.data(), deed=st.sampled_from(["leave", "return_", "rename", "erase"]))
    @precondition(lambda self: self.firm.people)
    def happens_to_somebody(self, data: st.DataObject, deed: str) -> None:
        getattr(self.firm, deed)(self.person(data))

    @rule(data=st.data())
    @precondition(lambda self: self.firm.people and self.firm.groups)
    def joins_or_quits(self, data: st.DataObject) -> None:
        person, group = self.person(data), self.group(data)
        (self.firm.quit if group in self.firm.memberships[person] else self.firm.join)(person, group)

    @rule(data=st.data(), deed=st.sampled_from(["rename", "empty", "close"]))
    @precondition(lambda self: len(self.firm.groups) > 6)
    def happens_to_a_group(self, data: st.DataObject, deed: str) -> None:
        group = self.group(data)
        if deed == "rename":
            self.firm.rename_group(group, f"renamed {self.firm.version}")
        elif deed == "empty":
            self.firm.empty_group(group)
        elif self.firm.groups[group].parent is not None:
            self.firm.close_group(group)

    @rule(data=st.data())
    @precondition(lambda self: len(self.firm.groups) > 1)
    def nests_or_frees_a_group(self, data: st.DataObject) -> None:
        ids = self.simulator.state.group_id
        link = Link(ids(self.group(data)), ids(self.group(data)), "group")
        if link in self.simulator.state.links:
            self.simulator.state.remove(link)
        else:
            self.simulator.state.add(link)

    @rule()
    def deltas_are_read(self) -> None:
        found = self.loop.run_until_complete(self.source.read_changes(self.last))
        assert found is not None
        self.last = found
        assert_equal(found.snapshot, self.loop.run_until_complete(self.source.read()))

    @invariant()
    def there_is_a_watermark(self) -> None:
        assert self.last.watermark is not None


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
