"""The Okta source against the simulated organisation, and its requests against Okta's own API description."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import polars as pl
import pytest
from joserfc import jwk

from connectors.sources.okta import OktaSettings, OktaSource
from directory.errors import CredentialsRefused
from sandbox.company import Company, Standing
from sandbox.faults import Fault, FaultKind
from sandbox.okta import OktaSimulator, ServiceApp, Switches
from sandbox.population import company as found_company
from sandbox.serving import served
from tests import request_formulas
from tests.contract.api_description import ApiDescription, description_file
from tests.contract.judged import Judged
from tests.contract.person_contract import HttpPersonContract
from tests.contract.source_contract import QUICK, HttpSourceContract, Sleeps, Stage
from tests.contract.test_okta_simulator_spec import DEFECTS

KEY = jwk.RSAKey.generate_key(2048, {"kid": "key-1"})
MARKED_TOKEN = "00MARKED-ssws-token-8d1f"
NO_LIMITS = dict.fromkeys(("users", "user", "groups", "group", "token", "other"), 10**6)


def pages_for(firm: Company) -> dict[str, int]:
    """Small enough for several of each."""
    return {"groups_page": 7, "members_page": 9} if len(firm.people) < 1000 else {}


def organisation(firm: Company, **switches: Any) -> OktaSimulator:
    simulator = OktaSimulator(firm, Switches(limits=NO_LIMITS, ssws_tokens={MARKED_TOKEN}, **switches))
    simulator.register(ServiceApp("0oaSync", (KEY.as_dict(private=False),)))
    return simulator


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OKTA_TOKEN", MARKED_TOKEN)
    return "env:OKTA_TOKEN"


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "okta.pem"
    path.write_bytes(KEY.as_pem(private=True))
    return f"file:{path}"


def stage_of(simulator: OktaSimulator, source: OktaSource, **rest: Any) -> Stage:
    return Stage(
        source=source,
        company=simulator.company,
        external_id=lambda person: simulator.state.user_id(person.id),
        faults=simulator.faults,
        requests=lambda: len(simulator.requests),
        **rest,
    )


class OktaContract(HttpSourceContract):
    paths: ClassVar = {
        "people": "^/api/v1/users$",
        "groups": "^/api/v1/groups$",
        "members": "^/api/v1/groups/[^/]+/users$",
    }
    cannot_notice: ClassVar = {
        (kind, "groups"): "Okta gives no count of groups, so a group that its list leaves out cannot be missed"
        for kind in (FaultKind.EARLY_END, FaultKind.LOST_ROW, FaultKind.CHANGED_ORDER)
    }


class TestWithApiToken(OktaContract, HttpPersonContract):
    @pytest.fixture(autouse=True)
    def _token(self, token: str) -> None:
        self.token = token

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        simulator = organisation(company)
        with simulator.served() as url:
            settings = OktaSettings(url=url, token=self.token, **pages_for(company))
            yield stage_of(
                simulator,
                OktaSource(settings, retry=QUICK, sleep=sleeps),
                secrets=(MARKED_TOKEN,),
                refuse_credentials=simulator.switches.ssws_tokens.clear,
            )


class TestWithServiceApp(OktaContract, HttpPersonContract):
    @pytest.fixture(autouse=True)
    def _key(self, key_file: str) -> None:
        self.key_file = key_file

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        simulator = organisation(company)
        with simulator.served() as url:
            settings = OktaSettings(
                url=url, client_id="0oaSync", private_key=self.key_file, key_id="key-1", **pages_for(company)
            )
            private = KEY.as_pem(private=True).decode()
            yield stage_of(
                simulator,
                OktaSource(settings, retry=QUICK, sleep=sleeps),
                secrets=(private, private.splitlines()[5]),
                expire_credentials=simulator.expire_tokens,
                refuse_credentials=simulator.authorization.apps.clear,
            )


# What only Okta has.


@contextmanager
def okta(
    firm: Company, token: str, *, switches: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[OktaSimulator, OktaSource, Sleeps]]:
    simulator, sleeps = organisation(firm, **(switches or {})), Sleeps()
    with simulator.served() as url:
        source = OktaSource(OktaSettings(url=url, token=token, **settings), retry=QUICK, sleep=sleeps)
        yield simulator, source, sleeps


@pytest.fixture
def firm() -> Company:
    return found_company(people=450, groups=24)


@pytest.mark.parametrize(
    ("standing", "active"),
    [
        (Standing.ACTIVE, True),
        (Standing.INVITED, True),
        (Standing.LOCKED, True),
        (Standing.PASSWORD_EXPIRED, True),
        (Standing.RECOVERING, True),
        (Standing.STAGED, False),
        (Standing.SUSPENDED, False),
        (Standing.LEFT, False),
    ],
)
async def test_each_status_is_active_or_not(firm: Company, token: str, standing: Standing, active: bool):
    person = firm.pick(1)[0]
    firm.set_standing(person.id, standing)
    with okta(firm, token) as (simulator, source, _):
        people = (await source.read()).people
        row = people.row(by_predicate=pl.col("external_id") == simulator.state.user_id(person.id), named=True)
        await source.close()
    assert row["active"] is active


async def test_people_carry_names_and_the_attributes_asked_for(firm: Company, token: str):
    person = firm.pick(1)[0]
    attributes = {
        "alias": "bitbucketName",
        "tools": "tools",
        "remote": "worksRemotely",
        "none": "mobilePhone",
    }
    with okta(firm, token, attributes=attributes) as (simulator, source, _):
        people = (await source.read()).people
        row = people.row(by_predicate=pl.col("external_id") == simulator.state.user_id(person.id), named=True)
        asked = [seen.query for seen in simulator.requests.to("/api/v1/users")]
        await source.close()
    assert row["username"] == person.login
    assert (row["given_name"], row["family_name"], row["display_name"]) == (
        person.first,
        person.last,
        person.display_name,
    )
    assert row["alias"] == person.username
    assert row["tools"] == ["git", person.department.lower()]
    assert row["remote"] == str(int(person.employee_number) % 3 == 0).lower()
    assert row["none"] is None
    assert "badgeNumber" not in asked[0]
    assert "fields=id,status,profile:(login" in unquote(asked[0])


async def test_all_attributes_may_be_carried(firm: Company, token: str):
    with okta(firm, token, attributes="all") as (simulator, source, _):
        people = (await source.read()).people
        assert "fields" not in simulator.requests.to("/api/v1/users")[0].query
        await source.close()
    assert {"badgeNumber", "tools", "worksRemotely", "bitbucketName", "department", "title"} <= set(people.columns)
    assert people["badgeNumber"].str.contains(r"^5\d{5}$").all()


async def test_everyone_is_derived_and_never_asked_for(firm: Company, token: str):
    with okta(firm, token, include_builtin=True) as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    everyone = snapshot.groups.row(by_predicate=pl.col("name") == "Everyone", named=True)["group_id"]
    assert not simulator.requests.to(f"/api/v1/groups/{everyone}/users")
    members = snapshot.memberships.filter(snapshot.memberships["group_id"] == everyone)["member_id"]
    employed = {simulator.state.user_id(person.id) for person in firm.employed()}
    assert set(members) == employed


async def test_groups_may_be_chosen_by_the_start_of_their_name(firm: Company, token: str):
    with okta(firm, token, group_prefix="bb-project-") as (_, source, _):
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    expected = sorted(group.name for group in firm.groups.values() if group.name.startswith("bb-project-"))
    assert sorted(snapshot.groups["name"]) == expected
    assert expected


async def test_a_narrower_search_leaves_people_out_on_purpose(firm: Company, token: str):
    department = firm.employed()[0].department
    with okta(firm, token, search=f'profile.department eq "{department}"') as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    chosen = {simulator.state.user_id(person.id) for person in firm.people.values() if person.department == department}
    assert snapshot.completeness.complete
    assert set(snapshot.people["external_id"]) == chosen
    assert set(snapshot.memberships["member_id"]) <= chosen
    assert not [seen for seen in simulator.requests if seen.path.startswith("/api/v1/users/")]


async def test_a_joiner_whom_the_search_index_does_not_know_yet_is_looked_up(token: str):
    firm = found_company(people=300, groups=12)
    joiners = firm.hire(3)
    with okta(firm, token, switches={"search_lag_seconds": 30.0}) as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    ids = {simulator.state.user_id(person.id) for person in joiners}
    assert snapshot.completeness.complete
    assert ids <= set(snapshot.people["external_id"])
    assert len([seen for seen in simulator.requests if seen.path.startswith("/api/v1/users/")]) == 3


@pytest.mark.parametrize("skip", [0, 1])
async def test_people_of_long_standing_who_are_not_listed_make_the_read_incomplete(
    firm: Company, token: str, skip: int
):
    with okta(firm, token) as (simulator, source, _):
        simulator.faults.add(Fault(FaultKind.LOST_ROW, "^/api/v1/users$", skip=skip))
        snapshot = await source.read()
        await source.close()
    (finding,) = snapshot.completeness.findings
    assert "1 users are in groups but not in it" in finding
    assert snapshot.people.height == len(firm.people)


async def test_a_group_administrator_who_does_not_see_everyone_can_read_all_the_same(firm: Company, token: str):
    with okta(firm, token, switches={"everyone_visible": False}) as (_, source, _):
        snapshot = await source.read()
        findings = await source.check()
        await source.close()
    assert snapshot.completeness.complete
    assert any(finding.level == "note" and "Everyone is not in sight" in finding.what for finding in findings)


async def test_the_number_of_requests_is_what_the_pages_need(token: str):
    firm = found_company(people=1500, groups=30)
    with okta(firm, token, groups_page=20, members_page=50) as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    sizes = [len(firm.effective_members(group)) for group in firm.groups]
    lists = request_formulas.okta(1500, sizes, groups_page=20, members_page=50)
    assert snapshot.requests == len(simulator.requests) == lists


async def test_the_whole_budget_of_a_window_is_used_without_a_refusal(token: str):
    # Real waiting: two windows of two seconds.
    firm = found_company(people=60, groups=40)
    switches = Switches(limits={**NO_LIMITS, "group": 40}, window_seconds=2, ssws_tokens={MARKED_TOKEN})
    simulator = OktaSimulator(firm, switches)
    with simulator.served() as url:
        source = OktaSource(OktaSettings(url=url, token=token, budget_share=1.0))
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert 429 not in simulator.requests.statuses()


async def test_a_minutes_wait_for_the_reset_is_waited_and_not_given_up(firm: Company, token: str):
    reset = int(time.time()) + 60
    headers = {"x-rate-limit-limit": "600", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
    with okta(firm, token) as (simulator, source, sleeps):
        simulator.faults.add(Fault(FaultKind.STATUS, "^/api/v1/groups$", status=429, headers=headers))
        assert (await source.read()).completeness.complete
        await source.close()
    assert max(sleeps) == pytest.approx(60, abs=3)


async def test_too_many_at_a_time_is_waited_out_in_seconds(firm: Company, token: str):
    reset = int(time.time()) + 60
    headers = {"x-rate-limit-limit": "0", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
    with okta(firm, token) as (simulator, source, sleeps):
        simulator.faults.add(Fault(FaultKind.STATUS, "/users$", status=429, headers=headers, times=3))
        assert (await source.read()).completeness.complete
        await source.close()
    assert sleeps
    assert all(1 <= seconds <= 2 for seconds in sleeps)


async def test_check_says_what_works_and_how_many_there_are(firm: Company, token: str):
    with okta(firm, token, attributes=["department", "bitbucketName", "nickname"]) as (_, source, _):
        findings = await source.check()
        await source.close()
    said = " | ".join(f"{finding.level}: {finding.what}" for finding in findings)
    assert "ok: the API token is accepted and may read users" in said
    assert "ok: groups may be read" in said
    assert f"Okta counts {len(firm.employed())} users who are not deactivated" in said
    assert "problem: Okta's default user profile has no attribute nickname" in said


async def test_check_tells_a_missing_permission_from_a_refused_token(firm: Company, token: str):
    with okta(firm, token) as (simulator, source, _):
        simulator.switches.ssws_tokens.clear()
        simulator.switches.ssws_tokens_without_role.add(MARKED_TOKEN)
        missing = await source.check()
        simulator.switches.ssws_tokens_without_role.clear()
        refused = await source.check()
        await source.close()
    assert [finding.level for finding in missing[:2]] == ["problem", "problem"]
    assert "may not do this" in missing[0].what
    assert len(refused) == 1
    assert "refused our credentials" in refused[0].what


@pytest.mark.parametrize("missing", ["variable", "key"])
async def test_check_names_a_secret_that_is_not_there(missing: str):
    variable = {"token": "env:NO_SUCH"}
    app = {"client_id": "0oa", "private_key": "file:/nowhere/key.pem"}
    settings = OktaSettings(url="https://example.okta.com", **(variable if missing == "variable" else app))
    (finding,) = await OktaSource(settings).check()
    assert finding.level == "problem"
    assert ("env:NO_SUCH" if missing == "variable" else "file:/nowhere/key.pem") in finding.what
    assert finding.next_step


async def test_an_app_that_demands_dpop_is_explained_in_plain_words(firm: Company, key_file: str):
    simulator = organisation(firm, require_dpop=True)
    with simulator.served() as url:
        source = OktaSource(OktaSettings(url=url, client_id="0oaSync", private_key=key_file, key_id="key-1"))
        (finding,) = await source.check()
        with pytest.raises(CredentialsRefused, match="DPoP"):
            await source.read()
        await source.close()
    assert finding.next_step is not None
    assert "clear 'Require Demonstrating Proof of Possession" in finding.next_step


async def test_a_short_token_is_renewed_ahead_of_its_end(key_file: str):
    simulator = organisation(found_company(people=120, groups=12), token_seconds=2)
    simulator.app.latency_seconds = 0.05
    with simulator.served() as url:
        settings = OktaSettings(
            url=url, client_id="0oaSync", private_key=key_file, key_id="key-1", members_page=3, concurrency=4
        )
        source = OktaSource(settings)
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert len(simulator.requests.to("/oauth2/v1/token")) >= 2
    assert 401 not in simulator.requests.statuses()


async def test_a_cancelled_read_stops_asking(firm: Company, token: str):
    with okta(firm, token) as (simulator, source, _):
        simulator.app.latency_seconds = 0.05
        reading = asyncio.create_task(source.read())
        await asyncio.sleep(0.2)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.sleep(0.2)
        sent = len(simulator.requests)
        await asyncio.sleep(0.2)
        assert len(simulator.requests) == sent
        await source.close()


async def test_every_request_is_one_that_oktas_description_allows(firm: Company, token: str):
    file = description_file("okta-management-2026.06.3.users-groups.yaml")
    api = ApiDescription.load(file, defects=DEFECTS, base_path="", closed=True)
    simulator = organisation(firm)
    judged = Judged(simulator.app, api)
    simulator.faults.add(Fault(FaultKind.LOST_ROW, "^/api/v1/users$"))  # so that single users are asked for as well
    simulator.faults.add(Fault(FaultKind.LOST_ROW, "/users$", skip=5))
    with served(judged) as url:
        source = OktaSource(OktaSettings(url=url, token=token, group_prefix="bb", attributes=("title",)))
        await source.read()
        await source.check()
        await source.close()
    judged.verdict()
    assert judged.operations.keys() >= {
        "GET /api/v1/users",
        "GET /api/v1/users/{id}",
        "GET /api/v1/groups",
        "GET /api/v1/groups/{groupId}/users",
        "GET /api/v1/meta/schemas/user/{schemaId}",
    }
