"""From a push to Bitbucket: what a client sends to the receiver, a sync of the source `scim` carries on."""

from __future__ import annotations

import asyncio
from typing import Any

import ledger
from tests.scim_service import serve
from tests.unit.cli.conftest import Office

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def pushed_sync(office: Office) -> None:
    path = office.write_sync_file('groups:\n  assign: ["bb-*"]\n', name="pushed")
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("kind: file\n  people: people.csv", "kind: scim\n  connector: entra"), encoding="utf-8"
    )


async def push(url: str) -> None:
    async with serve(url) as served:
        ids = []
        for name in ("ann", "ben"):
            body: dict[str, Any] = {
                "schemas": [USER],
                "userName": name,
                "displayName": name.title(),
                "emails": [{"value": f"{name}@example.com", "type": "work", "primary": True}],
            }
            ids.append((await served.client.post("/Users", json=body)).json()["id"])
        made = await served.client.post("/Groups", json={"schemas": [GROUP], "displayName": "bb-dev"})
        add = {"op": "Add", "path": "members", "value": [{"$ref": None, "value": each} for each in ids]}
        path = f"/Groups/{made.json()['id']}"
        assert (await served.client.patch(path, json={"schemas": [PATCH], "Operations": [add]})).status_code == 204


def test_people_who_were_pushed_get_their_accounts_and_groups(office: Office) -> None:
    pushed_sync(office)
    asyncio.run(push(ledger.default_url(office.folder)))

    told = office.usersync("check", "pushed")
    assert "connector entra: 2 users, 1 groups and 2 memberships were pushed" in told.out, told
    told = office.usersync("sync", "pushed", "--json")

    assert told.code == 0, told
    assert [office.bitbucket.state.groups_of(name) for name in ("ann", "ben")] == [["bb-dev"], ["bb-dev"]]
    writes = office.bitbucket.requests.writes
    assert office.usersync("sync", "pushed").code == 0
    assert office.bitbucket.requests.writes == writes > 0


def test_a_connector_that_is_not_there_removes_nobody(office: Office) -> None:
    pushed_sync(office)

    told = office.usersync("sync", "pushed")

    assert told.code == 1
    assert "connector entra: there is no such connector" in told.out
    assert office.bitbucket.requests.writes == 0
