"""What a client, or somebody who is none, must not be able to do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import ledger
from service.scim import Limits
from tests.contract import scim_garbage
from tests.scim_service import BASE, Served, serve

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return ledger.default_url(tmp_path)


def user(called: Any = "jane", /, **more: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": called, **more}


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(operations)}


async def created(served: Served, called: str = "jane", /, **more: Any) -> str:
    answer = await served.client.post("/Users", json=user(called, **more))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refused(answer: httpx.Response, status: int) -> str:
    body = answer.json()
    assert (answer.status_code, body["schemas"], body["status"]) == (status, [ERROR], str(status)), answer.text
    assert answer.headers["content-type"] == "application/scim+json"
    assert "pydantic" not in answer.text
    assert "\n" not in body["detail"]
    return str(body["detail"])


async def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(url: str):
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(10_000):
            read += 1
            yield b"x" * 10_000

    async with serve(url) as served:
        answer = await served.client.post("/Users", content=endless())
        announced = await served.client.post("/Users", content=b"{}", headers={"Content-Length": "99999999"})

    assert refused(answer, 413)
    assert refused(announced, 413)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(user(emails=[{"value": f"{n}@x"} for n in range(101)]), 413, id="many e-mail addresses"),
        pytest.param(user(title="x" * 4097), 400, id="long text"),
        pytest.param(user("x" * 256), 400, id="long name"),
        pytest.param(user(title="a\0b"), 400, id="control character"),
        pytest.param(user(**dict.fromkeys((f"k{n}" for n in range(200)), 1)), 413, id="many keys"),
        pytest.param(user(""), 400, id="empty name"),
        pytest.param({"schemas": [USER]}, 400, id="no name"),
        pytest.param(user(active="perhaps"), 400, id="no boolean"),
        pytest.param([], 400, id="no object"),
    ],
)
async def test_a_resource_beyond_limits_is_refused(url: str, body: Any, status: int):
    async with serve(url) as served:
        assert refused(await served.client.post("/Users", json=body), status)
        assert (await served.client.get("/Users")).json()["totalResults"] == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"userName":"a","userName":"b"}', id="a key twice"),
        pytest.param(b"[" * 100_000, id="deep list"),
        pytest.param(b'{"a":' * 20 + b"1" + b"}" * 20, id="deep object"),
        pytest.param(b'{"userName":"\\ud800"}', id="half a character"),
        pytest.param(b'{"userName":"\xff"}', id="no UTF-8"),
        pytest.param(b'{"userName":NaN}', id="not a number"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_what_is_no_json_of_ours_is_refused(url: str, text: bytes):
    async with serve(url) as served:
        assert refused(await served.client.post("/Users", content=text), 400)


async def test_a_patch_has_a_bounded_number_of_operations_and_values(url: str):
    async with serve(url) as served:
        jane = await created(served)
        many = patch(*({"op": "replace", "path": "title", "value": str(n)} for n in range(101)))
        wide = patch({"op": "add", "path": "emails", "value": [{"value": f"{n}@x"} for n in range(101)]})
        deep = patch({"op": "replace", "path": "emails[" + "not (" * 9 + "type pr" + ")" * 9 + "].value", "value": "x"})

        assert refused(await served.client.patch(f"/Users/{jane}", json=many), 413)
        assert refused(await served.client.patch(f"/Users/{jane}", json=wide), 413)
        assert refused(await served.client.patch(f"/Users/{jane}", json=deep), 400)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"filter": " or ".join(['userName eq "a"'] * 51)}, id="many terms"),
        pytest.param({"filter": "(" * 9 + "title pr" + ")" * 9}, id="deep"),
        pytest.param({"filter": f'userName eq "{"x" * 5000}"'}, id="long"),
        pytest.param({"filter": 'userName eq "a\0"'}, id="control character"),
        pytest.param({"filter": 'shoeSize eq "44"'}, id="unknown attribute"),
        pytest.param({"filter": "userName"}, id="no filter"),
        pytest.param({"filter": "meta.created gt 1e400"}, id="infinite number"),
        pytest.param({"filter": f"meta.created gt 1{'0' * 400}"}, id="number beyond any float"),
        pytest.param({"count": "many"}, id="no number"),
    ],
)
async def test_a_search_beyond_limits_is_refused(url: str, query: dict[str, str]):
    async with serve(url) as served:
        assert refused(await served.client.get("/Users", params=query), 400)


@pytest.mark.parametrize("query", [{"startIndex": "1" + "0" * 30}, {"startIndex": "-5", "count": "0"}])
async def test_numbers_out_of_range_are_brought_into_it(url: str, query: dict[str, str]):
    async with serve(url) as served:
        await created(served)
        answer = await served.client.get("/Users", params=query)

    assert (answer.status_code, answer.json()["Resources"], answer.json()["totalResults"]) == (200, [], 1)


async def test_a_page_is_never_longer_than_the_limit(url: str):
    async with serve(url, limits=Limits(page=3, page_unasked=2)) as served:
        for number in range(5):
            await created(served, f"p{number}")
        lengths = [
            len((await served.client.get("/Users", params=query)).json()["Resources"])
            for query in ({}, {"count": "100"}, {"count": "1"}, {"filter": "userName pr", "count": "100"})
        ]

    assert lengths == [2, 3, 1, 3]


async def test_text_in_a_filter_is_never_sql(url: str):
    async with serve(url) as served:
        await created(served)
        for value in ("' OR 1=1 --", "%", "_ane", "jan%"):
            for operator in ("eq", "sw", "co"):
                answer = await served.client.get("/Users", params={"filter": f'userName {operator} "{value}"'})
                assert answer.json()["totalResults"] == 0


async def test_no_password_is_kept(url: str, tmp_path: Path):
    async with serve(url) as served:
        jane = await created(served, password="S3cretOfJane")
        answers = [
            await served.client.put(f"/Users/{jane}", json=user(password="S3cretOfJane")),
            await served.client.patch(
                f"/Users/{jane}", json=patch({"op": "replace", "value": {"password": "S3cretOfJane"}})
            ),
            await served.client.patch(
                f"/Users/{jane}", json=patch({"op": "add", "path": "password", "value": "S3cretOfJane"})
            ),
            await served.client.get(f"/Users/{jane}"),
        ]
        token = served.token

    assert [answer.status_code for answer in answers] == [200] * 4
    assert not any("S3cret" in answer.text for answer in answers)
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".usersync").iterdir())
    assert b"jane" in kept
    assert b"S3cret" not in kept
    assert token.encode() not in kept


async def test_what_is_ours_to_say_is_not_taken_from_a_client(url: str):
    async with serve(url) as served:
        said = {"id": "mine", "meta": {"version": 'W/"9"'}, "groups": [{"value": "admins"}]}
        jane = await created(served, **said)
        await served.client.patch(f"/Users/{jane}", json=patch({"op": "add", "value": said}))
        found = (await served.client.get(f"/Users/{jane}")).json()

    assert found["id"] == jane != "mine"
    assert (found["meta"]["version"], "groups" in found) == ('W/"1"', False)


async def test_addresses_come_from_the_configuration_and_not_from_the_host_header(url: str):
    async with serve(url) as served:
        answer = await served.client.post("/Users", json=user(), headers={"Host": "evil.example"})
        listed = await served.client.get("/Users", params={"attributes": "userName"}, headers={"Host": "evil.example"})
        types = await served.client.get("/ResourceTypes", headers={"Host": "evil.example"})

    assert answer.headers["location"].startswith(f"{BASE}/scim/entra/v2/Users/")
    assert not any("evil" in each.text + str(each.headers) for each in (answer, listed, types))


async def test_a_connector_may_have_an_address_of_its_own(url: str):
    async with serve(url, base_url="https://scim.example/idp/") as served:
        answer = await served.client.post("/Users", json=user())

    assert answer.json()["meta"]["location"].startswith("https://scim.example/idp/scim/entra/v2/Users/")


async def test_every_way_to_lack_a_token_is_answered_alike(url: str):
    async with serve(url) as served:
        served.book.scim.connectors.add("okta")
        other = served.book.scim.connectors.add_token("okta").secret
        shown = [
            None,
            "Bearer x",
            f"Bearer {other}",
            f"Bearer {served.token[:-1]}",
            f"Basic {served.token}",
            "Bearer é",
        ]
        answers = []
        for value in shown:
            headers = [] if value is None else [(b"Authorization", value.encode("latin-1"))]
            async with httpx.AsyncClient(transport=served.client._transport, base_url=BASE) as client:
                answers.append(await client.get("/scim/entra/v2/Users", headers=headers))
        async with httpx.AsyncClient(transport=served.client._transport, base_url=BASE) as client:
            nowhere = {"Authorization": f"Bearer {served.token}"}
            answers.append(await client.get("/scim/nowhere/v2/Users", headers=nowhere))
            answers.append(await client.get("/scim/entra/v2/ServiceProviderConfig"))

        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.text for answer in answers}) == 1
        assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="SCIM"'}


async def test_tokens_are_changed_over_and_revoked_one_by_one(url: str):
    async with serve(url) as served:
        connectors = served.book.scim.connectors
        second = connectors.add_token("entra")
        expired = connectors.add_token("entra", expires_at=datetime.now(UTC) - timedelta(seconds=1))

        async def status(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return (await served.client.get("/Users", headers=headers)).status_code

        assert [await status(each) for each in (served.token, second.secret, expired.secret)] == [200, 200, 401]
        connectors.revoke_token("entra", served.token.split("_")[1])
        assert [await status(each) for each in (served.token, second.secret)] == [401, 200]
        connectors.revoke("entra")
        assert await status(second.secret) == 401


async def test_one_connector_sees_and_disturbs_nothing_of_another(url: str):
    async with serve(url) as served:
        jane = await created(served)
        served.book.scim.connectors.add("okta")
        okta = {"Authorization": f"Bearer {served.book.scim.connectors.add_token('okta').secret}"}
        base = f"{BASE}/scim/okta/v2"

        taken = await served.client.post(f"{base}/Users", json=user(), headers=okta)
        member = {"schemas": [GROUP], "displayName": "Devs", "members": [{"value": jane}]}
        answers = [
            await served.client.get(f"{base}/Users/{jane}", headers=okta),
            await served.client.patch(
                f"{base}/Users/{jane}", json=patch({"op": "remove", "path": "title"}), headers=okta
            ),
            await served.client.delete(f"{base}/Users/{jane}", headers=okta),
        ]
        added = await served.client.post(f"{base}/Groups", json=member, headers=okta)
        found = (await served.client.get(f"{base}/Users", headers=okta)).json()

        assert taken.status_code == 201
        assert [answer.status_code for answer in answers] == [404] * 3
        assert "create it before it becomes a member" in refused(added, 400)
        assert [each["id"] for each in found["Resources"]] == [taken.json()["id"]]
        assert (await served.client.get("/Groups")).json()["totalResults"] == 0


async def test_who_asks_too_often_is_told_when_to_come_back(url: str):
    async with serve(url, limits=Limits(requests_per_second=0.05, burst=2)) as served:
        answers = [await served.client.get("/Users") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 20
    assert refused(answers[2], 429)


async def test_guessing_tokens_is_stopped_and_those_who_have_one_go_on(url: str):
    async with serve(url, limits=Limits(refusals_per_minute=4)) as served:
        before = await served.client.get("/Users")
        wrong = {"Authorization": "Bearer scim_000000000000_" + "x" * 43}
        answers = [await served.client.get("/Users", headers=wrong) for _ in range(3)]
        afterwards = await served.client.get("/Users")

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert (before.status_code, afterwards.status_code) == (200, 200)


async def test_other_media_types_and_methods_and_places_are_refused(url: str):
    async with serve(url) as served:
        jane = await created(served)
        assert refused(await served.client.post("/Users", content=b"<a/>", headers={"Content-Type": "text/xml"}), 415)
        assert refused(await served.client.request("TRACE", f"/Users/{jane}"), 405)
        assert refused(await served.client.get("/Printers"), 404)
        assert refused(await served.client.get(f"{BASE}/scim/UPPER/v2/Users"), 404)
        assert refused(await served.client.get("/Users/..%2f..%2fGroups"), 404)
        assert refused(await served.client.get("/Me"), 501)


async def test_answers_may_not_be_kept_by_anybody_on_the_way(url: str):
    async with serve(url) as served:
        answer = await served.client.get("/Users")

    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "server" not in answer.headers


async def test_an_error_repeats_nothing_secret_and_nothing_of_how_we_are_made(url: str):
    async with serve(url) as served:
        body = user(emails="none", name=["x"], active={"a": 1})
        told = refused(await served.client.post("/Users", json=body), 400)

    assert json.dumps(body) not in told
    assert len(told) < 400


BADGE = str(scim_garbage.BADGE["id"])
FURTHER: dict[str, Any] = {"schemas": [scim_garbage.BADGE]}
"""Attributes of every type that there is."""


def badged(further: str) -> bytes:
    return f'{{"userName":"jane","{BADGE}":{further}}}'.encode()


@pytest.mark.parametrize(
    "further",
    [
        '{"weight":1e400}',
        '{"weight":-1e400}',
        '{"weight":"Infinity"}',
        '{"weight":"NaN"}',
        '{"weights":[1,"1e400"]}',
        '{"doors":9223372036854775808}',
        '{"doors":"-9223372036854775809"}',
        f'{{"rooms":[1{"0" * 400}]}}',
    ],
    ids=lambda further: further[:24],
)
async def test_a_number_that_nothing_could_read_again_is_not_kept(ledger_url: str, further: str):
    async with serve(ledger_url, **FURTHER) as served:
        joe = await created(served, "joe", **{BADGE: {"weight": 1.5, "doors": 2**63 - 1}})
        operations = patch({"op": "add", "value": {BADGE: {"PLACE": 0}}})
        posted = await served.client.post("/Users", content=badged(further))
        replaced = await served.client.put(f"/Users/{joe}", content=badged(further))
        patched = await served.client.patch(
            f"/Users/{joe}", content=json.dumps(operations).replace('{"PLACE": 0}', further).encode()
        )
        # One such document made every search that looks into documents fail.
        found = await served.client.get("/Users", params={"filter": f"{BADGE}:weight gt 1"})

    assert {"a number is out of range", "a number of the body is out of range"} >= {
        refused(each, 400) for each in (posted, replaced, patched)
    }
    assert [each["id"] for each in found.json()["Resources"]] == [joe]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("doors lt 9223372036854775808", 1, id="beyond 64 bits"),
        pytest.param(f"doors gt -1{'0' * 400}", 1, id="below any float"),
        pytest.param("doors eq true", 0, id="truth for a number"),
        pytest.param("rooms gt false", 0, id="truth for numbers"),
        pytest.param(f"weights le 1{'0' * 300}", 1, id="beyond 64 bits for many"),
        pytest.param('made gt "0001-01-01T00:00:00+23:59"', 1, id="before all time"),
    ],
)
async def test_a_filter_may_compare_with_any_number(ledger_url: str, text: str, count: int):
    more = {"doors": 1, "rooms": [1, 2], "good": True, "weights": [0.5], "made": "2026-11-24T06:05:12Z"}
    async with serve(ledger_url, **FURTHER) as served:
        await created(served, **{BADGE: more})
        answer = await served.client.get("/Users", params={"filter": f"{BADGE}:{text}"})

    assert (answer.status_code, answer.json().get("totalResults")) == (200, count), answer.text


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\u001f"])
async def test_a_filter_or_path_holds_no_control_character_in_disguise_either(ledger_url: str, escape: str):
    async with serve(ledger_url) as served:
        jane = await created(served, title="a")
        path = {"op": "add", "path": f'emails[type eq "a{escape}"].value', "value": "x"}
        search = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": f'title eq "{escape}"'}
        answers = [
            await served.client.get("/Users", params={"filter": f'userName eq "a{escape}"'}),
            await served.client.get("/Users", params={"filter": f'title co "a{escape}"'}),
            await served.client.get("/Groups", params={"filter": f'members eq "a{escape}"'}),
            await served.client.post("/.search", json=search),
            await served.client.patch(f"/Users/{jane}", json=patch(path)),
        ]
        smiling = await served.client.get("/Users", params={"filter": 'title ne "\\ud83d\\ude00"'})

    assert {refused(each, 400) for each in answers} == {"the request holds a control character or half of a character"}
    assert smiling.json()["totalResults"] == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_an_address_with_a_control_character_leads_nowhere(ledger_url: str, method: str):
    async with serve(ledger_url) as served:
        for path in ("/Users/a%00b", "/Groups/a%00b", "/Schemas/%1f"):
            assert refused(await served.client.request(method, path, json=user()), 404)


async def test_numbers_of_a_search_are_brought_into_range_however_they_are_written(ledger_url: str):
    search = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}
    async with serve(ledger_url) as served:
        await created(served)
        for number in ("1" * 4000, 1e30, 10**18):
            answer = await served.client.post("/.search", json={**search, "startIndex": number, "count": number})
            assert (answer.status_code, answer.json()["totalResults"]) == (200, 1), answer.text


async def test_an_operation_of_any_shape_is_refused_and_no_defect(url: str):
    async with serve(url) as served:
        jane = await created(served)
        odd: list[Any] = [[], {}, 1, None, "move"]
        for op in odd:
            for path in ("title", "manager", None):
                body = patch({"op": op, "path": path, "value": "x"})
                assert refused(await served.client.patch(f"/Users/{jane}", json=body), 400)


async def test_a_length_in_digits_of_another_kind_is_no_length(url: str):
    async with serve(url) as served:
        answer = await served.client.post("/Users", json=user(), headers=[(b"Content-Length", "²".encode("latin-1"))])
    assert answer.status_code == 201
