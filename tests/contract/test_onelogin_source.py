"""The OneLogin source against the simulated account, and its requests against the description of OneLogin's SDK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import parse_qs

import polars as pl
import pytest
from pydantic import ValidationError

from connectors.contract import CheckFinding
from connectors.sources.onelogin import OneLoginSettings, OneLoginSource
from connectors.sources.onelogin.frames import directory_groups
from directory.errors import CredentialsRefused, SourceUnavailable, SourceUnreadable
from sandbox.company import Company, GroupKind, Standing
from sandbox.faults import Fault, FaultKind
from sandbox.onelogin import OneLoginSimulator, Switches
from sandbox.population import company as found_company
from sandbox.serving import served
from tests import request_formulas
from tests.contract.judged import Judged
from tests.contract.onelogin_description import onelogin_description
from tests.contract.person_contract import HttpPersonContract
from tests.contract.source_contract import QUICK, HttpSourceContract, Sleeps, Stage

MARKED_SECRET = "MARKED-onelogin-secret-77b1"
CLIENT = "client-of-usersync"
USERS = "^/api/2/users$"
ROLES = "^/api/2/roles$"


def account(firm: Company, **switches: Any) -> OneLoginSimulator:
    chosen = {"clients": {CLIENT: MARKED_SECRET}, "calls_an_hour": 10**6, **switches}
    return OneLoginSimulator(firm, Switches(**chosen))


def settings_for(url: str, patch: pytest.MonkeyPatch, **given: Any) -> OneLoginSettings:
    patch.setenv("ONELOGIN_SECRET", MARKED_SECRET)
    return OneLoginSettings(url=url, client_id=CLIENT, client_secret="env:ONELOGIN_SECRET", **given)


class OneLoginContract(HttpSourceContract):
    paging: ClassVar[str]
    paths: ClassVar = {"people": USERS, "groups": ROLES, "members": USERS}

    @pytest.fixture(autouse=True)
    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        simulator = account(company, **({"most_users": 60, "most_roles": 7} if len(company.people) < 1000 else {}))
        with simulator.served() as url:
            source = OneLoginSource(settings_for(url, self.patch, paging=self.paging), retry=QUICK, sleep=sleeps)
            yield Stage(
                source=source,
                company=company,
                external_id=lambda person: str(simulator.state.user_id(person.id)),
                secrets=(MARKED_SECRET,),
                faults=simulator.faults,
                requests=lambda: len(simulator.requests),
                expire_credentials=simulator.expire_tokens,
                refuse_credentials=simulator.switches.clients.clear,
            )

    async def test_a_group_that_vanishes_between_its_listing_and_its_members_is_noticed(
        self, firm: Company, sleeps: Sleeps
    ) -> None:
        pytest.skip("does not apply: users bring their memberships, and no role is asked for its members")


class TestByCursor(OneLoginContract, HttpPersonContract):
    paging: ClassVar = "cursor"


class TestByPageNumber(OneLoginContract, HttpPersonContract):
    paging: ClassVar = "page"


# What only OneLogin has.


@contextmanager
def onelogin(
    firm: Company, patch: pytest.MonkeyPatch, *, switches: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[OneLoginSimulator, OneLoginSource]]:
    simulator = account(firm, **(switches or {}))
    with simulator.served() as url:
        yield simulator, OneLoginSource(settings_for(url, patch, **settings), retry=QUICK, sleep=Sleeps())


@pytest.fixture
def firm() -> Company:
    return found_company(people=250, groups=24)


def said_by(findings: list[CheckFinding]) -> str:
    return " | ".join(f"{finding.level}: {finding.what}; {finding.next_step}" for finding in findings)


@pytest.mark.parametrize(
    ("standing", "given", "active"),
    [
        (Standing.ACTIVE, {}, True),
        (Standing.LOCKED, {}, True),
        (Standing.LOCKED, {"active_statuses": (1,)}, False),
        (Standing.INVITED, {}, True),
        (Standing.SUSPENDED, {}, False),
        (Standing.STAGED, {}, False),
        (Standing.STAGED, {"active_statuses": (0, 1)}, False),
        (Standing.STAGED, {"active_statuses": (0, 1), "approved_states": (0, 1)}, True),
    ],
)
async def test_status_and_state_together_say_who_is_active(
    firm: Company, monkeypatch: pytest.MonkeyPatch, standing: Standing, given: dict[str, Any], active: bool
) -> None:
    person = firm.pick(1)[0]
    firm.set_standing(person.id, standing)
    with onelogin(firm, monkeypatch, **given) as (simulator, source):
        people = (await source.read()).people
        await source.close()
    user_id = str(simulator.state.user_id(person.id))
    assert people.filter(pl.col("external_id") == user_id)["active"].item() is active


async def test_a_cursor_is_decoded_once_and_sent_alone(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with onelogin(firm, monkeypatch) as (simulator, source):
        assert (await source.read()).completeness.complete
        asked = [parse_qs(seen.query) for seen in simulator.requests.to("/api/2/users")]
        await source.close()
    assert set(asked[0]) == {"limit", "fields"}
    assert [set(query) for query in asked[1:]] == [{"cursor"}, {"cursor"}]
    assert "%" not in asked[1]["cursor"][0]


async def test_pages_without_memberships_are_refused_and_never_taken_for_nobodys(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = {"cursor_keeps_fields": False}
    with onelogin(firm, monkeypatch, switches=forgetful) as (_, source):
        with pytest.raises(SourceUnreadable, match="without role_ids; set `paging: page`"):
            await source.read()
        await source.close()
    with onelogin(firm, monkeypatch, switches=forgetful, paging="page") as (_, source):
        assert (await source.read()).completeness.complete
        await source.close()


async def test_directory_groups_are_read_from_the_text_that_names_them(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.rename_group(next(iter(firm.groups)), "Sales, North; East")
    with onelogin(firm, monkeypatch, groups_from="member_of") as (simulator, source):
        snapshot = await source.read()
        await source.close()
    peopled = {key: group for key, group in firm.groups.items() if firm.effective_members(key)}
    assert snapshot.completeness.complete
    assert sorted(snapshot.groups["name"]) == sorted(group.name for group in peopled.values())
    names = dict(snapshot.groups.select("group_id", "name").iter_rows())
    found = {(names[group], member) for group, member, _ in snapshot.memberships.iter_rows()}
    assert found == {
        (group.name, str(simulator.state.user_id(person)))
        for key, group in peopled.items()
        for person in firm.effective_members(key)
    }
    assert not simulator.requests.to("/api/2/roles")


def test_what_is_no_distinguished_name_is_a_group_of_that_name() -> None:
    assert directory_groups("cn=a\\;b,dc=x; Plain ;;CN=c") == {"cn=a\\;b,dc=x": "a;b", "Plain": "Plain", "CN=c": "c"}
    assert directory_groups(None) == {}


async def test_everybody_has_at_most_one_group_of_onelogins_own(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.onelogin.simulator.GROUPS_PAGE", 1)
    with onelogin(firm, monkeypatch, groups_from="group") as (simulator, source):
        snapshot = await source.read()
        await source.close()
    offices = sorted(group.name for group in firm.groups.values() if group.kind is GroupKind.OFFICE)
    assert len(offices) > 1
    assert snapshot.completeness.complete
    assert sorted(snapshot.groups["name"]) == offices
    assert snapshot.memberships["member_id"].is_unique().all()
    assert snapshot.memberships.height > 0
    assert len(simulator.requests.to("/api/1/groups")) == len(offices)


@pytest.mark.parametrize("kind", [FaultKind.LOST_ROW, FaultKind.EARLY_END])
async def test_a_list_that_is_short_is_read_again_and_then_told(
    firm: Company, monkeypatch: pytest.MonkeyPatch, kind: FaultKind
) -> None:
    with onelogin(firm, monkeypatch) as (simulator, source):
        simulator.faults.add(Fault(kind, USERS))
        once = await source.read()
        simulator.faults.add(Fault(kind, USERS, times=100))
        always = await source.read()
        await source.close()
    assert once.completeness.complete
    (finding,) = always.completeness.findings
    assert "OneLogin counts 250 users" in finding


async def test_somebody_who_leaves_between_two_pages_makes_it_read_again(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(firm.people))
    with onelogin(firm, monkeypatch) as (simulator, source):
        gone = Fault(FaultKind.CHANGE, USERS, skip=1, change=lambda: firm.erase(first))
        simulator.faults.add(gone)
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert set(snapshot.people["external_id"]) == {str(simulator.state.user_id(key)) for key in firm.people}


async def test_somebody_who_joins_between_two_pages_is_read_at_the_end(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with onelogin(firm, monkeypatch) as (simulator, source):
        simulator.faults.add(Fault(FaultKind.CHANGE, USERS, skip=1, change=lambda: firm.hire(1)))
        snapshot = await source.read()
        asked = len(simulator.requests.to("/api/2/users"))
        await source.close()
    assert snapshot.completeness.complete
    assert snapshot.people.height == 251
    assert asked == 3


async def test_a_role_that_is_not_listed_makes_the_read_incomplete(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = next(key for key in firm.groups if firm.effective_members(key) and not firm.below[key])
    with onelogin(firm, monkeypatch) as (simulator, source):
        simulator.faults.add(Fault(FaultKind.CHANGE, ROLES, change=lambda: firm.close_group(role)))
        role_id = str(simulator.state.role_id(role))
        snapshot = await source.read()
        await source.close()
    (finding,) = snapshot.completeness.findings
    assert role_id in finding


@pytest.mark.parametrize(("least", "starts"), [(0, True), (100, True), (101, False)])
async def test_a_run_does_not_start_with_fewer_calls_left_than_wanted(
    firm: Company, monkeypatch: pytest.MonkeyPatch, least: int, starts: bool
) -> None:
    switches = {"calls_an_hour": 100}
    with onelogin(firm, monkeypatch, switches=switches, minimum_calls_left=least) as (simulator, source):
        if starts:
            assert (await source.read()).completeness.complete
        else:
            with pytest.raises(SourceUnavailable, match="100 of 100 API calls are left in this hour") as caught:
                await source.read()
            assert "minutes" in str(caught.value.next_step)
        asked = len(simulator.requests.to("/auth/rate_limit"))
        users = len(simulator.requests.to("/api/2/users"))
        await source.close()
    assert asked == (1 if least else 0)
    assert bool(users) is starts


async def test_people_carry_the_attributes_asked_for(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    person = firm.pick(1)[0]
    attributes = ["title", "custom_attributes.bitbucket_name", "custom_attributes.missing"]
    with onelogin(firm, monkeypatch, attributes=attributes) as (simulator, source):
        people = (await source.read()).people
        await source.close()
    user_id = str(simulator.state.user_id(person.id))
    row = people.row(by_predicate=pl.col("external_id") == user_id, named=True)
    assert (row["title"], row["bitbucket_name"], row["missing"]) == (person.title, person.username, None)
    assert (row["username"], row["display_name"]) == (person.username, person.display_name)
    assert "department" not in people.columns


async def test_the_number_of_requests_is_what_the_pages_need(monkeypatch: pytest.MonkeyPatch) -> None:
    firm = found_company(people=1500, groups=30)
    with onelogin(firm, monkeypatch, minimum_calls_left=10) as (simulator, source):
        snapshot = await source.read()
        await source.close()
    token, lists = 1, request_formulas.onelogin(1500, 30, asks_what_is_left=True)
    assert snapshot.requests == len(simulator.requests) == token + lists


async def test_check_says_how_many_there_are_and_how_many_calls_are_left(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = ["custom_attributes.bitbucket_name", "custom_attributes.missing"]
    switches = {"calls_an_hour": 6}
    with onelogin(firm, monkeypatch, attributes=attributes, switches=switches) as (_, source):
        said = said_by(await source.check())
        await source.close()
    assert "ok: the credentials work; OneLogin counts 250 users" in said
    assert "ok: 24 roles may be read" in said
    assert "none of 50 users has a value for custom_attributes.missing" in said
    assert "note: 4 of 6 API calls are left in this hour; a run takes about 6" in said


async def test_check_tells_a_missing_scope_from_a_wrong_secret(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with onelogin(firm, monkeypatch) as (simulator, source):
        simulator.switches.scopes_missing = True
        missing = said_by(await source.check())
        await source.close()
        simulator.switches.clients[CLIENT] = "other"
        simulator.expire_tokens()
        wrong = said_by(await source.check())
        with pytest.raises(CredentialsRefused):
            await source.read()
        await source.close()
    assert "may not do this" in missing
    assert "check client_id and client_secret" in wrong


async def test_check_names_a_secret_that_is_not_there() -> None:
    settings = OneLoginSettings(url="https://example.onelogin.com", client_id="a", client_secret="env:NO_SUCH")
    (finding,) = await OneLoginSource(settings).check()
    assert "env:NO_SUCH" in finding.what
    assert finding.next_step


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "https://example.onelogin.com/api/2"}, "address alone"),
        ({"url": "example.onelogin.com"}, "looks like https://example.onelogin.com"),
        ({"client_secret": "abc"}, "never as itself"),
        ({"attributes": ["status"]}, "cannot be carried as status"),
        ({"attributes": ["title", "custom_attributes.title"]}, "two attributes end alike"),
        ({"attributes": ["custom_attributes"]}, "is no attribute"),
    ],
)
def test_a_mistake_is_told_in_words(given: dict[str, Any], said: str) -> None:
    right = {"url": "https://example.onelogin.com", "client_id": "a", "client_secret": "env:X"}
    with pytest.raises(ValidationError, match=said):
        OneLoginSettings.model_validate({**right, **given})


async def test_every_request_is_one_that_the_description_allows(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = account(firm)
    judged = Judged(simulator.app, onelogin_description(), ignored=("/sandbox/", "/auth/oauth2/"))
    with served(judged) as url:
        for groups_from in ("roles", "group"):
            source = OneLoginSource(settings_for(url, monkeypatch, groups_from=groups_from, minimum_calls_left=1))
            await source.read()
            await source.check()
            await source.close()
    judged.verdict()
    assert judged.operations.keys() == {
        "GET /api/2/users",
        "GET /api/2/roles",
        "GET /api/1/groups",
        "GET /auth/rate_limit",
    }
