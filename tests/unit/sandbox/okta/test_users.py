from typing import Any

import httpx
import pytest

from sandbox.okta import OktaSimulator
from sandbox.population import Standing
from tests.unit.sandbox.okta.conftest import Walk

# The invented company's past ends before; what a test does to it comes after.
AFTER_THE_PAST = "2026-01-01T00:00:00.000Z"


def logins(rows: list[Any]) -> set[str]:
    return {row["profile"]["login"] for row in rows}


def test_a_search_for_every_status_returns_everyone(org: OktaSimulator, walk: Walk):
    assert logins(walk("/api/v1/users?search=status pr")) == {person.login for person in org.company.people.values()}


def test_without_a_search_the_deactivated_are_left_out(org: OktaSimulator, walk: Walk):
    assert logins(walk("/api/v1/users")) == {person.login for person in org.company.employed()}


def test_a_filter_shows_the_deactivated(org: OktaSimulator, walk: Walk):
    left = {person.login for person in org.company.people.values() if person.standing is Standing.LEFT}
    assert left
    assert logins(walk('/api/v1/users?filter=status eq "DEPROVISIONED"')) == left


def test_every_status_of_okta_occurs(walk: Walk):
    assert {row["status"] for row in walk("/api/v1/users?search=status pr")} == {
        "ACTIVE",
        "DEPROVISIONED",
        "LOCKED_OUT",
        "PASSWORD_EXPIRED",
        "PROVISIONED",
        "RECOVERY",
        "STAGED",
        "SUSPENDED",
    }


def test_pages_hold_two_hundred_users_whatever_is_asked_for(client: httpx.Client):
    assert len(client.get("/api/v1/users?limit=1000").json()) == 200
    assert len(client.get("/api/v1/users?limit=7").json()) == 7


def test_users_changed_since_a_moment_are_found_by_search(org: OktaSimulator, walk: Walk):
    start = AFTER_THE_PAST
    person = org.company.pick(1)[0]
    org.company.rename(person.id, "Łoś", "los")
    changed = walk(f'/api/v1/users?search=lastUpdated gt "{start}"')
    assert [row["id"] for row in changed] == [org.state.user_id(person.id)]
    assert changed[0]["profile"]["lastName"] == "Łoś"
    again = changed[0]["lastUpdated"]
    assert walk(f'/api/v1/users?search=lastUpdated gt "{again}"') == []
    assert len(walk(f'/api/v1/users?search=lastUpdated ge "{again}"')) == 1


def test_a_lagging_index_still_shows_yesterday_while_the_id_shows_today(org: OktaSimulator, client: httpx.Client):
    org.switches.search_lag_seconds = 3600
    renamed, erased = org.company.pick(2)
    org.company.rename(renamed.id, "Newname", "newname")
    org.company.erase(erased.id)
    hired = org.company.hire(1)[0]

    def found(login: str) -> int:
        return len(client.get("/api/v1/users", params={"search": f'profile.login eq "{login}"'}).json())

    assert found(renamed.login) == 1
    assert found(erased.login) == 1
    assert found(hired.login) == 0
    by_id = client.get(f"/api/v1/users/{org.state.user_id(renamed.id)}").json()
    assert by_id["profile"]["lastName"] == "Newname"
    org.switches.search_lag_seconds = 0
    assert found(renamed.login) == 0
    assert found(hired.login) == 1


def test_a_user_is_found_by_id_login_and_short_login(org: OktaSimulator, client: httpx.Client):
    person = org.company.pick(1)[0]
    user_id = org.state.user_id(person.id)
    for key in (user_id, person.login, person.username):
        assert client.get(f"/api/v1/users/{key}").json()["id"] == user_id
    missing = client.get("/api/v1/users/00unobody")
    assert missing.status_code == 404
    assert missing.json()["errorCode"] == "E0000007"


def test_custom_attributes_appear_in_the_profile_and_in_the_schema(client: httpx.Client):
    profile = client.get("/api/v1/users?limit=1").json()[0]["profile"]
    schema = client.get("/api/v1/meta/schemas/user/default").json()["definitions"]
    custom = schema["custom"]["properties"]
    assert {name: attribute["type"] for name, attribute in custom.items()} == {
        "badgeNumber": "integer",
        "worksRemotely": "boolean",
        "tools": "array",
        "bitbucketName": "string",
    }
    assert set(profile) == set(custom) | set(schema["base"]["properties"])
    assert isinstance(profile["badgeNumber"], int)
    assert isinstance(profile["tools"], list)


def test_custom_attributes_can_be_searched(org: OktaSimulator, client: httpx.Client):
    person = org.company.pick(1)[0]
    rows = client.get("/api/v1/users", params={"search": f'profile.bitbucketName eq "{person.username}"'}).json()
    assert logins(rows) == {person.login}


def test_credentials_are_omitted_on_request(client: httpx.Client):
    header = {"Content-Type": 'application/json; okta-response="omitCredentials,omitCredentialsLinks"'}
    assert "credentials" in client.get("/api/v1/users?limit=1").json()[0]
    assert "credentials" not in client.get("/api/v1/users?limit=1", headers=header).json()[0]


def test_fields_are_a_projection_that_always_holds_the_id(client: httpx.Client):
    row = client.get("/api/v1/users?limit=1&fields=status,profile:(firstName, city)").json()[0]
    assert set(row) == {"id", "status", "profile"}
    assert set(row["profile"]) == {"firstName", "city"}


def test_a_simple_query_matches_the_beginning_and_cannot_be_paged(org: OktaSimulator, client: httpx.Client):
    answer = client.get("/api/v1/users?q=o")
    assert len(answer.json()) == 10
    assert "next" not in answer.links
    person = org.company.pick(1)[0]
    assert person.login in logins(client.get("/api/v1/users", params={"q": person.email, "limit": 50}).json())


@pytest.mark.parametrize(
    ("parameter", "expression"),
    [
        ("search", 'nickName eq "x"'),
        ("search", "status"),
        ("search", 'status ne "ACTIVE"'),
        ("search", '(status eq "ACTIVE"'),
        ("search", 'lastUpdated gt "yesterday"'),
        ("filter", 'profile.city eq "Dublin"'),
        ("filter", 'status gt "ACTIVE"'),
        ("filter", 'Status eq "ACTIVE"'),
    ],
)
def test_an_expression_okta_would_refuse_is_refused(client: httpx.Client, parameter: str, expression: str):
    answer = client.get("/api/v1/users", params={parameter: expression})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "E0000031"


@pytest.mark.parametrize("query", ["limit=0", "limit=many", "after=forged", "sortBy=profile.city"])
def test_a_bad_parameter_is_refused(client: httpx.Client, query: str):
    answer = client.get(f"/api/v1/users?{query}")
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "E0000001"
    assert set(answer.json()) == {"errorCode", "errorSummary", "errorLink", "errorId", "errorCauses"}
