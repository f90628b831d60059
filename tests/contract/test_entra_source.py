"""The Entra source against the simulated tenant, and its requests against Graph's own API description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest

from connectors.sources.entra import EntraSettings, EntraSource, api
from directory.errors import CredentialsRefused, SourceUnreadable
from sandbox.company import Company, Person
from sandbox.faults import Fault, FaultKind
from sandbox.graph import GraphSimulator, RegisteredApp
from sandbox.graph.documents import EXTENSION
from sandbox.graph.state import Link
from sandbox.graph.switches import CLIENT_ID
from sandbox.population import company as found_company
from sandbox.serving import served
from tests import request_formulas
from tests.contract.api_description import ApiDescription, description_file
from tests.contract.entra_stage import CERTIFICATE, MARKED_SECRET, PRIVATE, THUMBPRINT, entra, settings_for, tenant
from tests.contract.judged import Judged
from tests.contract.person_contract import HttpPersonContract, assert_one
from tests.contract.source_contract import QUICK, HttpSourceContract, Sleeps, Stage
from tests.contract.test_graph_simulator_spec import ALIASES, DEFECTS


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRA_SECRET", MARKED_SECRET)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Enough for several pages of each list; Graph's own size is right where whole sizes matter."""
    if not any(word in request.node.name for word in ("large", "pages_need")):
        monkeypatch.setattr(api, "PAGE", 20)
        monkeypatch.setattr("connectors.sources.entra.members.PAGE", 9)


def stage_of(simulator: GraphSimulator, source: EntraSource, **rest: Any) -> Stage:
    firm = simulator.company
    return Stage(
        source=source,
        company=firm,
        external_id=lambda person: simulator.state.user_id(person.id),
        faults=simulator.faults,
        requests=lambda: len(simulator.requests),
        expire_credentials=simulator.expire_tokens,
        refuse_credentials=simulator.refuse_everybody,
        tie_a_knot=lambda: _tie(simulator),
        **rest,
    )


def _tie(simulator: GraphSimulator) -> None:
    child = next(group for group in simulator.company.groups.values() if group.parent is not None)
    assert child.parent is not None
    simulator.state.nest(child.id, child.parent)


class EntraContract(HttpSourceContract):
    nests = True
    paths: ClassVar = {"people": "^/v1.0/users$", "groups": "^/v1.0/groups$", "members": "^/v1.0/groups/[^/]+/members$"}


class TestWithClientSecret(EntraContract, HttpPersonContract):
    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        simulator = tenant(company)
        with simulator.served() as url:
            source = EntraSource(settings_for(url), retry=QUICK, sleep=sleeps)
            yield stage_of(simulator, source, secrets=(MARKED_SECRET,))


class TestWithCertificate(EntraContract):
    @pytest.fixture(autouse=True)
    def _pem(self, tmp_path: Path) -> None:
        self.pem = tmp_path / "entra.pem"
        self.pem.write_text(PRIVATE + CERTIFICATE)

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        simulator = tenant(company)
        with simulator.served() as url:
            source = EntraSource(settings_for(url, certificate=f"file:{self.pem}"), retry=QUICK, sleep=sleeps)
            yield stage_of(simulator, source, secrets=(PRIVATE, PRIVATE.splitlines()[5]))


# What only Entra has.


@pytest.fixture
def firm() -> Company:
    return found_company(people=450, groups=24)


def row_of(people: pl.DataFrame, simulator: GraphSimulator, person: Person) -> dict[str, Any]:
    return people.row(by_predicate=pl.col("external_id") == simulator.state.user_id(person.id), named=True)


