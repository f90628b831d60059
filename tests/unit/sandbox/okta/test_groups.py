from typing import Any

import httpx

from sandbox.okta import OktaSimulator
from sandbox.population import Standing
from tests.unit.sandbox.okta.conftest import Walk

# The invented company's past ends before; what a test does to it comes after.
AFTER_THE_PAST = "2026-01-01T00:00:00.000Z"


def named(client: httpx.Client, name: str) -> Any:
    return next(row for row in client.get("/api/v1/groups").json() if row["profile"]["name"] == name)


def test_all_groups_and_everyone_are_listed_with_their_types(org: OktaSimulator, walk: Walk):
    rows = walk("/api/v1/groups?limit=15")
    assert len(rows) == len({row["id"] for row in rows}) == 41
    assert {row["type"] for row in rows} == {"OKTA_GROUP", "APP_GROUP", "BUILT_IN"}
    assert [row["profile"]["name"] for row in rows if row["type"] == "BUILT_IN"] == ["Everyone"]
    imported = [row for row in rows if row["type"] == "APP_GROUP"]
    assert all(row["_links"]["source"]["href"].startswith("http") for row in imported)


def test_without_a_limit_all_groups_come_in_one_page(client: httpx.Client):
    answer = client.get("/api/v1/groups")
    assert len(answer.json()) == 41
    assert "next" not in answer.links


def test_everyone_can_be_hidden_as_from_a_group_administrator(org: OktaSimulator, client: httpx.Client):
    org.switches.everyone_visible = False
    org.company.hire(1)
    assert len(client.get("/api/v1/groups").json()) == 40


def test_a_department_lists_the_members_of_its_teams(org: OktaSimulator, client: httpx.Client, walk: Walk):
    department = org.company.group("bb-platform")
    row = named(client, "bb-platform")
    members = {user["id"] for user in walk(row["_links"]["users"]["href"] + "?limit=20")}
    assert members == {org.state.user_id(person_id) for person_id in org.company.effective_members(department.id)}
    assert len(members) > len(org.company.direct[department.id])


def test_everyone_holds_all_who_are_not_deactivated(org: OktaSimulator, client: httpx.Client, walk: Walk):
    everyone = named(client, "Everyone")
    members = {user["profile"]["login"] for user in walk(f"/api/v1/groups/{everyone['id']}/users")}
    assert members == {person.login for person in org.company.employed()}


def test_the_deactivated_stay_in_their_groups_unless_the_switch_says_otherwise(org: OktaSimulator, walk: Walk):
    person = next(person for person in org.company.people.values() if person.standing is Standing.LEFT)
    path = f"/api/v1/groups/{org.state.group_id(next(iter(org.company.memberships[person.id])))}/users"
    user_id = org.state.user_id(person.id)
    assert user_id in {user["id"] for user in walk(path)}
    org.switches.leavers_stay_in_groups = False
    org.company.hire(1)
    assert user_id not in {user["id"] for user in walk(path)}


def test_both_directions_of_membership_agree(org: OktaSimulator, client: httpx.Client, walk: Walk):
    person = org.company.pick(1)[0]
    user_id = org.state.user_id(person.id)
    groups = {row["id"] for row in client.get(f"/api/v1/users/{user_id}/groups").json()}
    containing = {
        row["id"]
        for row in client.get("/api/v1/groups").json()
        if user_id in {user["id"] for user in walk(f"/api/v1/groups/{row['id']}/users")}
    }
    assert groups == containing
    assert len(groups) >= 3


def test_stats_count_the_members(client: httpx.Client, walk: Walk):
    rows = client.get("/api/v1/groups?expand=stats").json()
    counts = {row["profile"]["name"]: row["_embedded"]["stats"]["usersCount"] for row in rows}
    assert counts["bb-project-retired"] == 0
    department = next(row for row in rows if row["profile"]["name"] == "bb-mobile")
    assert counts["bb-mobile"] == len(walk(f"/api/v1/groups/{department['id']}/users"))
    assert "_embedded" not in client.get("/api/v1/groups?limit=1").json()[0]


def test_groups_whose_members_changed_are_found_and_so_are_those_above(org: OktaSimulator, client: httpx.Client):
    start = AFTER_THE_PAST
    team = org.company.group("bb-platform-developers")
    person = next(person for person in org.company.employed() if person.id not in org.company.direct[team.id])
    org.company.join(person.id, team.id)
    rows = client.get("/api/v1/groups", params={"filter": f'lastMembershipUpdated gt "{start}"'}).json()
    assert {row["profile"]["name"] for row in rows} == {"bb-platform", "bb-platform-developers"}
    assert client.get("/api/v1/groups", params={"filter": f'lastUpdated gt "{start}"'}).json() == []
    org.company.rename_group(team.id, "bb-platform-coders")
    either = f'lastUpdated gt "{start}" or lastMembershipUpdated gt "{start}"'
    assert len(client.get("/api/v1/groups", params={"filter": either}).json()) == 2
    org.company.leave(org.company.pick(1)[0].id)
    rows = client.get("/api/v1/groups", params={"filter": f'lastMembershipUpdated gt "{start}"'}).json()
    assert "Everyone" in {row["profile"]["name"] for row in rows}


def test_a_query_matches_the_beginning_of_the_name(client: httpx.Client):
    names = [row["profile"]["name"] for row in client.get("/api/v1/groups?q=BB-OFFICE").json()]
    assert len(names) == 5
    assert all(name.startswith("bb-office") for name in names)


def test_a_group_is_read_by_its_id_and_unknown_ones_are_not_found(client: httpx.Client):
    row = named(client, "bb-data")
    assert client.get(f"/api/v1/groups/{row['id']}").json() == row
    for path in ("/api/v1/groups/00gnone", "/api/v1/groups/00gnone/users", "/api/v1/users/00unone/groups"):
        assert client.get(path).json()["errorCode"] == "E0000007"
