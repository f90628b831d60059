"""Incremental reads of OneLogin: reading after reading equals a full read, whatever happened in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from connectors.contract import IncrementalSource, Reading
from connectors.sources.onelogin import OneLoginSettings, OneLoginSource
from directory.errors import SourceUnavailable, SourceUnreadable
from sandbox.company import Company, GroupKind, Standing
from sandbox.faults import Fault, FaultKind
from sandbox.onelogin import OneLoginSimulator, Switches
from sandbox.population import company as found_company
from sandbox.serving import served
from tests.contract.equal_readings import assert_equal
from tests.contract.judged import Judged
from tests.contract.onelogin_description import onelogin_description
from tests.contract.source_contract import QUICK, Sleeps

SECRET = "MARKED-onelogin-secret-31d0"
CLIENT = "client-of-usersync"
USERS = "^/api/2/users$"
ROLES = "^/api/2/roles$"
HOUR = 3600.0


class Account:
    """A simulated account, and the company's clock with it."""

    def __init__(self, firm: Company, **switches: Any) -> None:
        given = {"clients": {CLIENT: SECRET}, "calls_an_hour": 10**6, **switches}
        self.simulator = OneLoginSimulator(firm, Switches(**given))
        firm.clock = lambda: datetime.fromtimestamp(self.simulator.now(), UTC)

    def later(self, seconds: float = HOUR) -> None:
        """Time passes, so that what was is out of the overlap of two readings."""
        self.simulator.switches.clock_skew_seconds += seconds


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONELOGIN_SECRET", SECRET)


@pytest.fixture
def firm() -> Company:
    return found_company(people=250, groups=24)


def settings_for(url: str, **given: Any) -> OneLoginSettings:
    return OneLoginSettings(url=url, client_id=CLIENT, client_secret="env:ONELOGIN_SECRET", **given)


@contextmanager
def onelogin(
    firm: Company, *, switches: dict[str, Any] | None = None, **given: Any
) -> Iterator[tuple[Account, OneLoginSource]]:
    account = Account(firm, **(switches or {}))
    with account.simulator.served() as url:
        yield account, OneLoginSource(settings_for(url, **given), retry=QUICK, sleep=Sleeps())


async def changes(source: OneLoginSource, last: Reading) -> Reading:
    found = await source.read_changes(last)
    assert found is not None
    return found


async def test_it_is_a_source_that_reports_changes(firm: Company) -> None:
    with onelogin(firm) as (account, source):
        assert isinstance(source, IncrementalSource)
        assert len(source.blind_to) == 1
        first = await source.read_all()
        account.later()
        again = await changes(source, first)
        assert_equal(again.snapshot, await source.read())
        assert again.snapshot.requests == 3
        (asked, counted) = (parse_qs(seen.query) for seen in account.simulator.requests.to("/api/2/users")[3:5])
        await source.close()
    assert "updated_since" in asked
    assert counted == {"limit": ["1"], "fields": ["id"], "page": ["1"]}


@pytest.mark.parametrize("counts", [True, False], ids=["roles-update-users", "roles-do-not"])
async def test_ten_people_who_changed_cost_four_requests(firm: Company, counts: bool) -> None:
    with onelogin(firm, switches={"role_counts_as_update": counts}) as (account, source):
        first = await source.read_all()
        account.later()
        firm.hire(2)
        people = firm.pick(8)
        for person in people[:3]:
            firm.rename(person.id)
        for person in people[3:5]:
            firm.leave(person.id)
        role = next(key for key in firm.groups if not firm.effective_members(key))
        for person in people[5:]:
            firm.join(person.id, role)
        second = await changes(source, first)
        assert second.snapshot.requests == (3 if counts else 4)
        assert_equal(second.snapshot, await source.read())
        await source.close()


async def test_somebody_who_was_deleted_is_noticed_by_the_count(firm: Company) -> None:
    with onelogin(firm) as (account, source):
        first = await source.read_all()
        account.later()
        firm.erase(firm.pick(1)[0].id)
        firm.hire(1)
        assert await source.read_changes(first) is None
        await source.close()


async def test_the_count_tells_of_somebody_deleted_who_had_no_role(firm: Company) -> None:
    person = firm.pick(1)[0].id
    for group in list(firm.memberships[person]):
        firm.quit(person, group)
    with onelogin(firm) as (account, source):
        first = await source.read_all()
        account.later()
        firm.erase(person)
        assert await source.read_changes(first) is None
        await source.close()


