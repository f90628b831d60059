"""The Keycloak source against a simulated realm, which commits the faults that a real one does not on command.

tests/e2e/test_keycloak_real.py reads a real Keycloak.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from connectors.sources.keycloak import KeycloakSettings, KeycloakSource
from directory.errors import CredentialsRefused, SourceUnreadable
from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.keycloak import CLIENT_ID, REALM, ConfidentialClient, KeycloakSimulator, Switches
from sandbox.keycloak.state import ServiceAccount
from sandbox.population import company as found_company
from sandbox.serving import served
from tests import request_formulas
from tests.contract.api_description import ApiDescription, description_file
from tests.contract.judged import Judged
from tests.contract.person_contract import HttpPersonContract
from tests.contract.source_contract import QUICK, Sleeps, Stage
from tests.contract.test_keycloak_simulator_spec import DEFECTS

MARKED_SECRET = "MARKED-client-secret-51c7+/%"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_SECRET", MARKED_SECRET)


def reader(*roles: str, **more: Any) -> ConfidentialClient:
    return ConfidentialClient(CLIENT_ID, MARKED_SECRET, frozenset(roles), **more)


def simulated(company: Company, **switches: Any) -> KeycloakSimulator:
    # A careless hand has put the service account into every group.
    clients = {CLIENT_ID: reader("view-users", groups=frozenset(company.groups))}
    return KeycloakSimulator(company, Switches(clients=clients, **switches))


def settings_for(url: str, **changed: Any) -> KeycloakSettings:
    given = {"realm": REALM, "client_id": CLIENT_ID, "client_secret": "env:KEYCLOAK_SECRET", **changed}
    return KeycloakSettings(url=url, **given)


class TestKeycloakSource(HttpPersonContract):
    """`nests` stays false: groups of a realm are a tree, and no knot can be tied in it."""

    paths: ClassVar = {"people": "/users$", "groups": "/fjordlight/groups$", "members": "/members$"}
    cannot_notice: ClassVar = {
        (kind, "members"): "Keycloak counts no members, and a page that is not full is the end of an offset's list"
        for kind in (FaultKind.EARLY_END, FaultKind.LOST_ROW, FaultKind.EMPTY_PAGE)
    }

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        simulator = simulated(company)
        small = {"page_size": 100, "member_page_size": 7} if len(company.people) < 1000 else {}
        with simulator.served() as url:
            yield Stage(
                KeycloakSource(settings_for(url, **small), retry=QUICK, sleep=sleeps),
                company,
                external_id=lambda person: simulator.state.user_id(person.id),
                secrets=(MARKED_SECRET,),
                faults=simulator.faults,
                requests=lambda: len(simulator.requests),
                expire_credentials=simulator.expire_tokens,
                refuse_credentials=simulator.switches.clients.clear,
            )


# What only Keycloak has.


@contextmanager
def keycloak(
    firm: Company, switches: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[KeycloakSimulator, KeycloakSource]]:
    simulator = simulated(firm, **(switches or {}))
    with simulator.served() as url:
        yield simulator, KeycloakSource(settings_for(url, **settings), retry=QUICK, sleep=Sleeps())


@pytest.fixture
def firm() -> Company:
    return found_company(people=450, groups=24)


@pytest.mark.parametrize("page", [0, 1, 3])
async def test_somebody_who_leaves_the_list_while_it_is_read_hides_nobody(firm: Company, page: int):
    first_listed = min(firm.people.values(), key=lambda person: person.username)
    with keycloak(firm, page_size=100, concurrency=1) as (simulator, source):
        simulator.faults.add(Fault(FaultKind.CHANGE, "/users$", skip=page, change=lambda: firm.erase(first_listed.id)))
        snapshot = await source.read()
        await source.close()
        assert len(simulator.requests.to(f"/admin/realms/{REALM}/users")) == 10
    assert snapshot.completeness.complete
    remaining = {simulator.state.user_id(person) for person in firm.people}
    assert set(snapshot.people["external_id"]) == remaining
    assert len(remaining) == 449


async def test_two_changes_that_cancel_each_other_out_are_noticed(firm: Company):
    # Somebody at the front goes, and somebody not yet read takes a name on a page that was: no page is shifted.
    by_name = sorted(firm.people.values(), key=lambda person: person.username)
    namesakes = max(
        ([person for person in by_name if person.username.startswith(f"{first}.")] for first in _first_names(firm)),
        key=len,
    )
    position = by_name.index(namesakes[0])
    assert position > 0
    assert len(namesakes) > 12

    def change() -> None:
        firm.erase(by_name[0].id)
        firm.rename(namesakes[-1].id, plain="aaa", last="Aaa")

    with keycloak(firm, page_size=4, concurrency=1) as (simulator, source):
        simulator.faults.add(Fault(FaultKind.CHANGE, "/users$", skip=position // 4 + 2, change=change))
        snapshot = await source.read()
        await source.close()
        assert simulator.faults.pending() == []
    assert snapshot.completeness.complete
    assert set(snapshot.people["external_id"]) == {simulator.state.user_id(person) for person in firm.people}


def _first_names(firm: Company) -> set[str]:
    return {person.username.rpartition(".")[0] for person in firm.people.values()}


async def test_a_list_that_changes_all_the_time_is_read_twice_and_then_called_incomplete(firm: Company):
    def change() -> None:
        firm.erase(min(firm.people.values(), key=lambda person: person.username).id)

    with keycloak(firm, page_size=100, concurrency=1) as (simulator, source):
        simulator.faults.add(Fault(FaultKind.CHANGE, "/users$", times=1000, change=change))
        snapshot = await source.read()
        await source.close()
    (finding,) = snapshot.completeness.findings
    assert "also at a second read" in finding
    assert "people moved between pages" in finding


async def test_a_person_lost_from_every_page_is_missed_by_the_count(firm: Company):
    with keycloak(firm) as (simulator, source):
        simulator.faults.add(Fault(FaultKind.LOST_ROW, "/users$", times=2))
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.findings == ("the realm counts 450 people and 449 came, also at a second read",)


async def test_a_group_lost_from_every_page_is_missed_by_the_count(firm: Company):
    with keycloak(firm) as (simulator, source):
        simulator.faults.add(Fault(FaultKind.LOST_ROW, "/fjordlight/groups$", times=2))
        snapshot = await source.read()
        await source.close()
    assert any("the realm counts 24 groups" in finding for finding in snapshot.completeness.findings)


async def test_json_that_is_cut_for_good_is_an_error_and_not_a_short_list(firm: Company):
    with keycloak(firm, {"truncate_pages_above": 300}, page_size=400, member_page_size=200) as (simulator, source):
        with pytest.raises(SourceUnreadable, match="no whole JSON"):
            await source.read()
        await source.close()
        assert len([seen for seen in simulator.requests if seen.path.endswith("/users")]) >= QUICK.malformed_attempts


async def test_a_403_names_the_role_that_is_missing(firm: Company):
    with keycloak(firm) as (simulator, source):
        simulator.switches.clients[CLIENT_ID] = reader("view-realm")
        with pytest.raises(CredentialsRefused, match="view-users") as refused:
            await source.read()
        await source.close()
    assert "HTTP 403" in str(refused.value)
    assert f"Clients > {CLIENT_ID} > Service accounts roles" in str(refused.value)


async def test_a_token_without_the_role_is_refused_although_the_realm_answers(firm: Company):
    with keycloak(firm) as (simulator, source):
        simulator.switches.clients[CLIENT_ID] = reader("query-users", "query-groups")
        with pytest.raises(CredentialsRefused, match="view-users") as refused:
            await source.read()
        (finding,) = await source.check()
        await source.close()
        assert not [seen for seen in simulator.requests if seen.path.endswith(("/users", "/members"))]
    assert "it has: query-groups, query-users" in str(refused.value)
    assert finding.level == "problem"
    assert "lacks the role view-users" in finding.what


async def test_check_tells_the_roles_and_notes_those_that_reading_does_not_need(firm: Company):
    with keycloak(firm) as (simulator, source):
        simulator.switches.clients[CLIENT_ID] = reader("view-users", "manage-users")
        findings = await source.check()
        await source.close()
    told = [(finding.level, finding.what) for finding in findings]
    assert ("ok", "access tokens live for 60 s and are renewed while reading") in told
    assert ("ok", "roles of the service account: manage-users, query-groups, query-users, view-users") in told
    assert ("note", "the service account has more rights than reading needs: manage-users") in told


async def test_a_token_that_tells_nothing_is_noted_and_everybody_is_read(firm: Company):
    with keycloak(firm) as (simulator, source):
        simulator.switches.clients[CLIENT_ID] = reader("view-users", lightweight=True)
        snapshot = await source.read()
        findings = await source.check()
        await source.close()
    assert snapshot.completeness.complete
    assert snapshot.people.height == len(firm.people)
    assert any(finding.level == "note" and "does not show its roles" in finding.what for finding in findings)


@pytest.mark.parametrize("lightweight", [True, False])
async def test_nobody_and_no_groups_are_believed_only_where_the_token_tells_its_roles(lightweight: bool):
    firm = found_company(people=0, groups=4)
    for group_id in [group.id for group in firm.groups.values() if group.parent is None]:
        firm.close_group(group_id)
    with keycloak(firm) as (simulator, source):
        simulator.switches.clients[CLIENT_ID] = reader("view-users", lightweight=lightweight)
        snapshot = await source.read()
        await source.close()
    assert snapshot.people.is_empty()
    assert snapshot.completeness.complete is not lightweight


async def test_a_service_account_that_is_in_a_group_is_no_member_of_it(firm: Company):
    with keycloak(firm) as (simulator, source):
        members = simulator.state.members(next(iter(firm.groups.values())))
        (account,) = (member for member in members if isinstance(member, ServiceAccount))
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert account.id not in {*snapshot.people["external_id"], *snapshot.memberships["member_id"]}


async def test_requests_are_as_few_as_the_api_allows():
    firm = found_company(people=1300, groups=60)
    with keycloak(firm, page_size=500) as (simulator, source):
        snapshot = await source.read()
        await source.close()
    parents = {group.parent for group in firm.groups.values() if group.parent is not None}
    sizes = [len(firm.direct[group]) for group in firm.groups]
    token, lists = 1, request_formulas.keycloak(1300, sizes, parents=len(parents), page_size=500)
    assert snapshot.requests == len(simulator.requests) == token + lists


async def test_a_cancelled_read_stops_asking(firm: Company):
    with keycloak(firm, member_page_size=5) as (simulator, source):
        simulator.app.latency_seconds = 0.05
        reading = asyncio.create_task(source.read())
        await asyncio.sleep(0.3)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.sleep(0.2)
        sent = len(simulator.requests)
        await asyncio.sleep(0.2)
        assert len(simulator.requests) == sent
        await source.close()


async def test_check_names_a_secret_that_is_not_there():
    source = KeycloakSource(settings_for("https://id.example.org", client_secret="env:NO_SUCH"))
    (finding,) = await source.check()
    assert finding.level == "problem"
    assert "env:NO_SUCH" in finding.what
    assert finding.next_step


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"groups": ("engineering",)}, "no group path"),
        ({"attributes": ("email",)}, "custom attributes only"),
        ({"realm": "a/b"}, "realm"),
        ({"pagesize": 5}, "pagesize"),
        ({"client_secret": "hunter2"}, "never as itself"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(changed: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        settings_for("https://id.example.org", **changed)


async def test_every_request_is_one_that_keycloaks_description_allows(firm: Company):
    file = description_file("keycloak-admin-26.6.2.users-groups.json")
    api = ApiDescription.load(file, defects=DEFECTS, base_path="", closed=True)
    # The part of the description that is at hand does not cover the configuration of events, for which check() asks.
    judged = Judged(simulated(firm).app, api, ignored=("/realms/", f"/admin/realms/{REALM}/events/config"))
    with served(judged) as url:
        source = KeycloakSource(settings_for(url, page_size=100, member_page_size=7))
        await source.read()
        await source.check()
        await source.close()
    judged.verdict()
    prefix = "GET /admin/realms/{realm}"
    assert judged.operations.keys() == {
        f"{prefix}/users",
        f"{prefix}/users/count",
        f"{prefix}/groups",
        f"{prefix}/groups/count",
        f"{prefix}/groups/{{group-id}}/children",
        f"{prefix}/groups/{{group-id}}/members",
    }


async def test_a_group_named_by_its_path_that_is_gone_makes_also_the_look_for_groups_incomplete(firm: Company) -> None:
    kept, gone = list(firm.groups.values())[:2]
    with keycloak(firm) as (simulator, source):
        paths = [simulator.state.path(group) for group in (kept, gone)]
        await source.close()
    with keycloak(firm, groups=paths) as (_, source):
        assert (await source.find_groups([kept.name])).completeness.complete
        firm.rename_group(gone.id, "another name")
        found = await source.find_groups([kept.name])
        await source.close()
    assert found.groups["name"].to_list() == [kept.name]
    assert found.completeness.findings == (f"the realm has no group {paths[1]}, which the sync file names",)
