"""The Google Workspace source against the simulated account, and its requests against Google's own description."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import parse_qs

import polars as pl
import pytest
from joserfc import jwk

from connectors.contract import CheckFinding
from connectors.http.retry import RetryPolicy
from connectors.sources.google import GoogleSettings, GoogleSource
from directory.errors import CredentialsRefused, SourceUnavailable, SourceUnreadable
from sandbox.company import Company, GroupKind, Person, Standing
from sandbox.faults import Fault, FaultKind
from sandbox.google import ADMIN, GoogleSimulator, Member, ServiceAccount, Switches
from sandbox.population import company as found_company
from sandbox.serving import served
from tests import request_formulas
from tests.contract.google_description import google_description
from tests.contract.judged import Judged
from tests.contract.source_contract import QUICK, HttpSourceContract, Sleeps, Stage, effective_members

KEY = jwk.RSAKey.generate_key(2048, {"kid": "key-1"})
PEM = KEY.as_pem(private=True).decode()
ACCOUNT = "usersync@project.iam.gserviceaccount.example"
USERS = "^/admin/directory/v1/users$"
GROUPS = "^/admin/directory/v1/groups$"
MEMBERS = "/members$"
RATE = json.dumps({"error": {"code": 403, "message": "x", "errors": [{"reason": "userRateLimitExceeded"}]}})


def workspace(firm: Company, **switches: Any) -> GoogleSimulator:
    simulator = GoogleSimulator(firm, Switches(**{"queries_a_minute": 10**6, **switches}))
    simulator.register(ServiceAccount(ACCOUNT, {"key-1": KEY.as_dict(private=False)}))
    return simulator


def key_file(url: str, **changed: str) -> str:
    key = {
        "type": "service_account",
        "private_key_id": "key-1",
        "private_key": PEM,
        "client_email": ACCOUNT,
        "token_uri": f"{url}/token",
    }
    return json.dumps({**key, **changed})


def settings_for(url: str, patch: pytest.MonkeyPatch, **given: Any) -> GoogleSettings:
    patch.setenv("GOOGLE_KEY", key_file(url))
    return GoogleSettings(
        service_account_key="env:GOOGLE_KEY", subject=ADMIN, url=url, queries_per_minute=10**6, **given
    )


def suspended(person: Person) -> bool:
    return person.standing in {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}


class TestGoogleSource(HttpSourceContract):
    nests: ClassVar = True
    paths: ClassVar = {"people": USERS, "groups": GROUPS, "members": MEMBERS}
    cannot_notice: ClassVar = {
        (kind, "groups"): "Google gives no count of groups, so a group that its list leaves out cannot be missed"
        for kind in (FaultKind.EARLY_END, FaultKind.LOST_ROW)
    }

    @pytest.fixture(autouse=True)
    def _patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    @contextmanager
    def staged(self, company: Company, sleeps: Sleeps) -> Iterator[Stage]:
        simulator = workspace(company)
        small = {"users_page": 90, "members_page": 9} if len(company.people) < 1000 else {}
        with simulator.served() as url:
            source = GoogleSource(settings_for(url, self.patch, **small), retry=QUICK, sleep=sleeps)
            yield Stage(
                source=source,
                company=company,
                external_id=lambda person: simulator.state.user_id(person.id),
                secrets=(PEM, PEM.splitlines()[5]),
                faults=simulator.faults,
                requests=lambda: len(simulator.requests),
                expire_credentials=simulator.expire_tokens,
                refuse_credentials=simulator.tokens.accounts.clear,
                tie_a_knot=lambda: tie_a_knot(simulator),
            )


def tie_a_knot(simulator: GoogleSimulator) -> None:
    """A team holds the department that holds it. Google refuses to make such a thing."""
    team = next(group for group in simulator.company.groups.values() if group.parent is not None)
    above = simulator.company.groups[team.parent or ""]
    member = Member(simulator.state.group_id(above.id), "GROUP", simulator.state.group_address(above))
    simulator.switches.further_members[team.id] = [member]


# What only Google has.


@contextmanager
def google(
    firm: Company, patch: pytest.MonkeyPatch, *, switches: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[GoogleSimulator, GoogleSource, Sleeps]]:
    simulator, sleeps = workspace(firm, **(switches or {})), Sleeps()
    with simulator.served() as url:
        yield simulator, GoogleSource(settings_for(url, patch, **settings), retry=QUICK, sleep=sleeps), sleeps


@pytest.fixture
def firm() -> Company:
    return found_company(people=120, groups=24)


def said_by(findings: list[CheckFinding]) -> str:
    return " | ".join(f"{finding.level}: {finding.what}; {finding.next_step}" for finding in findings)


@pytest.mark.parametrize("standing", list(Standing))
@pytest.mark.parametrize("archived", [True, False])
async def test_who_is_suspended_or_archived_is_inactive(
    firm: Company, monkeypatch: pytest.MonkeyPatch, standing: Standing, archived: bool
) -> None:
    person = firm.pick(1)[0]
    firm.set_standing(person.id, standing)
    with google(firm, monkeypatch, switches={"archive_the_suspended": archived}) as (simulator, source, _):
        people = (await source.read()).people
        row = people.row(by_predicate=pl.col("external_id") == simulator.state.user_id(person.id), named=True)
        await source.close()
    assert row["active"] is not suspended(firm.people[person.id])
    assert row["archived"] is (archived and suspended(firm.people[person.id]))


async def test_people_carry_names_and_the_attributes_asked_for(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    person = firm.pick(1)[0]
    attributes = {
        "department": "organizations.department",
        "number": "externalIds.value",
        "unit": "orgUnitPath",
        "badge": "customSchemas.Employment.badge",
        "remote": "customSchemas.Employment.remote",
        "tools": "customSchemas.Tools.names",
        "none": "customSchemas.Tools.missing",
    }
    with google(firm, monkeypatch, attributes=attributes) as (simulator, source, _):
        people = (await source.read()).people
        row = people.row(by_predicate=pl.col("external_id") == simulator.state.user_id(person.id), named=True)
        (asked,) = simulator.requests.to("/admin/directory/v1/users")
        await source.close()
    assert row["external_id"].isdecimal()
    assert (row["given_name"], row["family_name"], row["display_name"]) == (
        person.first,
        person.last,
        person.display_name,
    )
    assert {name: row[name] for name in attributes} == {
        "department": person.department,
        "number": person.employee_number,
        "unit": f"/{person.department}",
        "badge": str(int(person.employee_number) + 500_000),
        "remote": str(int(person.employee_number) % 3 == 0).lower(),
        "tools": ["git", person.department.lower()],
        "none": None,
    }
    query = parse_qs(asked.query)
    assert (query["projection"], query["customFieldMask"]) == (["custom"], ["Employment,Tools"])
    assert "addresses" not in query["fields"][0]


async def test_a_member_that_is_everybody_makes_everybody_a_member(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = firm.group("bb-project-retired")
    with google(firm, monkeypatch) as (simulator, source, _):
        simulator.switches.further_members[empty.id] = [Member("C03sandbox", "CUSTOMER")]
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    members = effective_members(snapshot.memberships)[simulator.state.group_id(empty.id)]
    assert members == {simulator.state.user_id(person_id) for person_id in firm.people}


async def test_members_from_outside_are_left_out_and_not_looked_up(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = firm.group("bb-project-retired")
    with google(firm, monkeypatch) as (simulator, source, _):
        simulator.switches.further_members[group.id] = [
            Member("1999", "USER", "guest@elsewhere.example"),
            Member("1998", "EXTERNAL", "other@elsewhere.example"),
            Member("0abc", "GROUP", "team@elsewhere.example"),
        ]
        snapshot = await source.read()
        await source.close()
    assert snapshot.completeness.complete
    assert simulator.state.group_id(group.id) not in set(snapshot.memberships["group_id"])
    assert not [seen for seen in simulator.requests if seen.path.endswith(("/1999", "/1998", "/0abc"))]


async def test_a_type_of_member_that_google_invents_later_makes_the_read_incomplete(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with google(firm, monkeypatch) as (simulator, source, _):
        simulator.switches.further_members[next(iter(firm.groups))] = [Member("7", "ROBOT", "r@fjordlight.example")]
        (finding,) = (await source.read()).completeness.findings
        await source.close()
    assert "type ROBOT" in finding


async def test_groups_counted_as_empty_are_not_asked_once_nested_groups_are_known_to_count(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = firm.group("bb-project-retired")
    with google(firm, monkeypatch) as (simulator, source, _):
        snapshot = await source.read()
        asked = [seen.path for seen in simulator.requests if seen.path.endswith("/members")]
        await source.close()
    assert f"/admin/directory/v1/groups/{simulator.state.group_id(empty.id)}/members" not in asked
    assert len(asked) == len(firm.groups) - 1
    assert empty.name in set(snapshot.groups["name"])


async def test_a_group_of_groups_alone_is_read_where_google_does_not_count_groups(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    department = next(
        group
        for group in firm.groups.values()
        if group.kind is GroupKind.DEPARTMENT and firm.effective_members(group.id)
    )
    for person_id in list(firm.direct[department.id]):
        firm.quit(person_id, department.id)
    with google(firm, monkeypatch, switches={"count_includes_groups": False}) as (simulator, source, _):
        snapshot = await source.read()
        await source.close()
    assert simulator.state.counted_members(simulator.state.group_id(department.id)) == 0
    assert snapshot.completeness.complete
    members = effective_members(snapshot.memberships)[simulator.state.group_id(department.id)]
    assert members == {simulator.state.user_id(key) for key in firm.effective_members(department.id)}


@pytest.mark.parametrize("counted", [True, False])
async def test_a_group_with_fewer_members_than_google_counts_is_read_again_and_then_told(
    firm: Company, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    # More people than groups, so that the row that is lost is a person: either way of counting has to notice.
    team = next(
        group for group in firm.groups.values() if len(firm.direct[group.id]) > 2 and len(firm.below[group.id]) == 1
    )
    with google(firm, monkeypatch, switches={"count_includes_groups": counted}) as (simulator, source, _):
        path = f"{simulator.state.group_id(team.id)}/members$"
        simulator.faults.add(Fault(FaultKind.EMPTY_PAGE, path, times=1000))
        with pytest.raises(SourceUnreadable, match=r"already|second time|does not end"):
            await source.read()
        simulator.faults.clear()
        simulator.faults.add(Fault(FaultKind.LOST_ROW, path, times=1))
        once = await source.read()
        asked = len([seen for seen in simulator.requests if seen.path.endswith(path.removesuffix("$"))])
        simulator.faults.add(Fault(FaultKind.LOST_ROW, path, times=2))
        twice = await source.read()
        await source.close()
    assert asked >= 2
    if counted:
        assert once.completeness.complete
    assert not twice.completeness.complete
    assert "by Google's count" in twice.completeness.findings[0]


async def test_only_groups_with_a_prefix_and_those_in_them_are_read(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    department = next(group for group in firm.groups.values() if firm.below[group.id])
    with google(firm, monkeypatch, group_prefix=department.name.upper(), group_name="mailbox") as (_, source, _s):
        snapshot = await source.read()
        await source.close()
    expected = {firm.groups[key].name for key in firm.subtree(department.id)}
    assert expected <= set(snapshot.groups["name"])
    assert all(name.startswith(department.name) for name in snapshot.groups["name"])


async def test_a_user_who_is_in_a_group_and_was_not_listed_is_looked_up_and_told(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with google(firm, monkeypatch) as (simulator, source, _):
        simulator.faults.add(Fault(FaultKind.LOST_ROW, USERS))
        snapshot = await source.read()
        await source.close()
    (finding,) = snapshot.completeness.findings
    assert "the list of users is not whole: 1 are in groups" in finding
    assert snapshot.people.height == len(firm.people)


async def test_a_group_that_is_in_a_group_and_was_not_listed_is_told(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = workspace(firm).state
    ids = list(state.group_ids())
    nested = {state.group_id(group.id) for group in firm.groups.values() if group.parent}
    # The row in the middle of a page is lost: a page is made so long that a nested group stands there.
    size = next(size for size in range(2, len(ids)) if ids[size // 2] in nested)
    with google(firm, monkeypatch, members_page=size) as (simulator, source, _):
        simulator.faults.add(Fault(FaultKind.LOST_ROW, GROUPS))
        snapshot = await source.read()
        await source.close()
    assert "the list of groups is not whole: 1 are in groups" in snapshot.completeness.findings[0]


async def test_throttling_by_403_is_waited_out(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with google(firm, monkeypatch) as (simulator, source, sleeps):
        simulator.faults.add(Fault(FaultKind.STATUS, MEMBERS, status=403, body=RATE, times=3, skip=2))
        assert (await source.read()).completeness.complete
        await source.close()
    assert simulator.requests.statuses().count(403) == 3
    assert sleeps


async def test_throttling_without_end_is_unavailable_and_no_missing_permission(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with google(firm, monkeypatch, switches={"queries_a_minute": 3}) as (_, source, _s):
        with pytest.raises(SourceUnavailable):
            await source.read()
        await source.close()


async def test_a_minutes_quota_is_waited_for_by_default() -> None:
    policy = GoogleSource(GoogleSettings(service_account_key="env:X", subject=ADMIN))._retry
    least = sum(min(policy.first_delay, policy.longest_delay * 2.0**n) for n in range(policy.attempts - 1))
    most = sum(min(policy.longest_delay, policy.first_delay * 2.0**n) for n in range(1, policy.attempts))
    assert policy != RetryPolicy()
    assert least < 60 < most


@pytest.mark.parametrize("page", ["users_page", "members_page"])
async def test_a_page_token_that_expired_ends_the_read(
    firm: Company, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    with google(firm, monkeypatch, switches={"page_token_seconds": -1.0}, **{page: 9}) as (_, source, _s):
        with pytest.raises(SourceUnreadable, match="pageToken"):
            await source.read()
        await source.close()


async def test_the_number_of_requests_is_what_the_pages_need(monkeypatch: pytest.MonkeyPatch) -> None:
    firm = found_company(people=1500, groups=30)
    with google(firm, monkeypatch, users_page=500, members_page=20) as (simulator, source, _):
        snapshot = await source.read()
        sizes = [len(simulator.state.members(group_id)) for group_id in simulator.state.group_ids()]
        await source.close()
    token, lists = 1, request_formulas.google(1500, sizes, users_page=500, members_page=20)
    assert snapshot.requests == len(simulator.requests) == token + lists


async def test_check_says_who_acts_for_whom_and_which_attribute_nobody_has(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = ["customSchemas.Employment.badge", "customSchemas.Employment.bagde"]
    with google(firm, monkeypatch, attributes=attributes) as (_, source, _s):
        said = said_by(await source.check())
        await source.close()
    assert f"ok: {ACCOUNT} acts for {ADMIN} and may read users" in said
    assert "ok: groups and their members may be read" in said
    assert "note: none of 100 users has a value for customSchemas.Employment.bagde" in said
    assert "Employment.badge;" not in said


async def test_missing_delegation_is_explained(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with google(firm, monkeypatch) as (simulator, source, _):
        public = {"key-1": KEY.as_dict(private=False)}
        simulator.register(ServiceAccount(ACCOUNT, public, delegated=frozenset()))
        said = said_by(await source.check())
        with pytest.raises(CredentialsRefused, match="unauthorized_client"):
            await source.read()
        await source.close()
    assert "Domain-wide delegation" in said
    assert "admin.directory.group.readonly" in said


async def test_somebody_who_is_no_administrator_is_explained(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with google(firm, monkeypatch) as (simulator, source, _):
        simulator.switches.admins.clear()
        simulator.switches.known_users.add(ADMIN)
        findings = await source.check()
        with pytest.raises(CredentialsRefused, match="may not read this"):
            await source.read()
        await source.close()
    assert [finding.level for finding in findings] == ["problem", "problem"]
    assert f"give {ADMIN} an administrator role" in said_by(findings)


async def test_somebody_whom_google_does_not_know_is_explained(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with google(firm, monkeypatch) as (simulator, source, _):
        simulator.switches.admins.clear()
        (finding,) = await source.check()
        await source.close()
    assert "Invalid email or User ID" in finding.what
    assert finding.next_step is not None
    assert "check `subject`" in finding.next_step


async def test_an_api_that_is_off_is_explained(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with google(firm, monkeypatch, switches={"api_enabled": False}) as (_, source, _s):
        said = said_by(await source.check())
        await source.close()
    assert "the Admin SDK API is off" in said


@pytest.mark.parametrize(
    "text",
    ["no json", "{}", key_file("http://x", type="authorized_user"), key_file("u", private_key="x")],
    # Keys are made anew in every process, and tests must be called the same in all of them.
    ids=["text", "empty", "of a person", "broken"],
)
async def test_what_is_no_key_is_told_without_being_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_KEY", text)
    (finding,) = await GoogleSource(GoogleSettings(service_account_key="env:GOOGLE_KEY", subject=ADMIN)).check()
    assert "not the JSON key of a Google service account" in finding.what
    assert text not in said_by([finding])


async def test_another_domain_has_nobody_and_another_customer_is_refused(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with google(firm, monkeypatch, domain="elsewhere.example") as (_, source, _s):
        said = said_by(await source.check())
        await source.close()
    assert "problem: no user is in sight; check `customer` or `domain`" in said
    with google(firm, monkeypatch, customer="C0nobody") as (_, source, _s):
        with pytest.raises(SourceUnreadable, match="customer"):
            await source.read()
        await source.close()


async def test_a_cancelled_read_stops_asking(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with google(firm, monkeypatch) as (simulator, source, _):
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


async def test_every_request_is_one_that_googles_description_allows(
    firm: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = google_description()
    simulator = workspace(firm)
    judged = Judged(simulator.app, api, ignored=("/sandbox/", "/token"))
    simulator.faults.add(Fault(FaultKind.LOST_ROW, USERS))  # so that a single user is asked for as well
    simulator.faults.add(Fault(FaultKind.LOST_ROW, MEMBERS))
    with served(judged) as url:
        attributes = ["orgUnitPath", "customSchemas.Tools.names"]
        source = GoogleSource(settings_for(url, monkeypatch, attributes=attributes))
        await source.read()
        await source.check()
        await source.close()
    judged.verdict()
    assert judged.operations.keys() >= {
        "GET /admin/directory/v1/users",
        "GET /admin/directory/v1/users/{userKey}",
        "GET /admin/directory/v1/groups",
        "GET /admin/directory/v1/groups/{groupKey}",
        "GET /admin/directory/v1/groups/{groupKey}/members",
    }


@pytest.mark.parametrize(("what", "path"), [("users", USERS), ("groups", GROUPS)], ids=["users", "groups"])
async def test_rows_that_moved_make_it_read_again(
    firm: Company, monkeypatch: pytest.MonkeyPatch, what: str, path: str
) -> None:
    with google(firm, monkeypatch, users_page=50, members_page=9) as (simulator, source, _):
        simulator.faults.add(Fault(FaultKind.CHANGED_ORDER, path, skip=1))
        once = (await source.read()).completeness
        simulator.faults.add(Fault(FaultKind.CHANGED_ORDER, path, times=1000))
        always = (await source.read()).completeness
        await source.close()
    assert once.complete
    assert f"the list of {what} changed its order" in always.findings[0]
