import httpx
import pytest

from sandbox.keycloak import ConfidentialClient, KeycloakSimulator
from sandbox.population import Standing
from tests.unit.sandbox.keycloak.conftest import ADMIN, token, walk


def test_a_page_holds_a_hundred_users_unless_asked_otherwise(client: httpx.Client):
    assert len(client.get("/users").json()) == 100
    assert len(client.get("/users?first=200").json()) == 50
    assert len(client.get("/users?max=-1").json()) == 250
    assert client.get("/users?first=900").json() == []


@pytest.mark.parametrize("wrong", ["first=none", "max=many"])
def test_an_offset_that_is_no_number_is_an_address_that_does_not_exist(client: httpx.Client, wrong: str):
    answer = client.get(f"/users?{wrong}")
    assert (answer.status_code, answer.json()) == (404, {"error": "HTTP 404 Not Found"})


def test_all_pages_together_are_everyone_by_username(realm: KeycloakSimulator, client: httpx.Client):
    names = [row["username"] for row in walk(client, "/users", 60)]
    assert names == sorted(person.username for person in realm.company.people.values())
    assert client.get("/users/count").json() == len(names) == 250


def test_a_brief_representation_has_no_attributes(client: httpx.Client):
    full, brief = (client.get(f"/users?max=1&briefRepresentation={value}").json()[0] for value in ("false", "true"))
    assert full["attributes"].keys() == {"department", "title", "city", "employeeNumber"}
    assert all(isinstance(value, list) for value in full["attributes"].values())
    assert "attributes" not in brief
    assert "groups" not in full
    assert brief.items() <= full.items()


def test_those_who_left_are_disabled_and_still_listed(realm: KeycloakSimulator, client: httpx.Client):
    enabled = {row["username"]: row["enabled"] for row in walk(client, "/users", 100)}
    disabled = {Standing.LEFT, Standing.SUSPENDED, Standing.STAGED}
    for person in realm.company.people.values():
        assert enabled[person.username] is (person.standing not in disabled)


@pytest.mark.parametrize("standing", [Standing.LEFT, Standing.ACTIVE])
def test_users_are_selected_by_state(realm: KeycloakSimulator, client: httpx.Client, standing: Standing):
    rows = client.get("/users", params={"enabled": str(standing is Standing.ACTIVE).lower(), "max": -1}).json()
    assert {row["enabled"] for row in rows} == {standing is Standing.ACTIVE}
    assert rows


def test_users_are_searched_by_beginning_part_or_whole(realm: KeycloakSimulator, client: httpx.Client):
    person = next(person for person in realm.company.people.values() if person.last == "Nguyễn")

    def names(search: str) -> set[str]:
        return {row["username"] for row in client.get("/users", params={"search": search, "max": -1}).json()}

    assert person.username in names("nguyễ")
    assert person.username in names("*guyễ*")
    assert person.username not in names("guyễ")
    assert names(f'"{person.username}"') == {person.username}
    found = client.get("/users", params={"username": person.username, "exact": "true"}).json()
    assert [row["email"] for row in found] == [person.email]
    assert client.get("/users/count", params={"search": "nguyễ"}).json() == len(names("nguyễ"))
    by_city = client.get("/users", params={"q": f"employeeNumber:{person.employee_number}"}).json()
    assert [row["username"] for row in by_city] == [person.username]


def test_a_user_is_read_by_id(realm: KeycloakSimulator, client: httpx.Client):
    row = client.get("/users?max=1").json()[0]
    alone = client.get(f"/users/{row['id']}").json()
    assert {**alone, "access": None} == {**row, "access": None}
    missing = client.get("/users/none")
    assert (missing.status_code, missing.json()) == (404, {"error": "User not found"})


@pytest.mark.parametrize(("role", "manages"), [("view-users", False), ("manage-users", True)])
def test_a_list_of_users_tells_only_whether_one_may_manage_them(
    realm: KeycloakSimulator, url: str, role: str, manages: bool
):
    realm.switches.clients["other"] = ConfidentialClient("other", "s", frozenset({role}))
    headers = {"Authorization": f"Bearer {token(url, 'other', 's')}"}
    (row,) = httpx.get(f"{url}{ADMIN}/users?max=1", headers=headers).json()
    assert row["access"] == {"manage": manages}
    assert httpx.get(f"{url}{ADMIN}/users/{row['id']}", headers=headers).json()["access"] == {
        "view": True,
        "manage": manages,
        "mapRoles": manages,
        "manageGroupMembership": manages,
        "impersonate": False,
        "resetPassword": manages,
    }


def test_a_service_account_is_found_by_id_and_in_its_groups_but_in_no_list(realm: KeycloakSimulator, url: str):
    group = realm.company.group("bb-project-aurora")
    realm.switches.clients["robot"] = ConfidentialClient("robot", "s", groups=frozenset({group.id}))
    with httpx.Client(base_url=url + ADMIN, headers={"Authorization": f"Bearer {token(url)}"}) as client:
        before, listed = client.get("/users/count").json(), walk(client, "/users", 100)
        members = walk(client, f"/groups/{realm.state.group_id(group.id)}/members", 2)
        assert len(listed) == before == 250
        assert not [row for row in listed if row["username"].startswith("service-account-")]
        assert client.get("/users?search=service-account-robot").json() == []
        (robot,) = (row for row in members if row["username"] == "service-account-robot")
        assert len(members) == len(realm.company.direct[group.id]) + 1
        assert [row["username"] for row in members] == sorted(row["username"] for row in members)
        assert not robot.keys() & {"email", "firstName", "lastName", "attributes", "access"}
        assert client.get(f"/users/{robot['id']}").json()["username"] == "service-account-robot"
        assert [row["name"] for row in client.get(f"/users/{robot['id']}/groups").json()] == [group.name]


def test_the_declared_attributes_are_told(realm: KeycloakSimulator, client: httpx.Client):
    profile = client.get("/users/profile").json()
    assert [attribute["name"] for attribute in profile["attributes"]] == [
        "username",
        "email",
        "firstName",
        "lastName",
        "department",
        "title",
        "city",
        "employeeNumber",
    ]
    assert "unmanagedAttributePolicy" not in profile
    realm.switches.unmanaged_attribute_policy = "ADMIN_VIEW"
    assert client.get("/users/profile").json()["unmanagedAttributePolicy"] == "ADMIN_VIEW"


def test_the_realm_says_whether_it_keeps_admin_events(realm: KeycloakSimulator, url: str, client: httpx.Client):
    assert client.get(url + ADMIN).json()["adminEventsEnabled"] is False
    realm.switches.admin_events_enabled = True
    assert client.get(url + ADMIN).json()["adminEventsEnabled"] is True


@pytest.mark.parametrize(("role", "further"), [("view-users", {"registrationEmailAsUsername"}), ("query-users", set())])
def test_who_may_not_view_the_realm_is_shown_little_of_it(
    realm: KeycloakSimulator, url: str, role: str, further: set[str]
):
    realm.switches.clients["other"] = ConfidentialClient("other", "s", frozenset({role}))
    headers = {"Authorization": f"Bearer {token(url, 'other', 's')}"}
    shown = httpx.get(url + ADMIN, headers=headers).json()
    assert shown.keys() == {"realm", "bruteForceProtected", "supportedLocales", "organizationsEnabled"} | further
