"""The simulated Google answers as Google's discovery document says. Properties that it does not name are refused."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwk, jwt

from sandbox.company import Company
from sandbox.faults import Fault, FaultKind
from sandbox.google import ADMIN, READ_SCOPES, GoogleSimulator, Member, ServiceAccount
from sandbox.google.tokens import GRANT_TYPE
from sandbox.population import company
from tests.contract.api_description import ApiDescription
from tests.contract.google_description import google_description

KEY = jwk.RSAKey.generate_key(2048, {"kid": "key-1"})
OTHER = jwk.RSAKey.generate_key(2048, {"kid": "key-1"})
ACCOUNT = "reader@project.iam.gserviceaccount.example"
ROOT = "/admin/directory/v1"
OURS: dict[str, Any] = {"customer": "my_customer"}


@pytest.fixture(scope="module")
def api() -> ApiDescription:
    return google_description()


@pytest.fixture(scope="module")
def firm() -> Company:
    return company(people=450, groups=24)


@pytest.fixture
def account(firm: Company) -> GoogleSimulator:
    simulator = GoogleSimulator(firm)
    simulator.register(ServiceAccount(ACCOUNT, {"key-1": KEY.as_dict(private=False)}))
    return simulator


@pytest.fixture
def url(account: GoogleSimulator) -> Iterator[str]:
    with account.served() as base:
        yield base


def ask_for_token(url: str, *, key: jwk.RSAKey = KEY, kid: str = "key-1", **changed: Any) -> httpx.Response:
    now = int(time.time())
    claims = {
        "iss": ACCOUNT,
        "sub": ADMIN,
        "scope": " ".join(sorted(READ_SCOPES)),
        "aud": f"{url}/token",
        "iat": now,
        "exp": now + 3600,
        **changed,
    }
    given = {name: value for name, value in claims.items() if value is not None}
    assertion = jwt.encode({"alg": "RS256", "kid": kid}, given, key, algorithms=["RS256"])
    return httpx.post(f"{url}/token", data={"grant_type": GRANT_TYPE, "assertion": assertion})


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    token = ask_for_token(url).json()["access_token"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as made:
        yield made


def checked(
    api: ApiDescription, client: httpx.Client, path: str, *, described: bool = True, **query: Any
) -> httpx.Response:
    """Ask, and have both the question and the answer judged."""
    answer = client.get(ROOT + path, params=query)
    if described:
        api.check_request("GET", ROOT + path, query)
    api.check_response("GET", ROOT + path, answer.status_code, answer.content, answer.headers)
    return answer


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["errors"][0]["reason"])


def test_users_in_every_projection(api: ApiDescription, client: httpx.Client) -> None:
    assert len(checked(api, client, "/users", **OURS).json()["users"]) == 100
    assert len(checked(api, client, "/users", domain="fjordlight.example", maxResults=500).json()["users"]) == 450
    full = checked(api, client, "/users", **OURS, projection="full").json()["users"][0]
    assert set(full["customSchemas"]) == {"Employment", "Tools"}
    custom = checked(api, client, "/users", **OURS, projection="custom", customFieldMask="Tools").json()["users"][0]
    assert "git" in [entry["value"] for entry in custom["customSchemas"]["Tools"]["names"]]
    assert full["id"].isdecimal()


def test_one_user_by_id_and_by_address(api: ApiDescription, account: GoogleSimulator, client: httpx.Client) -> None:
    person = account.company.pick(1)[0]
    by_id = checked(api, client, f"/users/{account.state.user_id(person.id)}").json()
    assert checked(api, client, f"/users/{person.email}").json() == by_id
    assert by_id["primaryEmail"] == person.email


def test_groups_and_members_of_every_type(api: ApiDescription, account: GoogleSimulator, client: httpx.Client) -> None:
    empty = account.company.group("bb-project-retired")
    account.switches.further_members[empty.id] = [
        Member("C03sandbox", "CUSTOMER"),
        Member("1999", "EXTERNAL", "guest@elsewhere.example"),
    ]
    kinds = set()
    for group in checked(api, client, "/groups", **OURS, maxResults=200).json()["groups"]:
        assert checked(api, client, f"/groups/{group['id']}").json() == group
        members = checked(api, client, f"/groups/{group['email']}/members", maxResults=200).json()["members"]
        assert min(int(group["directMembersCount"]), 200) == len(members)
        kinds |= {member["type"] for member in members}
    assert kinds == {"USER", "GROUP", "CUSTOMER", "EXTERNAL"}


def test_an_empty_list_is_no_list(api: ApiDescription, account: GoogleSimulator, client: httpx.Client) -> None:
    empty = account.state.group_id(account.company.group("bb-project-retired").id)
    assert "members" not in checked(api, client, f"/groups/{empty}/members").json()
    assert "users" not in checked(api, client, "/users", **OURS, showDeleted="true").json()


def test_pages_follow_a_token_that_expires(api: ApiDescription, account: GoogleSimulator, client: httpx.Client) -> None:
    seen: list[str] = []
    token: dict[str, Any] = {}
    for _ in range(5):
        page = checked(api, client, "/users", **OURS, maxResults=100, **token).json()
        seen += [user["id"] for user in page["users"]]
        if "nextPageToken" not in page:
            break
        token = {"pageToken": page["nextPageToken"]}
    assert len(seen) == len(set(seen)) == 450
    assert checked(api, client, "/groups", **OURS, **token).status_code == 400
    account.switches.clock_skew_seconds = 3 * 24 * 3600 + 60
    account.switches.token_seconds = 10**7
    client.headers["Authorization"] = f"Bearer {_later_token(client, account)}"
    expired = checked(api, client, "/users", **OURS, **token)
    assert (expired.status_code, reason(expired)) == (400, "invalid")


def _later_token(client: httpx.Client, account: GoogleSimulator) -> str:
    now = int(account.now())
    answer = ask_for_token(str(client.base_url).rstrip("/"), iat=now, exp=now + 3600)
    return str(answer.json()["access_token"])


def test_parts_of_an_answer_can_be_asked_for(api: ApiDescription, client: httpx.Client) -> None:
    fields = "nextPageToken,users(id,name/fullName,organizations(title,primary))"
    page = checked(api, client, "/users", **OURS, maxResults=2, fields=fields).json()
    assert set(page) == {"nextPageToken", "users"}
    assert set(page["users"][0]) == {"id", "name", "organizations"}
    assert set(page["users"][0]["name"]) == {"fullName"}
    assert set(page["users"][0]["organizations"][0]) == {"title", "primary"}
    assert checked(api, client, "/users", **OURS, fields="users(id").status_code == 400


def test_the_custom_schemas(api: ApiDescription, client: httpx.Client) -> None:
    shown = checked(api, client, "/customer/my_customer/schemas").json()["schemas"]
    assert [schema["schemaName"] for schema in shown] == ["Employment", "Tools"]


@pytest.mark.parametrize(
    ("query", "described"),
    [({}, True), ({**OURS, "maxResults": 501}, False), ({**OURS, "maxResults": 0}, False), ({"customer": "C9"}, True)],
)
def test_a_list_of_users_that_is_asked_wrongly(
    api: ApiDescription, client: httpx.Client, query: dict[str, Any], described: bool
) -> None:
    assert checked(api, client, "/users", described=described, **query).status_code == 400


def test_refusals(api: ApiDescription, account: GoogleSimulator, client: httpx.Client) -> None:
    assert reason(checked(api, client, "/users/nobody@fjordlight.example")) == "notFound"
    assert reason(checked(api, client, "/groups/0none/members")) == "notFound"
    for status in (429, 503):
        account.faults.add(Fault(FaultKind.STATUS, status=status))
        assert checked(api, client, "/groups", **OURS).status_code == status
    account.switches.queries_a_minute = 0
    assert reason(checked(api, client, "/groups", **OURS)) == "userRateLimitExceeded"
    account.switches.queries_a_minute, account.switches.concurrency = 2400, 0
    assert reason(checked(api, client, "/groups", **OURS)) == "quotaExceeded"
    account.switches.concurrency = 100
    account.switches.admins.clear()
    assert reason(checked(api, client, "/groups", **OURS)) == "forbidden"
    account.switches.api_enabled = False
    assert reason(checked(api, client, "/groups", **OURS)) == "accessNotConfigured"
    client.headers["Authorization"] = "Bearer wrong"
    assert checked(api, client, "/groups", **OURS).status_code == 401


def test_a_scope_that_was_not_asked_for_is_missing(api: ApiDescription, url: str) -> None:
    scope = "https://www.googleapis.com/auth/admin.directory.user.readonly"
    token = ask_for_token(url, scope=scope).json()["access_token"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
        assert checked(api, client, "/users", **OURS).status_code == 200
        assert reason(checked(api, client, "/groups", **OURS)) == "insufficientPermissions"


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"sub": None}, 401, "unauthorized_client"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, 401, "unauthorized_client"),
        ({"sub": "nobody@fjordlight.example"}, 400, "invalid_grant"),
        ({"iss": "other@project.example"}, 400, "invalid_grant"),
        ({"aud": "https://elsewhere.example/token"}, 400, "invalid_grant"),
        ({"exp": int(time.time()) + 90_000}, 400, "invalid_grant"),
        ({"iat": 1, "exp": 3000}, 400, "invalid_grant"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"key": OTHER}, 400, "invalid_grant"),
        ({"kid": "key-9"}, 400, "invalid_grant"),
    ],
)
def test_an_assertion_that_is_wrong_buys_no_token(url: str, changed: dict[str, Any], status: int, error: str) -> None:
    answer = ask_for_token(url, **changed)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_what_is_no_assertion_is_told() -> None:
    with GoogleSimulator(company(people=5, groups=4)).served() as url:
        other = httpx.post(f"{url}/token", data={"grant_type": "client_credentials"})
        assert other.json()["error"] == "unsupported_grant_type"
        for assertion in ("", "a.b", json.dumps({})):
            answer = httpx.post(f"{url}/token", data={"grant_type": GRANT_TYPE, "assertion": assertion})
            assert answer.json()["error"] == "invalid_grant"
