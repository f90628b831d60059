"""The simulated OneLogin answers as its SDK describes the API. Properties that it does not name are refused."""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.onelogin import CLIENT_ID, CLIENT_SECRET, OneLoginSimulator
from sandbox.population import company
from tests.contract.api_description import ApiDescription
from tests.contract.onelogin_description import onelogin_description

TOKEN = "/auth/oauth2/v2/token"


@pytest.fixture(scope="module")
def api() -> ApiDescription:
    return onelogin_description()


@pytest.fixture
def firm() -> Company:
    return company(people=120, groups=24)


@pytest.fixture
def account(firm: Company) -> OneLoginSimulator:
    return OneLoginSimulator(firm)


@pytest.fixture
def url(account: OneLoginSimulator) -> Iterator[str]:
    with account.served() as base:
        yield base


def buy(url: str, **form: str) -> httpx.Response:
    whole = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form}
    return httpx.post(f"{url}{TOKEN}", data=whole)


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    token = buy(url).json()["access_token"]
    with httpx.Client(base_url=url, headers={"Authorization": f"bearer {token}"}) as made:
        yield made


def checked(api: ApiDescription, client: httpx.Client, path: str, **query: Any) -> httpx.Response:
    """Ask, and have both the question and the answer judged."""
    answer = client.get(path, params=query)
    api.check_request("GET", path, query)
    api.check_response("GET", path, answer.status_code, answer.content, answer.headers)
    return answer


def test_a_token_is_bought_in_three_ways_and_stays_the_same_until_it_ends(
    api: ApiDescription, account: OneLoginSimulator, url: str
) -> None:
    by_form = buy(url)
    pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    grant = {"grant_type": "client_credentials"}
    by_basic = httpx.post(f"{url}{TOKEN}", data=grant, headers={"Authorization": f"Basic {pair}"})
    own = f"client_id:{CLIENT_ID}, client_secret:{CLIENT_SECRET}"
    by_own_header = httpx.post(f"{url}{TOKEN}", json=grant, headers={"Authorization": own})
    for answer in (by_form, by_basic, by_own_header):
        api.check_response("POST", TOKEN, answer.status_code, answer.content, answer.headers)
        assert answer.json()["access_token"] == by_form.json()["access_token"]
        assert answer.json()["expires_in"] == 36000
    account.switches.clock_skew_seconds = 36001
    assert buy(url).json()["access_token"] != by_form.json()["access_token"]


@pytest.mark.parametrize(
    ("form", "status"),
    [({"client_secret": "wrong"}, 401), ({"client_id": "nobody"}, 401), ({"grant_type": "password"}, 400)],
)
def test_wrong_credentials_buy_none(api: ApiDescription, url: str, form: dict[str, str], status: int) -> None:
    answer = buy(url, **form)
    api.check_response("POST", TOKEN, answer.status_code, answer.content, answer.headers)
    assert answer.status_code == status


def test_users_and_their_roles(api: ApiDescription, account: OneLoginSimulator, client: httpx.Client) -> None:
    few = checked(api, client, "/api/2/users").json()
    assert len(few) == 50
    assert "role_ids" not in few[0]
    fields = "id,role_ids,group_id,member_of,custom_attributes"
    rows = checked(api, client, "/api/2/users", limit=500, fields=fields).json()
    assert len(rows) == 100
    assert set(rows[0]) == set(fields.split(","))
    whole = checked(api, client, f"/api/2/users/{rows[0]['id']}").json()
    assert {name: whole[name] for name in rows[0]} == rows[0]
    role = rows[0]["role_ids"][0]
    assert rows[0]["id"] in checked(api, client, f"/api/2/roles/{role}").json()["users"]
    members = checked(api, client, f"/api/2/roles/{role}/users", limit=100).json()
    assert rows[0]["id"] in {member["id"] for member in members} or len(members) == 100


def test_roles_and_groups(api: ApiDescription, client: httpx.Client) -> None:
    assert len(checked(api, client, "/api/2/roles", limit=650).json()) == 24
    assert "users" in checked(api, client, "/api/2/roles", fields="users,apps").json()[0]
    assert checked(api, client, "/api/1/groups").json()["data"]


