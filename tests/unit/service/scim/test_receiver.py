"""What a client may ask for, and what is noted of what it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ledger
from directory.errors import ConfigurationError
from ledger.scim.store import Audit
from service.scim.shape import ENTERPRISE, checked_schemas
from tests.contract.test_scim_tester import CUSTOM
from tests.scim_service import Served, serve

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return ledger.default_url(tmp_path)


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(operations)}


async def created(served: Served, called: str = "jane", /, **more: Any) -> str:
    answer = await served.client.post("/Users", json={"schemas": [USER], "userName": called, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def group(served: Served, *members: str, name: str = "Devs") -> str:
    body = {"schemas": [GROUP], "displayName": name, "members": [{"value": each} for each in members]}
    answer = await served.client.post("/Groups", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def members(served: Served, group_id: str) -> set[str]:
    answer = await served.client.get(f"/Groups/{group_id}")
    return {each["value"] for each in answer.json().get("members", [])}


def audit(served: Served) -> list[Audit]:
    return served.book.scim.audit(served.connector.id)[::-1]


def touched(served: Served) -> set[tuple[str, str]]:
    return {(each.kind, each.resource_id) for each in served.book.scim.touched(served.connector.id)}


async def test_versions_guard_against_changes_in_between(url: str):
    async with serve(url) as served:
        jane = await created(served)
        tag = (await served.client.get(f"/Users/{jane}")).headers["etag"]
        same = await served.client.get(f"/Users/{jane}", headers={"If-None-Match": tag})
        body = patch({"op": "replace", "path": "title", "value": "Boss"})
        first = await served.client.patch(f"/Users/{jane}", json=body, headers={"If-Match": tag})
        second = await served.client.patch(f"/Users/{jane}", json=body, headers={"If-Match": tag})
        gone = await served.client.delete(f"/Users/{jane}", headers={"If-Match": tag})
        again = await served.client.patch(f"/Users/{jane}", json=body)

    assert [each.status_code for each in (same, first, second, gone, again)] == [304, 200, 412, 412, 200]
    assert first.headers["etag"] == again.headers["etag"] == 'W/"2"', "what changes nothing is no new version"


async def test_members_change_by_what_comes_and_goes(url: str):
    async with serve(url) as served:
        a, b, c = [await created(served, name) for name in "abc"]
        devs = await group(served, a)
        steps: list[tuple[dict[str, Any], set[str]]] = [
            ({"op": "Add", "path": "members", "value": [{"$ref": None, "value": b}]}, {a, b}),
            ({"op": "add", "value": {"members": [{"value": c}]}}, {a, b, c}),
            ({"op": "Remove", "path": "members", "value": [{"$ref": None, "value": a}]}, {b, c}),
            ({"op": "remove", "path": f'members[value eq "{b}" or value eq "none"]'}, {c}),
            ({"op": "replace", "path": "members", "value": [{"value": a}, {"value": b}]}, {a, b}),
            ({"op": "remove", "path": 'members[type eq "User"]'}, set()),
            ({"op": "add", "path": "members", "value": {"value": a}}, {a}),
            ({"op": "remove", "path": "members"}, set()),
        ]
        for operation, wanted in steps:
            answer = await served.client.patch(f"/Groups/{devs}", json=patch(operation))
            assert (answer.status_code, await members(served, devs)) == (204, wanted), operation


async def test_a_patch_is_carried_out_whole_or_not_at_all(url: str):
    async with serve(url) as served:
        a = await created(served, "a")
        devs = await group(served)
        mixed = patch(
            {"op": "replace", "path": "displayName", "value": "Renamed"},
            {"op": "add", "path": "members", "value": [{"value": a}, {"value": "nobody"}]},
        )
        answer = await served.client.patch(f"/Groups/{devs}", json=mixed)
        found = (await served.client.get(f"/Groups/{devs}")).json()

        assert answer.status_code == 400
        assert (found["displayName"], found["meta"]["version"], "members" in found) == ("Devs", 'W/"1"', False)
        assert [each.action for each in audit(served)] == ["create", "create"]


async def test_a_person_says_which_groups_they_are_in(url: str):
    async with serve(url) as served:
        jane = await created(served)
        devs = await group(served, jane)
        one = (await served.client.get(f"/Users/{jane}")).json()["groups"]
        listed = (await served.client.get("/Users", params={"filter": f'groups eq "{devs}"'})).json()
        chosen = (await served.client.get("/Users", params={"attributes": "groups.value"})).json()

    assert [(each["value"], each["display"], each["type"]) for each in one] == [(devs, "Devs", "direct")]
    assert listed["Resources"][0]["groups"] == one
    assert [each["value"] for each in chosen["Resources"][0]["groups"]] == [devs]


async def test_attributes_are_chosen_and_left_out(url: str):
    async with serve(url) as served:
        jane = await created(served, title="Boss", emails=[{"value": "j@x.example", "type": "work"}])
        chosen = (await served.client.get(f"/Users/{jane}", params={"attributes": "title"})).json()
        left = (await served.client.get(f"/Users/{jane}", params={"excludedAttributes": "emails,title"})).json()

    assert set(chosen) == {"schemas", "id", "title"}
    assert {"userName", "emails", "title"} & set(left) == {"userName"}


async def test_pages_follow_a_cursor_to_the_end_and_back(url: str):
    async with serve(url) as served:
        for number in range(7):
            await created(served, f"p{number}", title=f"t{number % 3}")
        seen, cursor, pages = [], "", []
        while cursor is not None:
            query = {"cursor": cursor, "count": "3", "sortBy": "title", "sortOrder": "descending"}
            page = (await served.client.get("/Users", params=query)).json()
            pages.append(page)
            seen += [each["userName"] for each in page["Resources"]]
            cursor = page.get("nextCursor")
        query["cursor"] = pages[-1]["previousCursor"]
        back = (await served.client.get("/Users", params=query)).json()
        forged = await served.client.get("/Users", params={"cursor": "AAAA"})

    assert len(seen) == len(set(seen)) == 7
    assert [page["totalResults"] for page in pages] == [7, 7, 7]
    assert back["Resources"] == pages[-2]["Resources"]
    assert forged.status_code == 400


async def test_people_are_sorted(url: str):
    async with serve(url) as served:
        for name, family in (("a", "Zorn"), ("b", "Ärmel"), ("c", "abel"), ("d", None)):
            await created(served, name, **({"name": {"familyName": family}} if family else {}))
        query = {"sortBy": "name.familyName"}
        up = (await served.client.get("/Users", params=query)).json()["Resources"]
        down = (await served.client.get("/Users", params={**query, "sortOrder": "descending"})).json()["Resources"]

    assert [each["userName"] for each in up] == ["c", "a", "b", "d"]
    assert [each["userName"] for each in down] == ["d", "b", "a", "c"]


async def test_a_search_walks_people_and_groups_alike(url: str):
    async with serve(url) as served:
        jane = await created(served, displayName="Devs")
        devs = await group(served, jane)
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": 'displayName eq "devs"'}
        answer = await served.client.post("/.search", json=body)
        people = await served.client.post("/Users/.search", json=body)

    assert {each["id"] for each in answer.json()["Resources"]} == {jane, devs}
    assert [each["id"] for each in people.json()["Resources"]] == [jane]


async def test_a_bulk_is_carried_out_in_order_and_mended_as_single_requests_are(url: str):
    async with serve(url) as served:
        old = await created(served, "old")
        devs = await group(served, old)
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": "n", "data": {"userName": "new", "password": "x"}},
            {
                "method": "PATCH",
                "path": f"/Groups/{devs}",
                "data": patch(
                    {"op": "Add", "path": "members", "value": [{"value": "bulkId:n"}]},
                    {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": old}]},
                ),
            },
            {"method": "POST", "path": "/Users", "bulkId": "o", "data": {"userName": "OLD"}},
            {"method": "DELETE", "path": f"/Users/{old}"},
        ]
        answer = await served.client.post("/Bulk", json={"schemas": [BULK], "Operations": operations})
        done = answer.json()["Operations"]

        assert [each["status"] for each in done] == ["201", "200", "409", "204"]
        assert await members(served, devs) == {done[0]["location"].rpartition("/")[2]}


async def test_a_strict_connector_takes_what_is_scim_alone(url: str):
    async with serve(url, strict=True) as served:
        jane = await created(served)
        flat = await served.client.patch(f"/Users/{jane}", json=patch({"op": "add", "path": "manager", "value": "x"}))
        unquoted = await served.client.get("/Users", params={"filter": "userName eq jane"})
        foreign = await served.client.post("/Groups", json={"schemas": [GROUP, "urn:x"], "displayName": "g"})

    assert [each.status_code for each in (flat, unquoted, foreign)] == [400, 400, 400]


async def test_further_attributes_are_announced_kept_found_and_answered(url: str):
    urn = str(CUSTOM["id"])
    async with serve(url, schemas=checked_schemas([CUSTOM])) as served:
        jane = await created(served, schemas=[USER, urn], **{urn: {"colour": "Red", "doors": 12}})
        await created(served, "joe", schemas=[USER, urn], **{urn: {"colour": "red", "doors": 3}})
        announced = (await served.client.get("/Schemas")).json()["Resources"]
        found = [
            (await served.client.get("/Users", params={"filter": f"{urn}:{text}"})).json()["Resources"]
            for text in ('colour eq "Red"', "doors gt 5", 'colour sw "R"')
        ]

    assert urn in {each["id"] for each in announced}
    assert [[each["id"] for each in each_found] for each_found in found] == [[jane]] * 3
    assert found[0][0][urn] == {"colour": "Red", "doors": 12}


def test_an_attribute_that_is_never_to_be_returned_is_not_taken():
    secret = {**CUSTOM, "attributes": [{**CUSTOM["attributes"][0], "returned": "never"}]}

    with pytest.raises(ConfigurationError, match="what is secret is not kept"):
        checked_schemas([secret])


async def test_every_write_is_noted_with_who_from_where_and_what(url: str):
    async with serve(url) as served:
        jane = await created(served, emails=[{"value": "j@x.example"}])
        body = patch({"op": "Add", "path": "department", "value": "Tools"})
        await served.client.patch(f"/Users/{jane}", json=body)
        devs = await group(served, jane)
        await served.client.delete(f"/Users/{jane}")
        noted = audit(served)
        token_id = served.token.split("_")[1]

    assert [(each.action, each.kind, each.version_before, each.version_after) for each in noted] == [
        ("create", "User", None, 1),
        ("patch", "User", 1, 2),
        ("create", "Group", None, 1),
        ("create", "Group", 1, 2),
        ("delete", "User", 2, None),
    ]
    assert [each.changed for each in noted[:2]] == [("emails", "userName"), (ENTERPRISE,)]
    assert noted[1].mended == ("enterprise attributes among those of the core",)
    assert {(each.token_id, each.client) for each in noted} == {(token_id, "192.0.2.7")}
    assert {each.resource_id for each in noted} == {jane, devs}
    assert "j@x.example" not in str(noted)


async def test_who_is_touched_waits_until_somebody_has_looked(url: str):
    async with serve(url) as served:
        a, b = [await created(served, name) for name in "ab"]
        devs = await group(served, a)
        seen = served.book.scim.touched(served.connector.id)
        assert touched(served) == {("User", a), ("User", b), ("Group", devs)}

        await served.client.patch(
            f"/Groups/{devs}", json=patch({"op": "add", "path": "members", "value": [{"value": b}]})
        )
        served.book.scim.seen(served.connector.id, seen)
        assert touched(served) == {("User", b)}, "touched again since it was read"

        await served.client.delete(f"/Groups/{devs}")
        assert touched(served) == {("User", a), ("User", b), ("Group", devs)}


async def test_the_last_use_of_a_token_is_noted(url: str):
    async with serve(url) as served:
        await served.client.get("/Users")
        served.receiver.close()
        (token,) = served.book.scim.connectors.tokens(served.connector)

    assert token.last_used_at is not None
