"""Incremental reads of Keycloak: change after change equals a full read, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from connectors.contract import IncrementalSource, Reading
from connectors.sources.keycloak import KeycloakSource
from directory.errors import CredentialsRefused, SourceUnavailable, SourceUnreadable
from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.keycloak import CLIENT_ID, CLIENT_SECRET, REALM, ConfidentialClient, KeycloakSimulator
from sandbox.keycloak.switches import USER_EVENT_TYPES
from sandbox.population import company as found_company
from sandbox.serving import served
from tests.contract.api_description import ApiDescription, description_file
from tests.contract.equal_readings import assert_equal
from tests.contract.judged import Judged
from tests.contract.keycloak_stage import keycloak, reader, simulated
from tests.contract.test_keycloak_simulator_spec import DEFECTS

ADMIN = f"/admin/realms/{REALM}"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_SECRET", CLIENT_SECRET)


@pytest.fixture
def firm() -> Company:
    return found_company(people=150, groups=24)


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
        # One refused and a token, what is kept, events twice, all ten at once, the groups of three, and two counts.
        assert len(simulator.requests) - sent == second.snapshot.requests == 11
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


async def test_nothing_new_costs_nine_requests_where_events_of_users_are_kept(firm: Company):
    with keycloak(firm, users=True) as (_, source):
        first = await source.read_all()
        assert (await changes(source, first)).snapshot.requests == 9
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