async def test_people_carry_names_and_the_attributes_asked_for(firm: Company):
    person = firm.employed()[-1]
    attributes = {
        "alias": EXTENSION,
        "number": "extensionAttribute1",
        "division": "employeeOrgData.division",
        "mails": "proxyAddresses",
        "boss": "manager",
        "nothing": "extension_0000_nothing",
    }
    with entra(firm, attributes=attributes) as (simulator, source, _):
        snapshot = await source.read()
        row = row_of(snapshot.people, simulator, person)
        boss = simulator.state.users()[str(simulator.state.manager_of(person))]
        await source.close()
    assert snapshot.completeness.complete
    assert (row["username"], row["email"], row["given_name"], row["family_name"], row["user_type"]) == (
        person.login,
        person.email,
        person.first,
        person.last,
        "Member",
    )
    assert (row["alias"], row["number"], row["boss"]) == (person.username, person.employee_number, boss.login)
    assert row["mails"] == [f"SMTP:{person.email}"]
    assert row["division"] is row["nothing"] is None


async def test_groups_within_groups_are_memberships_and_not_flattened(firm: Company):
    with entra(firm) as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    nested = snapshot.memberships.filter("member_is_group").select("group_id", "member_id").rows()
    ids = simulator.state.group_id
    assert set(nested) == {(ids(group.parent), ids(group.id)) for group in firm.groups.values() if group.parent}
    assert nested


async def test_what_is_no_person_is_no_member_and_no_reason_to_doubt(firm: Company):
    group = firm.group("bb-project-aurora").id
    with entra(firm) as (simulator, source, _):
        for kind in ("device", "servicePrincipal", "orgContact"):
            simulator.state.add(Link(simulator.state.group_id(group), f"0000-{kind}", kind))
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.findings == ()
    members = snapshot.memberships.filter(pl.col("group_id") == simulator.state.group_id(group))["member_id"]
    assert set(members) == {simulator.state.user_id(key) for key in firm.direct[group]}


async def test_guests_may_be_left_out_and_then_are_members_of_nothing(firm: Company):
    guest = next(person for person in firm.employed() if firm.memberships[person.id])
    guests = {"is_guest": lambda person: person.id == guest.id}
    with entra(firm, switches=guests) as (simulator, source, _):
        assert "#EXT#" in row_of((await source.read()).people, simulator, guest)["username"]
        await source.close()
    with entra(firm, switches=guests, guests="exclude") as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert snapshot.people.height == len(firm.people) - 1
    assert simulator.state.user_id(guest.id) not in set(snapshot.memberships["member_id"])


async def test_a_filter_of_groups_brings_the_groups_within_them_along(firm: Company):
    parent = next(group for group in firm.groups.values() if group.parent is None and firm.below[group.id])
    with entra(firm, groups_filter=f"displayName eq '{parent.name}'") as (_, source, _sleeps):
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert set(snapshot.groups["name"]) == {firm.groups[key].name for key in firm.subtree(parent.id)}


async def test_an_advanced_filter_is_sent_as_an_advanced_query(firm: Company):
    with entra(firm, groups_filter="endsWith(displayName,'aurora')", verify_counts=False) as (_, source, _sleeps):
        snapshot = await source.read()
        await source.close()
    assert snapshot.groups["name"].to_list() == ["bb-project-aurora"]


@pytest.mark.parametrize(("status", "headers", "wait"), [(429, {"retry-after": "0.249"}, 0.249), (503, {}, 1.0)])
async def test_only_the_request_that_was_throttled_inside_a_batch_is_sent_again(
    firm: Company, status: int, headers: dict[str, str], wait: float
):
    with entra(firm) as (simulator, source, sleeps):
        simulator.faults.add(Fault(FaultKind.STATUS, "/members$", status=status, headers=headers, skip=4))
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    asked = [url for url in simulator.batched if "skiptoken" not in url]
    assert len(asked) == len(firm.groups) + 1
    assert len(set(asked)) == len(firm.groups)
    assert max(sleeps) == pytest.approx(wait, abs=4.1 if status == 503 else 0.05)


async def test_the_budget_of_resource_units_is_waited_for():
    firm = found_company(people=200, groups=60)
    simulator = tenant(firm, resource_units=80, window_seconds=1.0)
    with simulator.served() as url:
        source = EntraSource(settings_for(url))
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert simulator.units.spent > 80


async def test_the_number_of_requests_is_what_the_pages_need():
    firm = found_company(people=2500, groups=90)
    with entra(firm) as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    sizes = [len(simulator.state.members(group)) for group in simulator.state.groups()]
    token = 1
    assert snapshot.requests == len(simulator.requests) == token + request_formulas.entra(2500, sizes)