async def test_only_what_was_updated_since_the_watermark_comes_again(firm: Company) -> None:
    with onelogin(firm, switches={"role_counts_as_update": True}) as (account, source):
        account.later()
        firm.rename(firm.pick(1)[0].id)
        account.later(60)
        first = await source.read_all()
        account.later()
        reports: list[tuple[str, int]] = []
        second = await source.read_changes(first, lambda what, count: reports.append((what, count)))
        assert second is not None
        account.later()
        firm.rename(firm.pick(1)[0].id)
        third = await changes(source, second)
        assert_equal(third.snapshot, await source.read())
        sizes = [seen for seen in account.simulator.requests.to("/api/2/users") if "updated_since" in seen.query]
        await source.close()
    assert reports[0] == ("people", 250)
    assert len(sizes) == 2
    first_since, second_since = (parse_qs(seen.query)["updated_since"][0] for seen in sizes)
    passed = datetime.fromisoformat(second_since) - datetime.fromisoformat(first_since)
    assert timedelta(seconds=HOUR - 60) < passed < timedelta(seconds=HOUR + 60)


async def test_a_role_that_came_went_or_has_another_name_is_read_again(firm: Company) -> None:
    with onelogin(firm) as (account, source):
        first = await source.read_all()
        account.later()
        leaf = [key for key in firm.groups if firm.effective_members(key) and not firm.below[key]]
        firm.rename_group(leaf[0], "Another name")
        firm.close_group(next(key for key in leaf if firm.groups[key].kind is GroupKind.PROJECT))
        assert_equal((await changes(source, first)).snapshot, await source.read())
        await source.close()


async def test_roles_that_come_without_their_names_are_asked_for_them(firm: Company) -> None:
    with onelogin(firm, switches={"role_names_with_fields": False}) as (account, source):
        first = await source.read_all()
        account.later()
        firm.move(firm.pick(1)[0].id)
        second = await changes(source, first)
        assert_equal(second.snapshot, await source.read())
        await source.close()
    assert second.snapshot.requests <= 5


async def test_roles_whose_members_are_cut_short_take_nobody_out_of_a_role(firm: Company) -> None:
    with onelogin(firm, switches={"most_users_of_a_role": 20}) as (account, source):
        first = await source.read_all()
        account.later()
        firm.leave(firm.pick(1)[0].id)
        assert_equal((await changes(source, first)).snapshot, await source.read())
        await source.close()


async def test_more_changed_roles_than_can_be_asked_for_lead_to_a_full_read(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.sources.onelogin.changes._ASKED_FOR_AT_MOST", 2)
    role = next(key for key in firm.groups if not firm.effective_members(key))
    with onelogin(firm) as (account, source):
        first = await source.read_all()
        account.later()
        for person in firm.pick(3):
            firm.join(person.id, role)
        assert await source.read_changes(first) is None
        await source.close()


async def test_a_watermark_of_other_settings_is_not_used(firm: Company) -> None:
    with onelogin(firm) as (_, source):
        first = await source.read_all()
        await source.close()
    with onelogin(firm, active_statuses=(1,)) as (account, source):
        assert await source.read_changes(first) is None
        assert await source.read_changes(Reading(first.snapshot, None)) is None
        assert len(account.simulator.requests) == 0
        await source.close()


@pytest.mark.parametrize("groups_from", ["group", "member_of"])
async def test_other_kinds_of_groups_are_always_a_full_read(firm: Company, groups_from: str) -> None:
    with onelogin(firm, groups_from=groups_from) as (_, source):
        assert (await source.read_all()).watermark is None
        assert source.blind_to == ()
        await source.close()


async def test_a_change_behind_the_first_page_of_a_full_read_is_told_by_the_next(firm: Company) -> None:
    early = next(iter(firm.people))
    with onelogin(firm) as (account, source):

        def in_the_middle() -> None:
            account.later()
            firm.set_standing(early, Standing.SUSPENDED)
            account.later()

        account.simulator.faults.add(Fault(FaultKind.CHANGE, USERS, skip=1, change=in_the_middle))
        first = await source.read_all()
        assert first.snapshot.people.filter(external_id="30000001")["active"].item() is True
        assert_equal((await changes(source, first)).snapshot, await source.read())
        await source.close()


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.DROP, FaultKind.TRUNCATED], ids=lambda kind: kind.value)
@pytest.mark.parametrize("path", [USERS, ROLES], ids=["users", "roles"])
async def test_a_reading_that_fails_for_good_is_none(firm: Company, path: str, kind: FaultKind) -> None:
    with onelogin(firm) as (account, source):
        first = await source.read_all()
        account.simulator.faults.add(Fault(kind, path, status=500, times=1000))
        with pytest.raises((SourceUnavailable, SourceUnreadable)):
            await source.read_changes(first)
        await source.close()


