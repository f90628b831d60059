"""Many at once, over sockets: nothing that was answered is lost, whatever ends the process."""

from __future__ import annotations

import asyncio

import httpx

import ledger
from tests.scim_server import started

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def new_token(url: str) -> str:
    with ledger.open(url) as book:
        book.scim.connectors.add("entra")
        return book.scim.connectors.add_token("entra").secret


def asking(address: str, token: str) -> httpx.AsyncClient:
    base, headers = f"{address}/scim/entra/v2", {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=base, headers=headers, timeout=60, limits=httpx.Limits(max_connections=60))


async def person(client: httpx.AsyncClient, name: str) -> str:
    answer = await client.post("/Users", json={"schemas": [USER], "userName": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def change(op: str, path: str, value: object) -> dict[str, object]:
    return {"schemas": [PATCH], "Operations": [{"op": op, "path": path, "value": value}]}


async def test_fifty_members_added_at_once_through_two_processes_are_fifty_members(ledger_url: str):
    token = new_token(ledger_url)
    async with (
        started(ledger_url) as (_, one),
        started(ledger_url) as (_, two),
        asking(one, token) as a,
        asking(two, token) as b,
    ):
        ids = await asyncio.gather(*(person(a, f"p{number}") for number in range(50)))
        group = (await a.post("/Groups", json={"schemas": [GROUP], "displayName": "Devs"})).json()["id"]

        answers = await asyncio.gather(
            *(
                (a, b)[number % 2].patch(f"/Groups/{group}", json=change("Add", "members", [{"value": each}]))
                for number, each in enumerate(ids)
            )
        )
        assert [answer.status_code for answer in answers] == [204] * 50
        members = (await b.get(f"/Groups/{group}")).json()["members"]
        assert {each["value"] for each in members} == set(ids)

        answers = await asyncio.gather(
            *(
                (a, b)[number % 2].patch(
                    f"/Groups/{group}", json=change("Remove", "members", [{"$ref": None, "value": each}])
                )
                for number, each in enumerate(ids[:49])
            )
        )
        assert [answer.status_code for answer in answers] == [204] * 49
        left = (await a.get(f"/Groups/{group}")).json()["members"]
        assert [each["value"] for each in left] == ids[49:]


async def test_changes_of_one_person_at_once_are_all_carried_out(ledger_url: str):
    token = new_token(ledger_url)
    async with (
        started(ledger_url) as (_, one),
        started(ledger_url) as (_, two),
        asking(one, token) as a,
        asking(two, token) as b,
    ):
        jane = await person(a, "jane")

        paths = [f'phoneNumbers[type eq "t{number}"].value' for number in range(20)]
        answers = await asyncio.gather(
            *(
                (a, b)[number % 2].patch(f"/Users/{jane}", json=change("Add", path, f"+{number}"))
                for number, path in enumerate(paths)
            )
        )

        assert [answer.status_code for answer in answers] == [200] * 20
        assert len((await b.get(f"/Users/{jane}")).json()["phoneNumbers"]) == 20


async def test_of_many_who_create_one_name_at_once_one_succeeds(ledger_url: str):
    token = new_token(ledger_url)
    async with (
        started(ledger_url) as (_, one),
        started(ledger_url) as (_, two),
        asking(one, token) as a,
        asking(two, token) as b,
    ):
        body = {"schemas": [USER], "userName": "Jane"}
        answers = await asyncio.gather(*((a, b)[number % 2].post("/Users", json=body) for number in range(12)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
    assert {answer.json()["scimType"] for answer in answers if answer.status_code == 409} == {"uniqueness"}


async def test_every_answered_write_outlives_a_killed_process(ledger_url: str):
    token = new_token(ledger_url)
    answered: list[str] = []
    busy = asyncio.Event()

    async def push(client: httpx.AsyncClient, number: int) -> None:
        for turn in range(1000):
            try:
                answered.append(await person(client, f"p{number}-{turn}"))
            except httpx.HTTPError:
                return
            if len(answered) >= 100:
                busy.set()

    async with started(ledger_url) as (process, address), asking(address, token) as client:
        pushing = [asyncio.create_task(push(client, number)) for number in range(8)]
        await busy.wait()
        process.kill()
        await asyncio.gather(*pushing)
        assert len(answered) < 8000, "the process was killed while clients were pushing"

    with ledger.open(ledger_url) as book:
        pushed = book.scim.pushed(book.scim.connectors.get("entra").id)
        noted = book.scim.audit(book.scim.connectors.get("entra").id, limit=10_000)
    there = {each for each, _ in pushed.people}
    assert set(answered) <= there
    assert pushed.promised["User"] == len(there)
    assert {each.resource_id for each in noted} == there
