"""Incremental reads of Keycloak: change after change equals a full read, whatever happened in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from connectors.contract import IncrementalSource, Reading
from connectors.sources.keycloak import KeycloakSettings, KeycloakSource
from directory.errors import CredentialsRefused, SourceUnavailable, SourceUnreadable
from directory.snapshot import SourceSnapshot
from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.keycloak import CLIENT_ID, CLIENT_SECRET, REALM, ConfidentialClient, KeycloakSimulator, Switches
from sandbox.keycloak.switches import USER_EVENT_TYPES
from sandbox.population import company as found_company
from sandbox.serving import served
from tests.contract.api_description import ApiDescription, description_file
from tests.contract.judged import Judged
from tests.contract.source_contract import QUICK, Sleeps
from tests.contract.test_keycloak_simulator_spec import DEFECTS

READER = frozenset({"view-users", "view-events"})
ADMIN = f"/admin/realms/{REALM}"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_SECRET", CLIENT_SECRET)


@pytest.fixture
def firm() -> Company:
    return found_company(people=150, groups=24)


def simulated(firm: Company, *, users: bool = False, roles: frozenset[str] = READER) -> KeycloakSimulator:
    """A realm that keeps admin events, of which there is one. A careless hand put the reader into every group."""
    clients = {CLIENT_ID: ConfidentialClient(CLIENT_ID, CLIENT_SECRET, roles, frozenset(firm.groups))}
    simulator = KeycloakSimulator(firm, Switches(clients=clients, admin_events_enabled=True, user_events_enabled=users))
    simulator.audit.tell("CREATE", "REALM_ROLE", "roles/first")
    return simulator


def reader(url: str, **given: Any) -> KeycloakSource:
    settings = {"realm": REALM, "client_id": CLIENT_ID, "client_secret": "env:KEYCLOAK_SECRET", **given}
    made = KeycloakSettings(url=url, **settings)
    # Nothing is listened to again but what happened in the second of an earlier reading.
    return KeycloakSource(made, retry=QUICK, sleep=Sleeps(), overlap=timedelta())


@contextmanager
def keycloak(
    firm: Company, *, users: bool = False, roles: frozenset[str] = READER, **given: Any
) -> Iterator[tuple[KeycloakSimulator, KeycloakSource]]:
    simulator = simulated(firm, users=users, roles=roles)
    with simulator.served() as url:
        yield simulator, reader(url, **given)


def assert_equal(incremental: SourceSnapshot, full: SourceSnapshot) -> None:
    assert incremental.completeness.findings == full.completeness.findings == ()
    for name in ("people", "groups", "memberships"):
        mine: pl.DataFrame = getattr(incremental, name)
        whole: pl.DataFrame = getattr(full, name)
        assert mine.schema == whole.schema
        assert mine.equals(whole), f"{name}: {mine.join(whole, on=mine.columns, how='anti', nulls_equal=True)}"


async def changes(source: KeycloakSource, last: Reading) -> Reading:
    found = await source.read_changes(last)
    assert found is not None
    return found


async def test_it_is_a_source_that_reports_changes(firm: Company):
    with keycloak(firm) as (_, source):
        assert isinstance(source, IncrementalSource)
        first = await source.read_all()
        assert_equal(first.snapshot, await source.read())
        again = await changes(source, first)
        assert_equal(again.snapshot, first.snapshot)
        assert again.snapshot.requests == 5
        assert "events of its users" in source.blind_to[-1]
        await source.close()


async def test_ten_people_who_changed_cost_eleven_requests(firm: Company):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        hired = firm.hire(3)
        for person in firm.pick(7):
            firm.rename(person.id)
        firm.leave(hired[0].id)
        simulator.expire_tokens()
        sent = len(simulator.requests)
        second = await changes(source, first)
        # A token, what is kept, events twice, all ten at once, the groups of three, and two counts.
        assert len(simulator.requests) - sent == second.snapshot.requests <= 11
        assert_equal(second.snapshot, await source.read())
        await source.close()


async def test_many_who_join_one_group_cost_one_list_of_members(firm: Company):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        group = simulator.audit.found_group("all together", None)
        first = await changes(source, first)
        for person in firm.pick(60):
            firm.join(person.id, group)
        sent = len(simulator.requests)
        second = await changes(source, first)
        assert len(simulator.requests) - sent <= 14
        assert_equal(second.snapshot, await source.read())
        await source.close()


@pytest.mark.parametrize("users", [False, True])
async def test_what_people_do_themselves_is_seen_where_the_realm_keeps_it(firm: Company, users: bool):
    with keycloak(firm, users=users) as (simulator, source):
        first = await source.read_all()
        assert (len(source.blind_to) == 1) is users
        with simulator.audit.by_themselves():
            renamed, gone = firm.pick(2)
            firm.rename(renamed.id)
            firm.erase(gone.id)
            firm.hire(2)
        second = await source.read_changes(first)
        # Otherwise one who is missing and two who came do not fit the count.
        assert (second is not None) is users
        if second is not None:
            assert_equal(second.snapshot, await source.read())
            assert second.snapshot.requests == 13
        await source.close()


async def test_users_events_without_the_types_that_matter_are_none(firm: Company):
    with keycloak(firm, users=True) as (simulator, source):
        simulator.switches.user_event_types = [kind for kind in USER_EVENT_TYPES if kind != "UPDATE_PROFILE"]
        first = await source.read_all()
        assert len(source.blind_to) == 2
        assert (await changes(source, first)).snapshot.requests == 5
        await source.close()


def off(simulator: KeycloakSimulator) -> None:
    simulator.audit.switch(admin=False)


def off_and_on(simulator: KeycloakSimulator) -> None:
    simulator.audit.switch(admin=False)
    simulator.company.rename(simulator.company.pick(1)[0].id)
    simulator.audit.switch(admin=True)


def cleared(simulator: KeycloakSimulator) -> None:
    simulator.company.rename(simulator.company.pick(1)[0].id)
    simulator.audit.clear()
    simulator.company.rename(simulator.company.pick(1)[0].id)


def expired(simulator: KeycloakSimulator) -> None:
    simulator.company.rename(simulator.company.pick(1)[0].id)
    simulator.company.rename(simulator.company.pick(1)[0].id)
    simulator.audit.expire(admin=1)


def imported_in_part(simulator: KeycloakSimulator) -> None:
    simulator.audit.tell("CREATE", "REALM", f"users/{simulator.state.user_id(simulator.company.pick(1)[0].id)}")


def ldap_was_added(simulator: KeycloakSimulator) -> None:
    simulator.audit.tell("CREATE", "COMPONENT", "components/ldap")


def profile_was_changed(simulator: KeycloakSimulator) -> None:
    simulator.audit.tell("UPDATE", "USER_PROFILE", "users/profile")


def something_unheard_of(simulator: KeycloakSimulator) -> None:
    simulator.audit.tell("UPDATE", "SOMETHING_OF_THE_YEAR_2030", "things/1")


def role_was_taken_away(simulator: KeycloakSimulator) -> None:
    simulator.switches.clients[CLIENT_ID] = ConfidentialClient(CLIENT_ID, CLIENT_SECRET, frozenset({"view-users"}))
    simulator.expire_tokens()


@pytest.mark.parametrize(
    "happened",
    [
        off,
        off_and_on,
        cleared,
        expired,
        imported_in_part,
        ldap_was_added,
        profile_was_changed,
        something_unheard_of,
        role_was_taken_away,
    ],
    ids=lambda deed: deed.__name__,
)
async def test_a_gap_and_what_no_single_person_stands_for_ask_for_a_full_read(
    firm: Company, happened: Callable[[KeycloakSimulator], None]
):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        assert first.watermark is not None
        happened(simulator)
        assert await source.read_changes(first) is None
        assert (await source.read_all()).snapshot.completeness.complete
        await source.close()


@pytest.mark.parametrize("gap", ["cleared", "expired", "off"])
async def test_a_gap_in_the_events_of_users_asks_for_a_full_read(firm: Company, gap: str):
    with keycloak(firm, users=True) as (simulator, source):
        first = await source.read_all()
        if gap == "cleared":
            simulator.audit.take_in()
            simulator.audit.user.clear()
        elif gap == "expired":
            simulator.audit.expire(user=1)
        else:
            simulator.switches.user_events_enabled = False
        assert await source.read_changes(first) is None
        await source.close()


async def test_where_nothing_was_ever_kept_a_read_has_no_watermark(firm: Company):
    with keycloak(firm) as (simulator, source):
        simulator.audit.clear()
        assert (await source.read_all()).watermark is None
        simulator.audit.tell("CREATE", "REALM_ROLE", "roles/second")
        assert (await source.read_all()).watermark is not None
        simulator.audit.switch(admin=False)
        assert (await source.read_all()).watermark is None
        await source.close()


async def test_without_the_role_everything_is_read_each_time(firm: Company):
    with keycloak(firm, roles=frozenset({"view-users"})) as (_, source):
        whole = await source.read_all()
        assert whole.watermark is None
        assert whole.snapshot.completeness.complete
        await source.close()


async def test_people_of_another_directory_are_read_whole_each_time(firm: Company):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        person = firm.pick(1)[0]
        firm.rename(person.id)
        simulator.switches.federated = lambda each: each.id == person.id
        assert await source.read_changes(first) is None
        assert (await source.read_all()).watermark is None
        await source.close()


async def test_a_watermark_of_other_settings_is_not_used(firm: Company):
    with keycloak(firm) as (_, source):
        first = await source.read_all()
        await source.close()
    with keycloak(firm, attributes=("department",)) as (simulator, source):
        assert await source.read_changes(first) is None
        assert await source.read_changes(Reading(first.snapshot, None)) is None
        assert len(simulator.requests) == 0
        await source.close()


async def test_a_token_that_would_not_show_everybody_is_refused(firm: Company):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        few = frozenset({"query-users", "query-groups", "view-events"})
        simulator.switches.clients[CLIENT_ID] = ConfidentialClient(CLIENT_ID, CLIENT_SECRET, few)
        simulator.expire_tokens()
        with pytest.raises(CredentialsRefused, match="view-users"):
            await source.read_changes(first)
        await source.close()


@pytest.mark.parametrize("inherit", [True, False])
async def test_chosen_groups_gain_and_lose_what_is_moved(firm: Company, inherit: bool):
    top = [group for group in firm.groups.values() if group.parent is None]
    chosen = next(group for group in top if firm.children(group.id))
    other = next(group for group in top if group is not chosen and firm.children(group.id))
    with keycloak(firm, groups=(f"/{chosen.name}",), inherit_subgroups=inherit) as (simulator, source):
        last = await source.read_all()
        moved = firm.children(other.id)[0].id
        for target in (chosen.id, other.id):
            simulator.audit.move_group(moved, target)
            last = await changes(source, last)
            held = simulator.state.group_id(moved) in set(last.snapshot.groups["group_id"])
            assert held is (target == chosen.id)
            assert_equal(last.snapshot, await source.read())
        firm.rename_group(chosen.id, "under another name")
        assert await source.read_changes(last) is None
        await source.close()


async def test_what_happens_while_changes_are_read_is_in_them_or_in_the_next(firm: Company):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        firm.hire(2)
        team = next(iter(firm.groups))
        steps: dict[str, Callable[[], object]] = {
            "/users$": lambda: firm.hire(1),
            "/users/[^/]+/groups$": lambda: firm.quit(firm.people[max(firm.people)].id, next(iter(_joined(firm)))),
            "/users/count$": lambda: firm.rename_group(team, "in the last moment"),
        }
        for path, step in steps.items():
            simulator.faults.add(Fault(FaultKind.CHANGE, path, change=step))
        second = await changes(source, first)
        assert simulator.faults.pending() == []
        third = await changes(source, second)
        assert_equal(third.snapshot, await source.read())
        await source.close()


def _joined(firm: Company) -> dict[str, None]:
    return firm.memberships[max(firm.people)]


@pytest.mark.parametrize("kind", [FaultKind.EARLY_END, FaultKind.EMPTY_PAGE, FaultKind.LOST_ROW])
@pytest.mark.parametrize("path", ["/admin-events$", "/users$", "/users/count$"])
async def test_a_short_answer_is_made_up_for_or_leads_to_a_full_read(firm: Company, kind: FaultKind, path: str):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        firm.hire(3)
        for person in firm.pick(4):
            firm.rename(person.id)
        simulator.faults.add(Fault(kind, path))
        second = await source.read_changes(first)
        simulator.faults.clear()
        if second is not None:
            assert_equal(second.snapshot, await source.read())
        await source.close()


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.STATUS, FaultKind.CUT])
@pytest.mark.parametrize("path", ["/admin-events$", "/users$", "/users/[^/]+/groups$", "/events/config$"])
async def test_an_answer_that_fails_for_good_is_no_reading(firm: Company, kind: FaultKind, path: str):
    with keycloak(firm) as (simulator, source):
        first = await source.read_all()
        firm.hire(1)
        simulator.faults.add(Fault(kind, path, status=500, times=1000))
        with pytest.raises((SourceUnavailable, SourceUnreadable)):
            await source.read_changes(first)
        await source.close()


async def test_a_thousand_events_of_one_moment_are_all_heard(firm: Company):
    moment = firm.clock() + timedelta(seconds=2)
    with keycloak(firm) as (_, source):
        first = await source.read_all()
        firm.clock = lambda: moment
        people = list(firm.people)
        for _ in range(9):
            for person in people:
                firm.rename(person)
        group = next(iter(firm.groups))
        for person in set(people) - firm.direct[group].keys():
            firm.join(person, group)
        firm.leave(people[-1])
        assert len(firm.changes) > 1400
        second = await changes(source, first)
        assert_equal(second.snapshot, await source.read())
        await source.close()


async def test_check_says_what_reading_changes_alone_would_need(firm: Company):
    with keycloak(firm) as (simulator, source):
        told = [await source.check()]
        simulator.audit.switch(user=True)
        told.append(await source.check())
        simulator.audit.clear()
        told.append(await source.check())
        simulator.audit.switch(admin=False)
        told.append(await source.check())
        role_was_taken_away(simulator)
        told.append(await source.check())
        await source.close()
    said = [" ".join(finding.what for finding in findings) for findings in told]
    assert "changes alone can be read" in said[0]
    assert "people change of their own accounts is not reported" in said[0]
    assert "not reported" not in said[1]
    assert "until there is a first admin event" in said[2]
    assert "the realm does not save admin events" in said[3]
    assert "lacks the role view-events" in said[4]
    assert not [finding for findings in told for finding in findings if finding.level == "problem"]
    assert "view-events to the service account" in str(told[4][-1].next_step)


async def test_every_request_is_one_that_keycloaks_description_allows(firm: Company):
    file = description_file("keycloak-admin-26.6.2.users-groups.json")
    api = ApiDescription.load(file, defects=DEFECTS, base_path="", closed=True)
    # The part of the description that is at hand does not cover the configuration of events.
    judged = Judged(simulated(firm, users=True).app, api, ignored=("/realms/", f"{ADMIN}/events/config"))
    with served(judged) as url:
        source = reader(url)
        first = await source.read_all()
        firm.hire(2)
        await changes(source, first)
        await source.close()
    judged.verdict()
    assert judged.operations.keys() >= {
        "GET /admin/realms/{realm}/admin-events",
        "GET /admin/realms/{realm}/events",
        "GET /admin/realms/{realm}/users/{user-id}/groups",
    }


class Histories(RuleBasedStateMachine):
    """Anything may happen in the realm between two readings, and now and then its changes are read."""

    def __init__(self) -> None:
        super().__init__()
        self.firm = found_company(people=30, groups=14)
        self.loop = asyncio.new_event_loop()
        self.held = keycloak(self.firm, users=True, page_size=20, member_page_size=3)
        self.simulator, self.source = self.held.__enter__()
        self.last = self.loop.run_until_complete(self.source.read_all())
        self.has_gap = False
        self.founded = 0

    def teardown(self) -> None:
        self.loop.run_until_complete(self.source.close())
        self.held.__exit__(None, None, None)
        self.loop.close()

    def person(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.people)))

    def group(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.firm.groups)))

    def place(self, data: st.DataObject) -> str | None:
        """Below a department, where whoever is hired finds one; or the top."""
        departments = {group.description for group in self.firm.groups.values() if group.kind.value == "department"}
        roots = {known: self.firm.groups[self.firm.lineage(known)[-1]] for known in self.firm.groups}
        below = sorted(known for known, root in roots.items() if root.description in departments)
        return data.draw(st.sampled_from([None, *below]))

    @rule(count=st.integers(1, 3))
    def hire(self, count: int) -> None:
        self.firm.hire(count)

    @rule(data=st.data(), deed=st.sampled_from(["leave", "return_", "rename", "erase", "move"]))
    @precondition(lambda self: len(self.firm.people) > 1)
    def happens_to_somebody(self, data: st.DataObject, deed: str) -> None:
        getattr(self.firm, deed)(self.person(data))

    @rule(data=st.data(), deed=st.sampled_from(["rename", "erase", "leave", "hire"]))
    @precondition(lambda self: len(self.firm.people) > 1)
    def somebody_does_it_themselves(self, data: st.DataObject, deed: str) -> None:
        with self.simulator.audit.by_themselves():
            if deed == "hire":
                self.firm.hire(1)
            else:
                getattr(self.firm, deed)(self.person(data))

    @rule(data=st.data())
    @precondition(lambda self: self.firm.people)
    def joins_or_quits(self, data: st.DataObject) -> None:
        person, group = self.person(data), self.group(data)
        (self.firm.quit if group in self.firm.memberships[person] else self.firm.join)(person, group)

    @rule(data=st.data())
    def everybody_joins(self, data: st.DataObject) -> None:
        group = self.group(data)
        for person in set(self.firm.people) - self.firm.direct[group].keys():
            self.firm.join(person, group)

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
    def a_group_is_founded(self, data: st.DataObject) -> None:
        self.founded += 1
        self.simulator.audit.found_group(f"founded {self.founded}", self.place(data))

    @rule(data=st.data())
    def a_group_is_moved(self, data: st.DataObject) -> None:
        group, place = self.group(data), self.place(data)
        if place is None or place not in self.firm.subtree(group):
            self.simulator.audit.move_group(group, place)

    @rule(gap=st.sampled_from(["clear", "expire", "off", "import"]))
    def what_happened_is_not_all_told(self, gap: str) -> None:
        self.has_gap = True
        audit = self.simulator.audit
        if gap == "clear":
            audit.clear()
        elif gap == "expire":
            audit.take_in()
            audit.expire(admin=len(audit.admin) // 2, user=len(audit.user) // 2)
        elif gap == "off":
            audit.switch(admin=False, user=False)
            self.firm.hire(1)
            audit.switch(admin=True, user=True)
        else:
            audit.tell("CREATE", "REALM", "users/somebody")

    @rule()
    def changes_are_read(self) -> None:
        found = self.loop.run_until_complete(self.source.read_changes(self.last))
        assert found is not None or self.has_gap
        if found is None:
            found = self.loop.run_until_complete(self.source.read_all())
        else:
            # Until then a gap may show again: what happened in the second of a reading is listened to once more.
            self.has_gap = False
        self.last = found
        assert_equal(found.snapshot, self.loop.run_until_complete(self.source.read()))


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
