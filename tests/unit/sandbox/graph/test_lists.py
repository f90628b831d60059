"""Users, groups, members, pages and filters."""

import httpx
import pytest

from sandbox.graph import GraphSimulator
from sandbox.graph.state import Link
from tests.unit.sandbox.graph.conftest import Walk

EVENTUAL = {"ConsistencyLevel": "eventual"}


def test_without_select_a_user_has_eleven_properties(client: httpx.Client):
    (user,) = client.get("/users?$top=1").json()["value"]
    assert len(user) == 11
    assert "accountEnabled" not in user
    (chosen,) = client.get("/users?$top=1&$select=id,accountEnabled,onPremisesExtensionAttributes").json()["value"]
    assert set(chosen) == {"id", "accountEnabled", "onPremisesExtensionAttributes"}


@pytest.mark.parametrize("top", ["0", "1000", "x"])
def test_a_page_size_that_graph_does_not_allow_is_refused(client: httpx.Client, top: str):
    answer = client.get(f"/users?$top={top}")
    assert answer.status_code == 400
    assert f"Invalid page size specified: '{top}'" in answer.json()["error"]["message"]


def test_pages_come_to_an_end_with_every_row_once(tenant: GraphSimulator, walk: Walk):
    ids = [row["id"] for row in walk("/users?$top=40&$select=id")]
    assert sorted(ids) == sorted(tenant.state.users())
    assert len(walk("/groups?$top=5")) == 24
    assert len(walk("/users")) == 250


@pytest.mark.parametrize(
    ("query", "status"),
    [("$skip=5", 400), ("$select=nothing", 400), ("$select=aboutMe", 501), ("$skiptoken=forged", 400)],
)
def test_what_a_list_refuses(client: httpx.Client, query: str, status: int):
    assert client.get(f"/users?{query}").status_code == status


def test_members_are_direct_and_transitive_members_are_not(tenant: GraphSimulator, walk: Walk):
    firm = tenant.company
    group = next(group for group in firm.groups.values() if firm.below[group.id])
    path = f"/groups/{tenant.state.group_id(group.id)}"
    direct = {row["id"]: row["@odata.type"] for row in walk(f"{path}/members?$select=id")}
    people = {tenant.state.user_id(key) for key in firm.direct[group.id]}
    assert {key for key, kind in direct.items() if kind == "#microsoft.graph.user"} == people
    assert {key for key, kind in direct.items() if kind == "#microsoft.graph.group"} == {
        tenant.state.group_id(child) for child in firm.below[group.id]
    }
    everybody = {row["id"] for row in walk(f"{path}/transitiveMembers") if row["@odata.type"].endswith("user")}
    assert everybody == {tenant.state.user_id(key) for key in firm.effective_members(group.id)}


def test_circles_are_allowed_and_end(tenant: GraphSimulator, walk: Walk):
    child = next(group for group in tenant.company.groups.values() if group.parent)
    tenant.state.nest(child.id, str(child.parent))
    ids = [row["id"] for row in walk(f"/groups/{tenant.state.group_id(child.id)}/transitiveMembers?$top=999")]
    assert tenant.state.group_id(child.id) in ids
    assert len(ids) == len(set(ids))


def test_devices_are_listed_and_service_principals_are_not(tenant: GraphSimulator, walk: Walk):
    group = next(iter(tenant.state.groups()))
    for kind in ("device", "servicePrincipal"):
        tenant.state.add(Link(group, f"ffff-{kind}", kind))
    path = f"/groups/{group}/members?$select=id&$top=999"
    assert "#microsoft.graph.device" in {row["@odata.type"] for row in walk(path)}
    assert "#microsoft.graph.servicePrincipal" not in {row["@odata.type"] for row in walk(path)}
    tenant.switches.members_list_service_principals = True
    assert "#microsoft.graph.servicePrincipal" in {row["@odata.type"] for row in walk(path)}


def test_an_expanded_list_of_members_ends_at_twenty(tenant: GraphSimulator, client: httpx.Client):
    tenant.company.hire(200)
    groups = client.get("/groups?$expand=members&$top=999").json()["value"]
    assert max(len(group["members"]) for group in groups) == 20


def test_a_manager_is_expanded_only_where_there_is_one(tenant: GraphSimulator, client: httpx.Client):
    users = client.get("/users?$select=id&$expand=manager($select=id)&$top=999").json()["value"]
    for user in users:
        manager = tenant.state.manager_of(tenant.state.users()[user["id"]])
        assert user.get("manager", {}).get("id") == manager


@pytest.mark.parametrize(
    ("text", "advanced"),
    [
        ("startswith(displayName,'bb-project-')", False),
        ("displayName eq 'BB-project-aurora'", False),
        ("displayName in ('bb-project-aurora', 'none')", False),
        ("groupTypes/any(c:c eq 'Unified') or (securityEnabled eq true and startswith(displayName,'bb-o'))", False),
        ("not(startswith(displayName,'bb-project-'))", True),
        ("endsWith(displayName,'aurora')", True),
        ("displayName ne 'bb-project-aurora'", True),
        ("description eq null", True),
    ],
)
def test_a_filter_chooses_and_some_need_an_advanced_query(client: httpx.Client, text: str, advanced: bool):
    plain = client.get("/groups", params={"$filter": text})
    assert plain.status_code == (400 if advanced else 200)
    if advanced:
        assert plain.json()["error"]["code"] == "Request_UnsupportedQuery"
        assert "ConsistencyLevel:eventual" in plain.json()["error"]["message"]
    full = client.get("/groups", params={"$filter": text, "$count": "true"}, headers=EVENTUAL).json()
    assert 0 < full["@odata.count"] == len(full["value"]) < 24


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name eq 'x'", "filter clause specified for property 'name' of resource 'Group'"),
        ("displayName eq bb", "Syntax error"),
        ("displayName", "Syntax error"),
        ("displayName eq 'x' 'y'", "Syntax error"),
        ("§", "Syntax error"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(client: httpx.Client, text: str, said: str):
    answer = client.get("/groups", params={"$filter": text})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_counts_need_the_header(client: httpx.Client):
    assert client.get("/users/$count").status_code == 400
    assert client.get("/users/$count", headers=EVENTUAL).text == "250"
    assert client.get("/users?$count=true").status_code == 400


def test_another_ordering_shows_the_same_rows_in_another_order(tenant: GraphSimulator, walk: Walk):
    before = [row["id"] for row in walk("/users?$top=100&$select=id")]
    tenant.switches.ordering = "seed"
    after = [row["id"] for row in walk("/users?$top=100&$select=id")]
    assert before != after
    assert sorted(before) == sorted(after)
