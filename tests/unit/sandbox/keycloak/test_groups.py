from typing import Any

import httpx

from sandbox.keycloak import KeycloakSimulator
from tests.unit.sandbox.keycloak.conftest import walk


def whole_tree(client: httpx.Client) -> dict[str, Any]:
    """Every group by id, read level by level."""
    found: dict[str, Any] = {}
    level = client.get("/groups").json()
    while level:
        found.update({group["id"]: group for group in level})
        level = [
            child
            for group in level
            if group["subGroupCount"]
            for child in walk(client, f"/groups/{group['id']}/children", 5)
        ]
    return found


def test_only_top_level_groups_are_listed_and_their_subgroups_stay_empty(
    realm: KeycloakSimulator, client: httpx.Client
):
    groups = client.get("/groups").json()
    names = [group["name"] for group in groups]
    assert names == sorted(names)
    assert all(group["path"] == f"/{group['name']}" and group["subGroups"] == [] for group in groups)
    assert any(group["subGroupCount"] > 0 for group in groups)
    assert "bb-platform-developers" not in names
    assert "attributes" not in groups[0]
    described = {group.name: group.description for group in realm.company.groups.values()}
    assert {name: group.get("description", "") for name, group in zip(names, groups, strict=True)}.items() <= (
        described.items()
    )
    assert any("description" in group for group in groups)
    assert "attributes" in client.get("/groups?briefRepresentation=false").json()[0]


def test_children_come_ten_at_a_time_unless_asked_otherwise(client: httpx.Client):
    department = next(group for group in client.get("/groups").json() if group["subGroupCount"] > 10)
    path = f"/groups/{department['id']}/children"
    assert len(client.get(path).json()) == 10
    assert len(client.get(path, params={"max": 100}).json()) == department["subGroupCount"]
    assert len(client.get(path, params={"first": 10}).json()) == min(10, department["subGroupCount"] - 10)


def test_the_tree_is_the_companys_three_levels_deep(realm: KeycloakSimulator, client: httpx.Client):
    tree = whole_tree(client)
    assert client.get("/groups/count").json() == {"count": 300}
    assert {group["name"] for group in tree.values()} == {group.name for group in realm.company.groups.values()}
    assert {group["path"].count("/") for group in tree.values()} == {1, 2, 3}
    for group in tree.values():
        if "parentId" in group:
            assert group["path"] == f"{tree[group['parentId']]['path']}/{group['name']}"
    top = sum(1 for group in tree.values() if "parentId" not in group)
    assert client.get("/groups/count?top=true").json() == {"count": top}


def test_members_are_direct_and_never_those_of_the_groups_below(realm: KeycloakSimulator, client: httpx.Client):
    department = realm.company.group("bb-platform")
    path = f"/groups/{realm.state.group_id(department.id)}/members"
    names = {row["username"] for row in walk(client, path, 2)}
    assert names == {realm.company.people[person_id].username for person_id in realm.company.direct[department.id]}
    assert len(names) < len(realm.company.effective_members(department.id))


def test_a_page_of_members_holds_a_hundred(realm: KeycloakSimulator, client: httpx.Client):
    project = realm.company.group("bb-project-aurora")
    for person in realm.company.people.values():
        realm.company.join(person.id, project.id)
    path = f"/groups/{realm.state.group_id(project.id)}/members"
    assert len(client.get(path).json()) == 100
    assert len(client.get(f"{path}?max=-1&briefRepresentation=true").json()) == 250


def test_a_search_returns_the_match_below_its_ancestors(client: httpx.Client):
    found = client.get("/groups", params={"search": "bb-platform-developers", "exact": "true"}).json()
    assert [group["name"] for group in found] == ["bb-platform"]
    assert [group["name"] for group in found[0]["subGroups"]] == ["bb-platform-developers"]
    assert client.get("/groups/count", params={"search": "developers"}).json()["count"] > 1


def test_a_users_groups_are_direct(realm: KeycloakSimulator, client: httpx.Client):
    person = realm.company.pick(1)[0]
    path = f"/users/{realm.state.user_id(person.id)}/groups"
    names = {group["name"] for group in client.get(path).json()}
    assert names == {realm.company.groups[key].name for key in realm.company.memberships[person.id]}
    assert client.get(f"{path}/count").json() == {"count": len(names)}


def test_an_unknown_group_is_not_found(client: httpx.Client):
    for path in ("/groups/none", "/groups/none/children", "/groups/none/members"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Could not find group by id"})


def test_a_member_comes_without_what_one_may_do_to_them(realm: KeycloakSimulator, client: httpx.Client):
    path = f"/groups/{realm.state.group_id(realm.company.group('bb-platform').id)}/members"
    for brief in ("true", "false"):
        rows = client.get(path, params={"briefRepresentation": brief}).json()
        assert rows
        assert not any("access" in row for row in rows)


def test_admin_events_tell_what_changed_once_the_realm_keeps_them(realm: KeycloakSimulator, client: httpx.Client):
    realm.company.hire(1)
    assert client.get("/admin-events").json() == []
    realm.audit.switch(admin=True)
    person = realm.company.hire(1)[0]
    realm.company.leave(person.id)
    events = client.get("/admin-events", params={"direction": "asc"}).json()
    assert [(event["operationType"], event["resourceType"]) for event in events] == [
        ("CREATE", "USER"),
        ("CREATE", "GROUP_MEMBERSHIP"),
        ("CREATE", "GROUP_MEMBERSHIP"),
        ("UPDATE", "USER"),
    ]
    assert events[0]["resourcePath"] == f"users/{realm.state.user_id(person.id)}"
    assert events[1]["resourcePath"].startswith(f"users/{realm.state.user_id(person.id)}/groups/")
    newest = client.get("/admin-events?max=1").json()
    assert newest == events[-1:]
    chosen = client.get("/admin-events?resourceTypes=GROUP_MEMBERSHIP&resourceTypes=GROUP").json()
    assert len(chosen) == 2
    assert client.get("/admin-events", params={"dateFrom": events[-1]["time"] + 1}).json() == []
    assert len(client.get("/admin-events?dateFrom=2026-01-01&operationTypes=UPDATE").json()) == 1
    wrong = client.get("/admin-events?dateFrom=lately")
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("Invalid value for 'dateFrom'")
