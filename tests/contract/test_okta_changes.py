"""Incremental reads of Okta: what is read after an earlier reading equals a full read, whatever happened in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.contract import IncrementalSource, Reading
from connectors.sources.okta import OktaSettings, OktaSource
from directory.errors import SourceUnavailable, SourceUnreadable
from sandbox.company import Company, Standing, real_time
from sandbox.faults import Fault, FaultKind
from sandbox.okta import OktaSimulator, Switches
from sandbox.population import company as found_company
from sandbox.serving import served
from tests import request_formulas
from tests.contract.api_description import ApiDescription, description_file
from tests.contract.equal_readings import assert_equal
from tests.contract.judged import Judged
from tests.contract.source_contract import QUICK, Sleeps
from tests.contract.test_okta_simulator_spec import DEFECTS

TOKEN = "00MARKED-ssws-token-7c2a"
PLENTY = dict.fromkeys(("users", "user", "groups", "group", "logs", "token", "other"), 10**6)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKTA_TOKEN", TOKEN)


@pytest.fixture
def firm() -> Company:
    return found_company(people=150, groups=20)


@contextmanager
def okta(
    firm: Company, *, switches: dict[str, Any] | None = None, **given: Any
) -> Iterator[tuple[OktaSimulator, OktaSource]]:
    simulator = OktaSimulator(firm, Switches(limits=PLENTY, ssws_tokens={TOKEN}, **(switches or {})))
    with simulator.served() as url:
        settings = OktaSettings(url=url, token="env:OKTA_TOKEN", **given)
        yield simulator, OktaSource(settings, retry=QUICK, sleep=Sleeps())


def let_time_pass(simulator: OktaSimulator, seconds: float) -> None:
    """For the company and for Okta alike."""
    simulator.switches.clock_skew_seconds += seconds
    ahead = timedelta(seconds=simulator.switches.clock_skew_seconds)
    simulator.company.clock = lambda: real_time() + ahead


async def changes(source: OktaSource, last: Reading) -> Reading:
    found = await source.read_changes(last)
    assert found is not None
    return found


async def test_it_is_a_source_that_reports_changes(firm: Company):
    with okta(firm) as (_, source):
        assert isinstance(source, IncrementalSource)
        assert len(source.blind_to) == 1
        first = await source.read_all()
        assert_equal(first.snapshot, await source.read())
        again = await changes(source, first)
        assert_equal(again.snapshot, first.snapshot)
        assert again.snapshot.requests == 3
        await source.close()


async def test_ten_people_who_changed_cost_at_most_25_requests_in_a_company_of_4000():
    firm = found_company(people=4000, groups=300)
    with okta(firm) as (simulator, source):
        first = await source.read_all()
        let_time_pass(simulator, 3600)
        first = await changes(source, first)
        let_time_pass(simulator, 3600)
        before = firm.version
        some = [person.id for person in firm.employed() if person.standing is Standing.ACTIVE][:8]
        for person in some[:2]:
            firm.leave(person)
        for person in some[2:4]:
            firm.move(person)
        for person in some[4:8]:
            firm.rename(person)
        firm.hire(2)
        touched = {
            known
            for change in firm.changes[before:]
            if change.group_id is not None
            for known in firm.lineage(change.group_id)
        }
        sizes = [len(firm.effective_members(group)) for group in touched]
        sent = len(simulator.requests)
        second = await changes(source, first)
        made = len(simulator.requests) - sent
        assert made == second.snapshot.requests == request_formulas.okta_changes(10, 300, sizes, deactivated=2)
        assert made <= 25
        assert_equal(second.snapshot, await source.read())
        await source.close()


@pytest.mark.parametrize(
    "given",
    [
        {"group_prefix": "bb-project"},
        {"groups_search": 'type eq "OKTA_GROUP"'},
        {"include_builtin": True},
        {"search": 'profile.department eq "Platform"'},
        {"search": 'profile.department eq "Platform"', "include_builtin": True, "verify_counts": False},
        {"attributes": {"tools": "tools", "alias": "bitbucketName", "none": "mobilePhone"}},
    ],
    ids=["prefix", "groups-search", "builtin", "search", "search-builtin-uncounted", "lists"],
)
async def test_what_a_full_read_leaves_out_stays_out(firm: Company, given: dict[str, Any]):
    with okta(firm, **given) as (_, source):
        last = await source.read_all()
        groups = [group for group in firm.groups.values() if group.name.startswith("bb-project")]
        for step in range(3):
            for person in firm.pick(6):
                firm.move(person.id)
            firm.hire(2)
            firm.leave(firm.pick(1)[0].id)
            firm.rename_group(groups[step].id, f"renamed-{step}" if step % 2 else f"bb-project-renamed-{step}")
            firm.rename_group(list(firm.groups)[-1 - step], f"bb-project-came-{step}")
            last = await changes(source, last)
            assert_equal(last.snapshot, await source.read())
        await source.close()


@pytest.mark.parametrize("stay", [True, False], ids=["stay-in-groups", "leave-groups"])
async def test_the_deactivated_and_those_who_come_back_are_in_the_groups_that_okta_says(firm: Company, stay: bool):
    with okta(firm, switches={"leavers_stay_in_groups": stay}) as (simulator, source):
        last = await source.read_all()
        let_time_pass(simulator, 3600)
        person = next(person for person in firm.employed() if firm.memberships[person.id])
        for deed in (firm.leave, firm.return_):
            deed(person.id)
            last = await changes(source, last)
            assert_equal(last.snapshot, await source.read())
        await source.close()


async def test_without_the_log_somebody_who_is_gone_asks_for_a_full_read(firm: Company):
    with okta(firm, switches={"log_readable": False}) as (_, source):
        last = await changes(source, await source.read_all())
        assert len(source.blind_to) == 2
        firm.erase(next(person.id for person in firm.people.values() if person.standing is Standing.LEFT))
        assert await source.read_changes(last) is not None
        firm.erase(firm.pick(1)[0].id)
        firm.hire(1)
        assert await source.read_changes(last) is None
        last = await source.read_all()
        assert_equal((await changes(source, last)).snapshot, await source.read())
        await source.close()


async def test_with_the_log_the_deleted_are_known_by_name(firm: Company):
    with okta(firm) as (_, source):
        last = await source.read_all()
        firm.lose(0.1)
        last = await changes(source, last)
        assert_equal(last.snapshot, await source.read())
        assert_equal((await changes(source, last)).snapshot, await source.read())
        await source.close()


async def test_a_watermark_that_is_too_old_or_of_other_settings_asks_for_a_full_read(firm: Company):
    with okta(firm) as (simulator, source):
        first = await source.read_all()
        let_time_pass(simulator, 31 * 86_400)
        assert await source.read_changes(first) is None
        assert await source.read_changes(Reading(first.snapshot, None)) is None
        assert (await source.read_all()).watermark is not None
        await source.close()
    with okta(firm, attributes=["department"]) as (simulator, source):
        assert await source.read_changes(first) is None
        assert len(simulator.requests) == 0
        await source.close()


async def test_all_attributes_are_always_a_full_read(firm: Company):
    with okta(firm, attributes="all") as (_, source):
        assert (await source.read_all()).watermark is None
        await source.close()


@pytest.mark.parametrize("path", ["/users$", "/groups$", "/groups/[^/]+/users$", "/logs$"])
async def test_a_read_that_fails_in_the_middle_is_no_reading_and_the_next_goes_on_from_the_last(
    firm: Company, path: str
):
    with okta(firm) as (simulator, source):
        first = await source.read_all()
        firm.hire(3)
        simulator.faults.add(Fault(FaultKind.STATUS, path, status=500, times=1000))
        with pytest.raises((SourceUnavailable, SourceUnreadable)):
            await source.read_changes(first)
        simulator.faults.clear()
        assert_equal((await changes(source, first)).snapshot, await source.read())
        await source.close()


async def test_an_incomplete_read_has_no_watermark(firm: Company):
    with okta(firm) as (simulator, source):
        first = await source.read_all()
        firm.hire(3)
        simulator.faults.add(Fault(FaultKind.LOST_ROW, "/groups/[^/]+/users$", times=1000))
        found = await source.read_changes(first)
        assert found is not None
        assert not found.snapshot.completeness.complete
        assert found.watermark is None
        simulator.faults.add(Fault(FaultKind.LOST_ROW, "/groups/[^/]+/users$", times=1000))
        assert (await source.read_all()).watermark is None
        await source.close()


async def test_what_the_index_and_the_time_of_members_tell_late_is_read_by_the_next(firm: Company):
    lags = {"search_lag_seconds": 60.0, "membership_lag_seconds": 120.0}
    with okta(firm, switches=lags, group_prefix="bb") as (simulator, source):
        let_time_pass(simulator, 3600)
        person = next(person for person in firm.employed() if firm.memberships[person.id])
        last = await source.read_all()
        firm.quit(person.id, next(iter(firm.memberships[person.id])))
        last = await changes(source, last)
        let_time_pass(simulator, 240)
        last = await changes(source, last)
        assert_equal(last.snapshot, await source.read())
        await source.close()


async def test_every_request_is_one_that_oktas_description_allows(firm: Company):
    file = description_file("okta-management-2026.06.3.users-groups.yaml")
    api = ApiDescription.load(file, defects=DEFECTS, base_path="", closed=True)
    simulator = OktaSimulator(firm, Switches(limits=PLENTY, ssws_tokens={TOKEN}))
    judged = Judged(simulator.app, api)
    with served(judged) as url:
        wanted = OktaSettings(url=url, token="env:OKTA_TOKEN", search='profile.department eq "Platform"')
        source = OktaSource(wanted)
        first = await source.read_all()
        for person in firm.pick(20):
            firm.move(person.id)
        await changes(source, first)
        await source.close()
    judged.verdict()
    assert judged.operations.keys() >= {"GET /api/v1/logs", "GET /api/v1/users/{id}/groups"}


class Histories(RuleBasedStateMachine):
    """Anything may happen to the company between two readings; `lags` are those of Okta's index and times."""

    lags: ClassVar[dict[str, float]] = {}
    settings: ClassVar[dict[str, Any]] = {"include_builtin": True}

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("OKTA_TOKEN", TOKEN)
        self.firm = found_company(people=30, groups=12)
        self.loop = asyncio.new_event_loop()
        self.held = okta(self.firm, switches=self.lags, members_page=3, groups_page=4, **self.settings)
        self.simulator, self.source = self.held.__enter__()
        let_time_pass(self.simulator, 3600)
        self.last = self.loop.run_until_complete(self.source.read_all())

    def teardown(self) -> None:
        self.loop.run_until_complete(self.source.close())
        self.held.__exit__(None, None, None)
        self.loop.close()
        self.patch.undo()

    def person(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.people)))

    def group(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.groups)))

    @rule(count=st.integers(1, 3))
    def hire(self, count: int) -> None:
        self.firm.hire(count)

    @rule(data=st.data(), deed=st.sampled_from(["leave", "return_", "rename", "erase", "move"]))
    @precondition(lambda self: len(self.firm.people) > 1)
    def happens_to_somebody(self, data: st.DataObject, deed: str) -> None:
        getattr(self.firm, deed)(self.person(data))

    @rule(data=st.data())
    @precondition(lambda self: self.firm.people)
    def joins_or_quits(self, data: st.DataObject) -> None:
        person, group = self.person(data), self.group(data)
        (self.firm.quit if group in self.firm.memberships[person] else self.firm.join)(person, group)

    @rule(data=st.data(), deed=st.sampled_from(["rename", "empty", "close"]))
    @precondition(lambda self: len(self.firm.groups) > 6)
    def happens_to_a_group(self, data: st.DataObject, deed: str) -> None:
        group = self.group(data)
        if deed == "rename":
            prefix = data.draw(st.sampled_from(["bb", "other"]))
            self.firm.rename_group(group, f"{prefix} renamed {self.firm.version}")
        elif deed == "empty":
            self.firm.empty_group(group)
        elif self.firm.groups[group].parent is not None:
            self.firm.close_group(group)

    @rule(seconds=st.sampled_from([1, 30, 300, 3600]))
    def time_passes(self, seconds: int) -> None:
        let_time_pass(self.simulator, seconds)

    @rule()
    def changes_are_read(self) -> None:
        """Where everything stays in doubt, as a run does: everything."""
        found = self.loop.run_until_complete(self.source.read_changes(self.last))
        if found is None or found.watermark is None:
            found = self.loop.run_until_complete(self.source.read_all())
        if found.watermark is not None:
            self.last = found

    @rule()
    def once_okta_has_caught_up_nothing_is_missing(self) -> None:
        let_time_pass(self.simulator, 2 * sum(self.lags.values()))
        found = self.loop.run_until_complete(self.source.read_changes(self.last))
        assert found is not None
        self.last = found
        assert_equal(found.snapshot, self.loop.run_until_complete(self.source.read()))

    @invariant()
    def there_is_a_watermark(self) -> None:
        assert self.last.watermark is not None


class LateHistories(Histories):
    lags: ClassVar[dict[str, float]] = {"search_lag_seconds": 20.0, "membership_lag_seconds": 90.0}
    settings: ClassVar[dict[str, Any]] = {"group_prefix": "bb"}


class NarrowHistories(Histories):
    settings: ClassVar[dict[str, Any]] = {"search": 'profile.city eq "Dublin" or profile.department sw "Pl"'}


FEW = settings(max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
TestHistories = Histories.TestCase
TestHistories.settings = FEW
TestLateHistories = LateHistories.TestCase
TestLateHistories.settings = FEW
TestNarrowHistories = NarrowHistories.TestCase
TestNarrowHistories.settings = FEW