@pytest.mark.parametrize("kind", [FaultKind.LOST_ROW, FaultKind.EARLY_END], ids=lambda kind: kind.value)
@pytest.mark.parametrize("path", [USERS, ROLES], ids=["users", "roles"])
async def test_a_list_that_is_short_leads_to_a_full_read(firm: Company, path: str, kind: FaultKind) -> None:
    with onelogin(firm, switches={"most_users": 60, "most_roles": 10}) as (account, source):
        first = await source.read_all()
        account.later()
        for person in firm.pick(130 if path == USERS else 0):
            firm.rename(person.id)
        account.simulator.faults.add(Fault(kind, path))
        assert await source.read_changes(first) is None
        await source.close()


async def test_an_incomplete_read_has_no_watermark(firm: Company) -> None:
    with onelogin(firm) as (account, source):
        account.simulator.faults.add(Fault(FaultKind.LOST_ROW, USERS, times=1000))
        reading = await source.read_all()
        await source.close()
    assert not reading.snapshot.completeness.complete
    assert reading.watermark is None


async def test_every_request_is_one_that_the_description_allows(firm: Company) -> None:
    account = Account(firm)
    judged = Judged(account.simulator.app, onelogin_description(), ignored=("/sandbox/", "/auth/oauth2/"))
    with served(judged, date_header=False) as url:
        source = OneLoginSource(settings_for(url))
        first = await source.read_all()
        account.later()
        firm.move(firm.pick(1)[0].id)
        firm.join(firm.pick(1)[0].id, next(key for key in firm.groups if not firm.effective_members(key)))
        await changes(source, first)
        await source.close()
    judged.verdict()
    assert any("user_ids=" in seen.query for seen in account.simulator.requests)


class Histories(RuleBasedStateMachine):
    """Anything may happen to the company between two readings, and now and then the changes are read."""

    switches: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.firm = found_company(people=30, groups=12)
        self.loop = asyncio.new_event_loop()
        self.held = onelogin(self.firm, switches={"most_users": 7, "most_roles": 5, **self.switches})
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("ONELOGIN_SECRET", SECRET)
        self.account, self.source = self.held.__enter__()
        self.last = self.loop.run_until_complete(self.source.read_all())
        self.told_since: set[str] = self.known()

    def teardown(self) -> None:
        self.loop.run_until_complete(self.source.close())
        self.held.__exit__(None, None, None)
        self.patch.undo()
        self.loop.close()

    def known(self) -> set[str]:
        return set(self.firm.people)

    def person(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.people)))

    def group(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.groups)))

    @rule(count=st.integers(1, 3))
    def hire(self, count: int) -> None:
        self.firm.hire(count)

    @rule(data=st.data(), deed=st.sampled_from(["leave", "return_", "rename", "move", "erase"]))
    @precondition(lambda self: self.firm.people)
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
            self.firm.rename_group(group, f"renamed {self.firm.version}")
        elif deed == "empty":
            self.firm.empty_group(group)
        elif self.firm.groups[group].parent is not None or self.firm.groups[group].kind is GroupKind.PROJECT:
            self.firm.close_group(group)

    @rule(seconds=st.sampled_from([1.0, 100.0, HOUR, 11 * HOUR]))
    def time_passes(self, seconds: float) -> None:
        self.account.later(seconds)

    @rule()
    def changes_are_read(self) -> None:
        found = self.loop.run_until_complete(self.source.read_changes(self.last))
        somebody_is_gone = bool(self.told_since - self.known())
        assert (found is None) is somebody_is_gone
        if found is None:
            found = self.loop.run_until_complete(self.source.read_all())
        self.last, self.told_since = found, self.known()
        assert found.watermark is not None
        assert_equal(found.snapshot, self.loop.run_until_complete(self.source.read()))


class HistoriesWhereRolesCount(Histories):
    switches: ClassVar = {"role_counts_as_update": True, "role_names_with_fields": False}


FEW = settings(max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
TestHistories = Histories.TestCase
TestHistories.settings = FEW
TestHistoriesWhereRolesCount = HistoriesWhereRolesCount.TestCase
TestHistoriesWhereRolesCount.settings = FEW
