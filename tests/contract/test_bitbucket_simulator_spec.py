"""The Bitbucket simulator answers as Atlassian's description of the API says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.bitbucket import BitbucketSimulator, Directory, Switches
from sandbox.bitbucket.app import ROUTES
from sandbox.serving import served
from tests.contract.bitbucket_defects import bitbucket_description
from tests.contract.judged import Judged

JANE = {"name": "jane", "emailAddress": "jane@example.com", "displayName": "Jane", "password": "secret"}
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01"

# method, path, further arguments of the request, status: in this order on one fresh Bitbucket
SCRIPT: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "/admin/users", {"params": JANE}, 204),
    ("POST", "/admin/users", {"params": JANE}, 409),
    ("POST", "/admin/users", {"params": {**JANE, "name": "bad", "emailAddress": "bad"}}, 400),
    ("GET", "/admin/users", {"params": {"filter": "j", "start": 0, "limit": 1}}, 200),
    ("PUT", "/admin/users", {"json": {"name": "jane", "displayName": "J", "email": "j@example.com"}}, 200),
    ("PUT", "/admin/users", {"json": {"name": "jane", "email": "bad"}}, 400),
    ("PUT", "/admin/users", {"json": {"name": "nobody", "displayName": "J"}}, 404),
    ("POST", "/admin/users/rename", {"json": {"name": "jane", "newName": "a@b"}}, 200),
    ("POST", "/admin/users/rename", {"json": {"name": "jane", "newName": "x"}}, 404),
    ("POST", "/admin/users/rename", {"json": {"name": "a@b", "newName": "jane"}}, 200),
    ("PUT", "/admin/users/credentials", {"json": {"name": "jane", "password": "x", "passwordConfirm": "x"}}, 204),
    ("PUT", "/admin/users/credentials", {"json": {"name": "jane", "password": "x", "passwordConfirm": "y"}}, 400),
    ("DELETE", "/admin/users/captcha", {"params": {"name": "jane"}}, 204),
    ("POST", "/admin/groups", {"params": {"name": "dev"}}, 200),
    ("POST", "/admin/groups", {"params": {"name": "dev"}}, 409),
    ("GET", "/admin/groups", {"params": {"limit": 1}}, 200),
    ("GET", "/groups", {}, 200),
    ("POST", "/admin/groups/add-users", {"json": {"group": "dev", "users": ["jane", "admin"]}}, 200),
    ("POST", "/admin/groups/add-users", {"json": {"group": "dev", "users": ["nobody"]}}, 404),
    ("POST", "/admin/groups/add-user", {"json": {"context": "dev", "itemName": "jane"}}, 200),
    ("POST", "/admin/users/add-groups", {"json": {"user": "jane", "groups": ["dev"]}}, 200),
    ("POST", "/admin/users/add-group", {"json": {"context": "jane", "itemName": "dev"}}, 200),
    ("GET", "/admin/groups/more-members", {"params": {"context": "dev"}}, 200),
    ("GET", "/admin/groups/more-members", {"params": {"context": "unknown"}}, 200),
    ("GET", "/admin/groups/more-non-members", {"params": {"context": "dev"}}, 200),
    ("GET", "/admin/users/more-members", {"params": {"context": "jane"}}, 200),
    ("GET", "/admin/users/more-non-members", {"params": {"context": "jane"}}, 200),
    ("POST", "/admin/groups/remove-user", {"json": {"context": "dev", "itemName": "jane"}}, 200),
    ("POST", "/admin/users/remove-group", {"json": {"context": "jane", "itemName": "dev"}}, 404),
    ("PUT", "/admin/permissions/users", {"params": {"name": ["jane"], "permission": "ADMIN"}}, 204),
    ("PUT", "/admin/permissions/users", {"params": {"name": ["admin"], "permission": "ADMIN"}}, 409),
    ("GET", "/admin/permissions/users", {}, 200),
    ("GET", "/admin/permissions/users/none", {}, 200),
    ("DELETE", "/admin/permissions/users", {"params": {"name": "jane"}}, 204),
    ("PUT", "/admin/permissions/groups", {"params": {"name": ["dev"], "permission": "LICENSED_USER"}}, 204),
    ("GET", "/admin/permissions/groups", {}, 200),
    ("GET", "/admin/permissions/groups/none", {}, 200),
    ("DELETE", "/admin/permissions/groups", {"params": {"name": "dev"}}, 204),
    ("DELETE", "/admin/permissions/groups", {"params": {"name": "unknown"}}, 404),
    ("GET", "/users", {"params": {"permission": "LICENSED_USER", "limit": 1}}, 200),
    ("GET", "/users", {"params": {"permission.1": "ADMIN", "group": "dev"}}, 200),
    ("GET", "/users/jane", {}, 200),
    ("GET", "/users/nobody", {}, 404),
    ("PUT", "/users", {"json": {"displayName": "Admin", "email": "admin@example.com"}}, 200),
    ("POST", "/users/jane/avatar.png", {"files": {"avatar": ("a.png", PNG, "image/png")}}, 201),
    ("DELETE", "/users/jane/avatar.png", {}, 200),
    ("GET", "/admin/users/erasure", {"params": {"name": "jane"}}, 409),
    ("DELETE", "/admin/users", {"params": {"name": "jane"}}, 200),
    ("DELETE", "/admin/users", {"params": {"name": "jane"}}, 404),
    ("GET", "/admin/users/erasure", {"params": {"name": "jane"}}, 204),
    ("POST", "/admin/users/erasure", {"params": {"name": "jane"}}, 200),
    ("DELETE", "/admin/groups", {"params": {"name": "dev"}}, 200),
    ("GET", "/admin/license", {}, 200),
    ("GET", "/admin/cluster", {}, 200),
    ("GET", "/admin/user-directories", {}, 200),
    ("GET", "/admin/mail-server", {}, 200),
    ("GET", "/application-properties", {}, 200),
    ("GET", "/admin/rate-limit/settings", {}, 200),
    ("PUT", "/admin/rate-limit/settings", {"json": {"enabled": False}}, 200),
    ("PUT", "/admin/rate-limit/settings/users/admin", {"json": {"whitelisted": True}}, 200),
    ("GET", "/admin/rate-limit/settings/users/admin", {}, 200),
    ("GET", "/admin/rate-limit/settings/users", {}, 200),
    ("POST", "/admin/rate-limit/settings/users", {"json": {"usernames": ["admin"], "whitelisted": True}}, 200),
    ("DELETE", "/admin/rate-limit/settings/users/admin", {}, 204),
    ("PUT", "/users/credentials", {"json": {"oldPassword": "wrong", "password": "x", "passwordConfirm": "x"}}, 400),
    (
        "PUT",
        "/users/credentials",
        {"json": {"oldPassword": "admin", "password": "admin", "passwordConfirm": "admin"}},
        204,
    ),
]


@pytest.fixture
def judged() -> Judged:
    simulator = BitbucketSimulator(Switches(mail_server=True))
    simulator.state.add_directory(Directory("Crowd", "Crowd", "", mutable_details=False, mutable_groups=False))
    return Judged(simulator.app, bitbucket_description())


@pytest.fixture
def base_url(judged: Judged) -> Iterator[str]:
    with served(judged) as base_url:
        yield base_url


@pytest.mark.parametrize("version", ["latest", "1.0"])
def test_every_request_and_answer_of_a_whole_session_is_as_described(judged, base_url, version):
    with httpx.Client(
        base_url=f"{base_url}/rest/api/{version}", auth=("admin", "admin"), headers={"X-Atlassian-Token": "no-check"}
    ) as client:
        statuses = [client.request(method, path, **extra).status_code for method, path, extra, _ in SCRIPT]
        client.get(f"{base_url}/rest/basicauth/latest/config")

    assert statuses == [status for _, _, _, status in SCRIPT]
    judged.verdict()


def test_the_session_visits_every_resource_of_the_simulator(judged, base_url):
    with httpx.Client(
        base_url=f"{base_url}/rest/api/latest", auth=("admin", "admin"), headers={"X-Atlassian-Token": "no-check"}
    ) as client:
        for method, path, extra, _ in SCRIPT:
            client.request(method, path, **extra)

    described = {f"{route.method} /api/latest{route.path.replace('{slug}', '{userSlug}')}" for route in ROUTES}
    assert described - set(judged.operations) == {"GET /api/latestbasicauth:/config"}


def test_the_refusal_of_a_request_that_is_not_as_described_is_as_described():
    simulator = BitbucketSimulator()
    judged = Judged(simulator.app, bitbucket_description(), requests=False)
    with (
        served(judged) as base_url,
        httpx.Client(
            base_url=f"{base_url}/rest/api/latest", auth=("admin", "admin"), headers={"X-Atlassian-Token": "no-check"}
        ) as client,
    ):
        answers = [
            client.put("/admin/permissions/users", params={"name": "admin", "permission": "NONSENSE"}),
            client.post("/admin/users", params={"name": "jane"}),
            client.put("/admin/users", json={"name": "admin", "active": False}),
            client.post("/admin/users/rename", json={"name": "admin"}),
            client.delete("/admin/groups"),
            client.get("/users", params={"permission": "NONSENSE"}),
            client.put("/admin/rate-limit/settings", json={"defaultSettings": {"capacity": -1}}),
        ]

    assert [answer.status_code for answer in answers] == [400] * len(answers)
    judged.verdict()


@pytest.mark.parametrize(
    "credentials", [None, ("admin", "wrong"), ("jane", "secret")], ids=["anonymous", "wrong password", "no permission"]
)
def test_every_401_is_as_described(credentials):
    simulator = BitbucketSimulator(Switches(mail_server=True, captcha_after=None))
    simulator.state.add_user("jane", password="secret")
    judged = Judged(simulator.app, bitbucket_description())
    with (
        served(judged) as base_url,
        httpx.Client(
            base_url=f"{base_url}/rest/api/latest", auth=credentials, headers={"X-Atlassian-Token": "no-check"}
        ) as client,
    ):
        for method, path, extra, _ in SCRIPT:
            if path != "/application-properties":
                assert client.request(method, path, **extra).status_code == 401

    judged.verdict()
