import httpx
import pytest

from sandbox.keycloak import KeycloakSimulator
from sandbox.population import Standing
from tests.unit.sandbox.keycloak.conftest import ADMIN, walk


def test_a_page_holds_a_hundred_users_unless_asked_otherwise(client: httpx.Client):
    assert len(client.get("/users").json()) == 100
    assert len(client.get("/users?first=200").json()) == 50
    assert len(client.get("/users?max=-1").json()) == 250
    assert client.get("/users?first=900").json() == []
    assert client.get("/users?max=many").status_code == 400


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
    assert client.get(f"/users/{row['id']}").json() == row
    missing = client.get("/users/none")
    assert (missing.status_code, missing.json()["error"]) == (404, "User not found")


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