@pytest.mark.parametrize("kind", [FaultKind.EARLY_END, FaultKind.LOST_ROW])
async def test_counts_that_are_not_met_are_findings(firm: Company, kind: FaultKind):
    for path, said in (("/users$", "users, but only"), ("/groups$", "groups, but only")):
        with entra(firm) as (simulator, source, _):
            simulator.faults.add(Fault(kind, path))
            snapshot = await source.read()
            await source.close()
        assert any(said in finding for finding in snapshot.completeness.findings)


async def test_members_who_are_in_no_list_are_looked_up_and_said(firm: Company):
    with entra(firm, verify_counts=False) as (simulator, source, _):
        simulator.faults.add(Fault(FaultKind.LOST_ROW, "/users$", times=3))
        snapshot = await source.read()
        await source.close()
    (finding,) = snapshot.completeness.findings
    assert "members of groups are not in the list of users" in finding
    assert snapshot.people.height == len(firm.people)


async def test_an_order_that_changes_in_the_middle_is_noticed(firm: Company):
    with entra(firm) as (simulator, source, _):

        def shuffle() -> None:
            simulator.switches.ordering = "another"

        simulator.faults.add(Fault(FaultKind.CHANGE, "^/v1.0/users$", skip=9, change=shuffle))
        snapshot = await source.read()
        await source.close()
    assert not snapshot.completeness.complete


async def test_somebody_who_joins_in_the_middle_is_in_or_out_but_no_finding(firm: Company):
    with entra(firm) as (simulator, source, _):
        change = Fault(FaultKind.CHANGE, "/members$", skip=3, change=lambda: firm.hire(3))
        simulator.faults.add(change)
        snapshot = await source.read()
        await source.close()
    assert not [finding for finding in snapshot.completeness.findings if "members of groups" in finding]


async def test_check_says_what_the_token_may_do_and_what_the_filter_finds(firm: Company):
    with entra(firm, groups_filter="startswith(displayName,'bb-project-')") as (simulator, source, _):
        simulator.register(
            RegisteredApp(CLIENT_ID, {MARKED_SECRET}, roles=frozenset({"Directory.Read.All", "User.ReadWrite.All"}))
        )
        findings = await source.check()
        await source.close()
    said = " | ".join(f"{finding.level}: {finding.what}" for finding in findings)
    count = sum(group.name.startswith("bb-project-") for group in firm.groups.values())
    assert f"groups_filter finds {count}, such as bb-project-" in said
    assert "ok: the token carries Directory.Read.All, User.ReadWrite.All" in said
    assert "note: the token may do more than read: User.ReadWrite.All" in said
    assert "when the client secret expires cannot be seen" in said
    assert "problem" not in said


@pytest.mark.parametrize(
    ("settings", "said", "step"),
    [
        ({"attributes": ["departement"]}, "users have no property departement", "correct `attributes`"),
        ({"groups_filter": "name eq 'x'"}, "cannot filter groups by name", "displayName"),
        ({"groups_filter": "displayName eq bb"}, "cannot read the filter", "single quotes"),
        ({"groups_filter": "displayName eq 'none'"}, "groups_filter finds no group", "groups_filter"),
    ],
)
async def test_check_explains_a_refusal_in_plain_words(firm: Company, settings: dict[str, Any], said: str, step: str):
    with entra(firm, **settings) as (_, source, _sleeps):
        findings = await source.check()
        await source.close()
    (problem,) = [finding for finding in findings if finding.level == "problem"]
    assert said in problem.what
    assert problem.next_step is not None
    assert step in problem.next_step


@pytest.mark.parametrize("settings", [{"groups_filter": "name eq 'x'"}, {"attributes": ["departement"]}])
async def test_a_read_that_graph_refuses_leads_to_check(firm: Company, settings: dict[str, Any]):
    with entra(firm, **settings) as (_, source, _sleeps):
        for read in (source.read, source.read_all):
            with pytest.raises(SourceUnreadable) as caught:
                await read()
            assert caught.value.next_step is not None
            assert "usersync check" in caught.value.next_step
        await source.close()