def test_pages_are_followed_by_a_cursor_that_is_sent_alone(api: ApiDescription, client: httpx.Client) -> None:
    answer = checked(api, client, "/api/2/users", limit=40)
    seen = [row["id"] for row in answer.json()]
    while cursor := answer.headers.get("after-cursor"):
        assert "%3D" in cursor or "=" not in unquote(cursor)
        answer = checked(api, client, "/api/2/users", cursor=unquote(cursor))
        seen += [row["id"] for row in answer.json()]
    assert seen == sorted(seen)
    assert len(set(seen)) == 120 == int(answer.headers["total-count"])
    assert (answer.headers["current-page"], answer.headers["total-pages"]) == ("3", "3")
    back = unquote(answer.headers["before-cursor"])
    both = checked(api, client, "/api/2/roles", cursor=back, limit=5)
    assert both.status_code == 400
    assert both.json()["message"] == "Requests can only have cursor xor pagination arguments"
    assert checked(api, client, "/api/2/users", cursor="nonsense").status_code == 400


def test_what_is_left_of_the_hour(api: ApiDescription, account: OneLoginSimulator, client: httpx.Client) -> None:
    account.switches.calls_an_hour = 2
    assert checked(api, client, "/auth/rate_limit").json()["data"]["X-RateLimit-Remaining"] == 2
    assert checked(api, client, "/api/2/roles").headers["x-ratelimit-remaining"] == "1"
    assert checked(api, client, "/api/2/users").status_code == 200
    assert checked(api, client, "/api/2/users").status_code == 429
    left = checked(api, client, "/auth/rate_limit").json()["data"]
    assert left["X-RateLimit-Remaining"] == 0
    assert 0 < left["X-RateLimit-Reset"] <= 3600


def test_refusals(api: ApiDescription, account: OneLoginSimulator, client: httpx.Client) -> None:
    assert checked(api, client, "/api/2/users/7").status_code == 404
    assert checked(api, client, "/api/2/roles/7").status_code == 404
    account.faults.add(Fault(FaultKind.STATUS, status=429))
    assert client.get("/api/2/users").status_code == 429
    account.switches.scopes_missing = True
    assert checked(api, client, "/api/2/users").status_code == 403
    assert checked(api, client, "/api/2/roles").status_code == 403
    client.headers["Authorization"] = "bearer wrong"
    assert checked(api, client, "/api/2/users").status_code == 401
    assert checked(api, client, "/api/2/roles").status_code == 401


def test_users_are_chosen_by_when_they_were_updated_and_by_id(
    api: ApiDescription, account: OneLoginSimulator, client: httpx.Client
) -> None:
    now = "2026-01-01T00:00:00Z"
    assert checked(api, client, "/api/2/users", updated_since=now).json() == []
    person = account.company.pick(1)[0]
    account.company.rename(person.id)
    answer = checked(api, client, "/api/2/users", updated_since=now)
    assert [row["id"] for row in answer.json()] == [account.state.user_id(person.id)]
    assert answer.headers["total-count"] == "1"
    first, second = (row["id"] for row in checked(api, client, "/api/2/users", limit=2).json())
    named = checked(api, client, "/api/2/users", user_ids=f"{first},{second},7").json()
    assert [row["id"] for row in named] == [first, second]
    assert checked(api, client, "/api/2/users", updated_since="yesterday").status_code == 400


def test_a_role_that_is_gained_counts_as_an_update_only_where_a_switch_says_so(
    account: OneLoginSimulator, client: httpx.Client
) -> None:
    person = account.company.pick(1)[0]
    account.company.join(person.id, next(iter(account.company.groups)))
    since = {"updated_since": "2026-01-01T00:00:00Z"}
    assert client.get("/api/2/users", params=since).json() == []
    account.switches.role_counts_as_update = True
    assert [row["id"] for row in client.get("/api/2/users", params=since).json()] == [account.state.user_id(person.id)]
