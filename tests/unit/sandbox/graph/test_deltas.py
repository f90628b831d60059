"""What changed since a link was given."""

from typing import Any

import httpx
import pytest

from sandbox.graph import GraphSimulator


def drain(client: httpx.Client, link: str) -> tuple[list[dict[str, Any]], str]:
    rows: list[dict[str, Any]] = []
    for _ in range(300):
        answer = client.get(link)
        assert answer.status_code == 200, answer.text
        rows += answer.json()["value"]
        if "@odata.deltaLink" in answer.json():
            return rows, answer.json()["@odata.deltaLink"]
        link = answer.json()["@odata.nextLink"]
    raise AssertionError("three hundred pages and no end")


def test_the_first_call_gives_everybody_and_the_next_only_what_changed(tenant: GraphSimulator, client: httpx.Client):
    rows, link = drain(client, "/users/delta?$select=displayName,accountEnabled")
    assert {row["id"] for row in rows} == set(tenant.state.users())
    assert drain(client, link)[0] == []
    one, other = tenant.company.pick(2)
    tenant.company.leave(one.id)
    tenant.company.erase(other.id)
    rows, link = drain(client, link)
    shown = {row["id"]: row for row in rows}
    assert shown[tenant.state.user_id(one.id)]["accountEnabled"] is False
    assert shown[tenant.state.user_id(other.id)]["@removed"] == {"reason": "changed"}
    assert len(rows) == 2
    assert drain(client, link)[0] == []


def test_members_come_and_go_in_a_groups_own_list(tenant: GraphSimulator, client: httpx.Client):
    _, link = drain(client, "/groups/delta?$select=displayName,members")
    person = tenant.company.employed()[0]
    joined = next(key for key in tenant.company.groups if key not in tenant.company.memberships[person.id])
    left = next(iter(tenant.company.memberships[person.id]))
    tenant.company.join(person.id, joined)
    tenant.company.quit(person.id, left)
    rows = {row["id"]: row["members@delta"] for row in drain(client, link)[0]}
    (come,) = rows[tenant.state.group_id(joined)]
    (gone,) = rows[tenant.state.group_id(left)]
    assert come == {"@odata.type": "#microsoft.graph.user", "id": tenant.state.user_id(person.id)}
    assert gone["@removed"] == {"reason": "deleted"}


def test_a_closed_group_is_removed_and_leaves_the_group_above(tenant: GraphSimulator, client: httpx.Client):
    _, link = drain(client, "/groups/delta?$select=displayName,members")
    firm = tenant.company
    child = next(group for group in firm.groups.values() if group.parent and not firm.below[group.id])
    firm.close_group(child.id)
    rows = {row["id"]: row for row in drain(client, link)[0]}
    assert rows[tenant.state.group_id(child.id)]["@removed"] == {"reason": "changed"}
    (gone,) = rows[tenant.state.group_id(str(child.parent))]["members@delta"]
    assert (gone["@odata.type"], "@removed" in gone) == ("#microsoft.graph.group", True)


def test_a_large_group_comes_in_several_rows_and_pages_repeat_rows(tenant: GraphSimulator, client: httpx.Client):
    tenant.switches.delta_members_page = 4
    tenant.switches.delta_page = 3
    plain, _ = drain(client, "/groups/delta?$select=displayName,members")
    ids = [row["id"] for row in plain]
    assert len(ids) > len(set(ids)) == 24
    for group_id in tenant.state.groups():
        told = [member["id"] for row in plain if row["id"] == group_id for member in row.get("members@delta", [])]
        assert sorted(told) == sorted(tenant.state.members(group_id))
    tenant.switches.delta_replays = 2
    repeated, _ = drain(client, "/groups/delta?$select=displayName,members")
    assert len(repeated) > len(plain)


def test_latest_gives_a_link_and_no_rows(tenant: GraphSimulator, client: httpx.Client):
    rows, link = drain(client, "/users/delta?$select=displayName&$deltatoken=latest")
    assert rows == []
    (person,) = tenant.company.hire(1)
    (row,) = drain(client, link)[0]
    assert row == {"displayName": person.display_name, "id": tenant.state.user_id(person.id)}


def test_forgotten_links_are_refused_in_two_ways(tenant: GraphSimulator, client: httpx.Client):
    _, link = drain(client, "/users/delta")
    tenant.forget_deltas("410")
    gone = client.get(link)
    assert gone.status_code == 410
    assert gone.headers["location"].endswith("/users/delta")
    tenant.forget_deltas("syncStateNotFound")
    refused = client.get(link)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "syncStateNotFound")
    assert drain(client, "/users/delta")[0]


@pytest.mark.parametrize("query", ["$top=5", "$expand=manager", "$orderby=displayName", "$filter=displayName eq 'x'"])
def test_what_a_delta_refuses(client: httpx.Client, query: str):
    assert client.get(f"/users/delta?{query}").status_code == 400