async def test_check_names_the_permissions_that_the_token_lacks(firm: Company):
    with entra(firm) as (simulator, source, _):
        simulator.register(RegisteredApp(CLIENT_ID, {MARKED_SECRET}, roles=frozenset({"User.Read.All"})))
        findings = await source.check()
        with pytest.raises(CredentialsRefused):
            await source.read()
        await source.close()
    problems = [finding.what for finding in findings if finding.level == "problem"]
    assert any("the token lacks GroupMember.Read.All" in what for what in problems)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"tenant_id": "elsewhere.example"}, "tenant_id"),
        ({"client_id": "0000"}, "client_id"),
    ],
)
async def test_a_token_that_is_not_given_says_what_to_correct(firm: Company, change: dict[str, str], hint: str):
    simulator = tenant(firm)
    with simulator.served() as url:
        settings = EntraSettings(**{**settings_for(url).model_dump(), **change})
        source = EntraSource(settings, retry=QUICK)
        (finding,) = await source.check()
        await source.close()
    assert finding.level == "problem"
    assert "AADSTS" in finding.what
    assert finding.next_step is not None
    assert hint in finding.next_step


async def test_a_key_alone_is_enough_where_the_thumbprint_is_given(firm: Company, tmp_path: Path):
    pem = tmp_path / "key.pem"
    pem.write_text(PRIVATE)
    with entra(firm, certificate=f"file:{pem}", thumbprint=THUMBPRINT.upper()) as (_, source, _sleeps):
        findings = await source.check()
        await source.close()
    assert not [finding for finding in findings if finding.level != "ok"]


@pytest.mark.parametrize("attributes", [("title", "department"), ("manager", "extensionAttribute3")])
async def test_every_request_is_one_that_graphs_description_allows(firm: Company, attributes: tuple[str, ...]):
    file = description_file("msgraph-v1.0.users-groups.openapi.json")
    described = ApiDescription.load(file, defects=DEFECTS, aliases=ALIASES)
    simulator = tenant(firm)
    judged = Judged(simulator.app, described, ignored=("/sandbox/", "/v1.0/$batch", f"/{simulator.switches.tenant}/"))
    simulator.faults.add(Fault(FaultKind.LOST_ROW, "^/v1.0/users$", skip=1))  # so that users are looked up as well
    simulator.faults.add(Fault(FaultKind.LOST_ROW, "/members$"))
    wanted = tuple(name for name in attributes if name != "title")
    with served(judged) as url:
        settings = settings_for(url, attributes=wanted, groups_filter="startswith(displayName,'bb-')")
        source = EntraSource(settings, retry=QUICK)
        await source.read()
        await source.check()
        await source.close()
    judged.verdict()
    for address in simulator.batched:
        path, _, query = address.partition("?")
        described.check_request("GET", path, query)
    assert any(address.startswith("/users/") for address in simulator.batched)
    assert judged.operations.keys() >= {"GET /users", "GET /groups"}


async def test_one_person_is_in_the_groups_that_the_filter_finds_and_in_those_within(firm: Company) -> None:
    simulator = tenant(firm)
    with simulator.served() as url:
        everything = EntraSource(settings_for(url), retry=QUICK, sleep=Sleeps())
        nested = next(group for group in firm.groups.values() if group.parent is not None)
        parent = firm.groups[str(nested.parent)]
        person = next(one for one in firm.employed() if nested.id in firm.memberships[one.id])
        source = EntraSource(
            settings_for(url, groups_filter=f"startswith(displayName,'{parent.name}')"), retry=QUICK, sleep=Sleeps()
        )
        whole = await source.read()
        external_id = simulator.state.user_id(person.id)
        assert_one(await source.read_person(external_id, by_id=True), whole, external_id)
        found = await source.find_groups([group.name for group in firm.groups.values()])
        assert found.groups.sort("group_id").equals(whole.groups.sort("group_id"))
        assert found.groups.height < (await everything.read()).groups.height
        await source.close()
        await everything.close()
